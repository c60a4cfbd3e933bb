"""What a case runs in: a relay under a tiny supervisor, nginx before it, and the relay's own figures."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NGINX = os.path.join(HERE, "..", "nginx")
KEY = "0123456789abcdef0123456789abcdef"
PATIENCE = 20.0


# Below those that the system gives to outgoing connections, which could take one before its relay does.
PORTS = iter(range(20000 + os.getpid() % 8000, 32000))
PICKING = threading.Lock()


def free_port():
    """A port for a relay or nginx: one that is started again must have the same."""
    with PICKING:
        for port in PORTS:
            with socket.socket() as listener:
                try:
                    listener.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass
    raise RuntimeError("no port is free")


class World:
    """A relay, started again whenever it ends, and nginx before it when `via` is "nginx"."""

    def __init__(self, program, via, settings=None, descriptors=None, restart_after=1.0, stdout=None,
                 listen_everywhere=False):
        self.directory = tempfile.mkdtemp(prefix="relay-soak-")
        self.program, self.via = program, via
        self.descriptors, self.restart_after, self.stdout = descriptors, restart_after, stdout
        self.everywhere = listen_everywhere
        self.port = free_port()
        self.settings = {
            "API_KEY": KEY,
            "LISTEN_ADDR": f":{self.port}" if listen_everywhere else f"127.0.0.1:{self.port}",
            "LOG_LEVEL": "info",
            **(settings or {}),
        }
        self.starts = []
        self.exits = []
        self.peak = {"memory": 0, "threads": 0, "descriptors": 0}
        self.log = open(os.path.join(self.directory, "relay.log"), "wb")
        self.over = threading.Event()
        self.process = None
        self.nginx = None
        self._spawn()
        self.supervisor = threading.Thread(target=self._supervise, daemon=True)
        self.supervisor.start()
        self.sampler = threading.Thread(target=self._sample, daemon=True)
        self.sampler.start()
        self.address = ("127.0.0.1", self.port)
        self.listens(self.port)
        if via == "nginx":
            self._start_nginx()

    def _spawn(self):
        def limits():
            if self.descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

        self.process = subprocess.Popen(
            [self.program], env=self.settings, stdin=subprocess.DEVNULL,
            stdout=self.stdout if self.stdout is not None else self.log, stderr=self.log,
            preexec_fn=limits,
        )
        self.starts.append(time.monotonic())

    def _supervise(self):
        while True:
            code = self.process.wait()
            if self.over.is_set():
                return
            self.exits.append((time.monotonic(), code))
            # As the unit's RestartSec does; a stop of the world ends the wait.
            if len(self.exits) > 50 or self.over.wait(self.restart_after):
                return
            self._spawn()

    def listens(self, port):
        """Waits until somebody does: no event tells it to another process."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)

    def _start_nginx(self):
        port = free_port()
        os.makedirs(os.path.join(self.directory, "conf.d", "include"))
        shutil.copy(os.path.join(NGINX, "proxy.conf"), os.path.join(self.directory, "conf.d", "include"))
        # NPM by itself, without the lines of deploy/: the worse case.
        open(os.path.join(self.directory, "advanced.conf"), "w").close()
        with open(os.path.join(NGINX, "nginx.conf")) as file:
            text = file.read()
        for before, after in [
            # Over TCP, as clients come; and with room for all of them: it is not nginx that is tested.
            ("listen unix:@DIR@/nginx.sock;", f"listen {'*' if self.everywhere else '127.0.0.1'}:{port} backlog=4096;"),
            ("events {}", "worker_rlimit_nofile 20000; events { worker_connections 10000; }"),
            ("@DIR@", self.directory),
            ("@PORT@", str(self.port)),
        ]:
            assert before in text, f"tests/nginx/nginx.conf has no {before!r} any more"
            text = text.replace(before, after)
        config = os.path.join(self.directory, "nginx.conf")
        with open(config, "w") as file:
            file.write(text)
        start_log = os.path.join(self.directory, "start.log")
        self.nginx = subprocess.Popen(
            ["nginx", "-p", self.directory, "-c", config, "-e", start_log],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        self.listens(port)
        self.address = ("127.0.0.1", port)

    def figures(self):
        """Memory in kB, threads and descriptors of the relay now; none while there is no relay."""
        pid = self.process.pid
        try:
            with open(f"/proc/{pid}/status") as file:
                lines = dict(line.split(":", 1) for line in file)
            return {
                "memory": int(lines["VmRSS"].split()[0]),
                "threads": int(lines["Threads"]),
                "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "highest": int(lines["VmHWM"].split()[0]),
            }
        except (OSError, KeyError, ValueError):
            return None

    def _sample(self):
        while not self.over.wait(0.05):
            now = self.figures()
            if now:
                for name in ("threads", "descriptors"):
                    self.peak[name] = max(self.peak[name], now[name])
                # The kernel's own high-water mark, so that no peak between two samples is missed.
                self.peak["memory"] = max(self.peak["memory"], now["highest"])

    def at_rest(self, before, seconds):
        """Waits for threads and descriptors to be what they were; how long it took, none if never."""
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            now = self.figures()
            if now and now["threads"] <= before["threads"] + 2 and \
                    now["descriptors"] <= before["descriptors"] + 4:
                return time.monotonic() - start
            time.sleep(0.05)
        return None

    def kill(self):
        """What no process survives; when it happened."""
        now = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        return now

    def log_text(self):
        with open(os.path.join(self.directory, "relay.log"), errors="replace") as file:
            return file.read()

    def stop(self):
        self.over.set()
        for process in (self.nginx, self.process):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.supervisor.join()
        # A relay that the supervisor was just about to start.
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.sampler.join()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
