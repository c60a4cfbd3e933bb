"""The real relay behind a real nginx with NPM's lines and TLS, and real agents on PCs of their own: network namespaces
around a bridge. Needs root."""

import atexit
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# Where the PCs' user may read it, wherever this clone is.
PROGRAMS = pathlib.Path(tempfile.mkdtemp())
PROGRAMS.chmod(0o755)
atexit.register(shutil.rmtree, PROGRAMS)
AGENT = pathlib.Path(shutil.copy(os.environ["AGENT"], PROGRAMS))
RELAY = pathlib.Path(os.environ["RELAY"]).resolve()

DOMAIN = "home.example"
SERVER = "10.77.0.1"
KEY = "a0" * 32
SECRET = "b1" * 32

# The PCs' user, nobody: the agent refuses root, and a bus wants a user that the system knows.
USER = 65534


class Failed(AssertionError):
    pass


def check(holds, *what):
    if not holds:
        raise Failed(" ".join(str(part) for part in what))


def run(*arguments, expect=0, **options):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=120, **options)
    if expect is not None and done.returncode != expect:
        raise Failed(f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done


def until(holds, seconds, what):
    """Waits until something holds that no event tells of here: a file, or another program's state."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        check(time.monotonic() < end, "not within", seconds, "s:", what() if callable(what) else what)
        time.sleep(0.02)


class Process:
    """A program whose output can be waited for."""

    def __init__(self, log, arguments, **options):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen([str(a) for a in arguments], stdout=out, stderr=out,
                                          stdin=subprocess.DEVNULL, **options)

    def text(self):
        return self.log.read_text(errors="replace")

    def says(self, words, seconds=20, behind=0):
        """Waits for these words in the output behind a place of it. Returns the place behind them."""
        def found():
            at = self.text().find(words, behind)
            return at + len(words) if at >= 0 else 0
        return until(found, seconds, lambda: f"{words!r} in {self.text()[behind:]!r}")

    def stop(self, how=signal.SIGTERM, seconds=20):
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        return self.popen.wait(seconds)


class Agent(Process):
    """The agent of one PC, as its user starts it. Its process is the agent itself."""

    def __init__(self, pc, *arguments):
        super().__init__(pc.home / "agent.log", pc.command(AGENT, *arguments), env=pc.environment)
        self.pid = self.popen.pid


class Pc:
    """A network namespace with a home."""

    def __init__(self, world, name, address):
        self.world, self.name, self.address = world, name, address
        self.space = f"{world.id}{name}"
        self.home = world.dir / name
        self.home.mkdir()
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                            "SSL_CERT_FILE": str(world.dir / "ca.pem")}
        os.chown(self.home, USER, USER)
        run("ip", "netns", "add", self.space)
        run("ip", "-n", self.space, "link", "set", "lo", "up")
        run("ip", "link", "add", self.outer, "netns", world.space, "type", "veth",
            "peer", "name", "eth0", "netns", self.space)
        run("ip", "-n", world.space, "link", "set", self.outer, "master", "br0", "up")
        run("ip", "-n", self.space, "address", "add", f"{address}/24", "broadcast", "10.77.0.255", "dev", "eth0")
        run("ip", "-n", self.space, "link", "set", "eth0", "up")
        hosts = pathlib.Path("/etc/netns") / self.space
        hosts.mkdir(parents=True)
        (hosts / "hosts").write_text(f"127.0.0.1 localhost\n{SERVER} {DOMAIN} other.example\n")

    @property
    def outer(self):
        return f"v{self.name}"

    @property
    def config(self):
        return self.home / ".config/home-alice/agent.toml"

    def mac(self):
        return re.search(r"link/ether (\S+)", run("ip", "-n", self.space, "link", "show", "eth0").stdout)[1]

    def command(self, *arguments):
        # exec all the way: the process is the program's own.
        return ["ip", "netns", "exec", self.space, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                *arguments]

    def run(self, *arguments, expect=0, environment=None, **options):
        environment = self.environment | (environment or {})
        return run(*self.command(AGENT, *arguments), expect=expect, env=environment, cwd=self.home, **options)

    def write(self, text):
        """Writes the config as its owner's editor would: a new file in the old one's place."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        new = self.config.with_suffix(".tmp")
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        new.chmod(0o600)
        for path in [new, *self.config.parents]:
            if self.home in path.parents:
                os.chown(path, USER, USER)
        new.rename(self.config)

    def head(self, server=f"wss://{DOMAIN}/ws", key=KEY):
        return f'server = "{server}"\nkey = "{key}"\n'

    def start(self, *arguments):
        return self.world.keep(Agent(self, *arguments))

    def remove(self):
        run("ip", "netns", "del", self.space, expect=None)
        shutil.rmtree(pathlib.Path("/etc/netns") / self.space, ignore_errors=True)


class World:
    def __init__(self, name, **environment):
        self.id = f"ha{os.getpid() % 100000}{name}"
        self.space = f"{self.id}s"
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.dir.chmod(0o755)
        self.processes, self.pcs = [], {}
        self.environment = {"API_KEY": KEY, "WEBHOOK_SECRET": SECRET, "LISTEN_ADDR": "127.0.0.1:8080",
                            "PATH": os.environ["PATH"], **environment}

    def __enter__(self):
        try:
            run("ip", "netns", "add", self.space)
            run("ip", "-n", self.space, "link", "set", "lo", "up")
            run("ip", "-n", self.space, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", self.space, "address", "add", f"{SERVER}/24", "dev", "br0")
            run("ip", "-n", self.space, "link", "set", "br0", "up")
            authority(self.dir)
            certificate(self.dir, "server", DOMAIN)
            self.relay_start()
            self.nginx_start()
            self.pc("pc", "10.77.0.2")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            with contextlib.suppress(Exception):
                process.stop(signal.SIGKILL)
        for pc in self.pcs.values():
            pc.remove()
        run("ip", "netns", "del", self.space, expect=None)
        with contextlib.suppress(OSError):
            os.rmdir("/etc/netns")
        shutil.rmtree(self.dir)

    def keep(self, process):
        self.processes.append(process)
        return process

    def pc(self, name, address=None):
        if address:
            self.pcs[name] = Pc(self, name, address)
        return self.pcs[name]

    def serve(self, log, *arguments, environment=None):
        """Starts a program on the server."""
        command = ["ip", "netns", "exec", self.space, *arguments]
        return self.keep(Process(self.dir / log, command, env=environment or os.environ))

    def on_server(self, *arguments, expect=0, **options):
        return run("ip", "netns", "exec", self.space, *arguments, expect=expect, **options)

    def relay_start(self):
        self.relay = self.serve("relay.log", RELAY, environment=self.environment)
        self.relay.says("Relay started on", behind=self.relay.text().rfind("Relay stopped") + 1)

    def nginx_start(self, extra="", certificate="server", port=443, is_plain=False, has_websockets=True):
        """NPM's proxy host with the lines of deploy/npm-advanced.conf."""
        folder = self.dir / f"nginx{port}"
        (folder / "conf.d/include").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests/nginx/proxy.conf", folder / "conf.d/include")
        text = (ROOT / "tests/nginx/nginx.conf").read_text()
        tls = f"ssl_certificate {self.dir}/{certificate}.pem; ssl_certificate_key {self.dir}/{certificate}.key; {extra}"
        listen = f"listen {SERVER}:{port};" if is_plain else f"listen {SERVER}:{port} ssl; {tls}"
        text = text.replace("listen unix:@DIR@/nginx.sock;", listen)
        text = text.replace("@DIR@", str(folder)).replace("@PORT@", "8080")
        lines = (ROOT / "deploy/npm-advanced.conf").read_text()
        if not has_websockets:
            # Without "Websockets Support" and the lines that pass it on.
            lines, text = ("\n".join(line for line in part.split("\n") if "_upgrade" not in line and "_connection" not in line)
                           for part in (lines, text))
        (folder / "advanced.conf").write_text(lines)
        (folder / "nginx.conf").write_text(text)
        nginx = self.serve(f"nginx{port}.log", "nginx", "-p", folder, "-c", folder / "nginx.conf", "-e",
                           folder / "start.log")
        until(lambda: f"{SERVER}:{port} " in self.on_server("ss", "-Hltn").stdout, 20, nginx.text)
        return nginx

    def relay_run(self, *arguments, expect=0):
        return self.on_server(RELAY, *arguments, expect=expect, env=self.environment)

    def ask(self, phrase, *options, expect=None):
        """Returns what Alice would say."""
        return self.relay_run("ask", phrase, *options, expect=expect).stdout.strip()


def authority(folder, name="Test CA"):
    """A CA of the test's own."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
        "-addext", "basicConstraints=critical,CA:TRUE")


def certificate(folder, name, host, days=("-days", "2"), ca="ca", options=("-copy_extensions", "copy")):
    request = folder / f"{name}.csr"
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={host}",
        "-addext", f"subjectAltName=DNS:{host}", "-keyout", folder / f"{name}.key", "-out", request)
    run("openssl", "x509", "-req", "-in", request, "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key",
        "-CAcreateserial", *days, *options, "-out", folder / f"{name}.pem")


def main(tests):
    """Runs every function of a file whose name begins with `test_`, and counts."""
    names = [name for name in tests if name.startswith("test_")]
    only = os.environ.get("ONLY", "")
    failed = 0
    names = [name for name in names if only in name]
    for name in names:
        begun = time.monotonic()
        try:
            tests[name]()
            print(f"ok    {name} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as error:  # noqa: BLE001: every one is this test's failure
            failed += 1
            traceback.print_exc()
            print(f"FAIL  {name}: {error}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed", flush=True)
    raise SystemExit(1 if failed or not names else 0)
