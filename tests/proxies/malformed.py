#!/usr/bin/env python3
"""What nginx, HAProxy, Caddy and Apache do with what a proxy should not let through: each is started on this
machine before an upstream that writes down what arrives, and is sent every input below. The outcome must be
the table in docs/threats.md. Needs Debian's nginx-light, haproxy, caddy and apache2, which it installs as root, and the
newest of each, as `run` gets them. Started by that.

    tests/proxies/malformed.py TOOLS TREE [--verbose]
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs import PATH, REPOSITORY, Programs, free_port, install

# In the order of docs/threats.md's table.
NAMES = ("nginx", "haproxy", "caddy", "apache2")
# Seconds until what does not come is taken for never.
PATIENCE = 4.0
TURN = b'{"version":"1.0"}'
MORE = b"GET /smuggled HTTP/1.1\r\nHost: r\r\n\r\n"


def post(fields: bytes, body: bytes = TURN, length=True, host=b"Host: r\r\n", target=b"/alice/webhook", version=b"1.1"):
    head = b"POST %s HTTP/%s\r\n%s%s" % (target, version, host, fields)
    if length:
        head += b"Content-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


def sized(*lengths: bytes, body=b"x" * 5 + MORE) -> bytes:
    return post(b"".join(b"Content-Length: %s\r\n" % one for one in lengths), body, length=False)


def chunked(field: bytes, body=b"0\r\n\r\n" + MORE, length=False) -> bytes:
    return post(field, body, length=length)


# The kinds of docs/threats.md's table, and the inputs of each.
KINDS = {
    "a bare LF for the end of a line": [
        b"GET / HTTP/1.1\nHost: r\n\n",
        post(b"X-A: b\nX-C: d\r\n"),
        post(b"X-A: b\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        b"GET / HTTP/1.1\r\nHost: r\r\n\n",
    ],
    "a folded line": [
        post(b"Content-Type: a\r\n b\r\n"),
        post(b"Authorization: a\r\n\tb\r\n"),
        post(b"Origin: a\r\n Transfer-Encoding: chunked\r\n"),
        b"GET / HTTP/1.1\r\n Host: r\r\n\r\n",
    ],
    "two lengths, or one that is no number": [
        sized(b"5", b"40"), sized(b"40", b"5"), sized(b"5, 40"), sized(b"+5"), sized(b"-1"), sized(b"0x5"),
        sized(b"5 5"), sized(b""),
    ],
    "a length beside Transfer-Encoding": [
        chunked(b"Transfer-Encoding: chunked\r\n", length=True),
        chunked(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    ],
    "a Transfer-Encoding that is not plainly chunked": [
        chunked(b"Transfer-Encoding: xchunked\r\n"),
        chunked(b"Transfer-Encoding: chunked, identity\r\n"),
        chunked(b"Transfer-Encoding: identity, chunked\r\n"),
        chunked(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        chunked(b"Transfer-Encoding:\x0bchunked\r\n"),
    ],
    "a chunk whose size is no hex number": [
        chunked(b"Transfer-Encoding: chunked\r\n", b"0x5\r\nhello\r\n0\r\n\r\n"),
        chunked(b"Transfer-Encoding: chunked\r\n", b"-5\r\nhello\r\n0\r\n\r\n"),
        chunked(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n"),
    ],
    "white space before the colon": [
        post(b"Content-Type : a\r\n"),
        chunked(b"Transfer-Encoding : chunked\r\n", length=True),
        post(b"Authorization\t: a\r\n"),
    ],
    "an empty field name": [post(b": a\r\n"), post(b": Transfer-Encoding: chunked\r\n")],
    "a control byte in a field": [
        post(b"Content-Type: a\x00b\r\n"), post(b"Content-Type: a\x01b\r\n"), post(b"Content-Type: a\rb\r\n"),
    ],
    "a byte above 0x7F in a field that the relay does not read": [
        post("User-Agent: Алиса\r\n".encode()), post("cf-region: Île-de-France\r\n".encode()),
        post(b"X-A: \xff\r\n"),
    ],
    "a byte above 0x7F in a field that it reads": [post("Content-Type: Алиса\r\n".encode())],
    "no Host, or two": [post(b"", host=b""), post(b"Host: other\r\n")],
    "a word behind the version, HTTP/0.9, HTTP/3.0": [
        b"GET / HTTP/1.1 x\r\nHost: r\r\n\r\n", b"GET /\r\n", b"GET / HTTP/3.0\r\nHost: r\r\n\r\n",
    ],
    "a control byte or one above 0x7F in the target": [
        post(b"", target=b"/alice\x01"), post(b"", target="/алиса".encode()),
    ],
    "a body of more than 64 KiB": [post(b"", b"x" * 70_000), post(b"", b"x" * 3_000_000)],
    "half a head": [b"POST /alice/webhook HTTP/1.1\r\nHost: r\r\nContent-Le"],
    "half a body": [post(b"Content-Length: 100\r\n", b"x" * 10, length=False)],
}

# Of these nothing at all should arrive.
NOTHING_OF_IT = ("a body of more than 64 KiB", "half a head", "half a body")

HAPROXY = """defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    timeout http-request 10s
    option http-buffer-request
frontend relay
    bind 127.0.0.1:{port}
    http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt 65536 }}
    default_backend relay
backend relay
    server relay 127.0.0.1:{upstream}
"""
CADDY = """{{
    admin off
    auto_https off
    servers {{
        timeouts {{
            read_header 10s
            read_body 10s
        }}
    }}
}}
http://:{port} {{
    bind 127.0.0.1
    request_body {{
        max_size 64KB
    }}
    reverse_proxy 127.0.0.1:{upstream}
}}
"""
APACHE = """ServerRoot {folder}
ServerName r
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule reqtimeout_module /usr/lib/apache2/modules/mod_reqtimeout.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
<Location "/">
    LimitRequestBody 65536
</Location>
RequestReadTimeout header=10 body=10
ProxyPass "/" "http://127.0.0.1:{upstream}/" upgrade=websocket
"""


class Upstream:
    """Stands where the relay stands; `arrived` is what came on each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.arrived: list[bytearray] = []
        self.open: set[threading.Thread] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            bytes_of = bytearray()
            self.arrived.append(bytes_of)
            serving = threading.Thread(target=self._serve, args=(connection, bytes_of), daemon=True)
            serving.start()
            self.open.add(serving)

    def settle(self):
        """Waits until nothing more comes on any connection; one that is made now may be seen a moment later."""
        time.sleep(PATIENCE / 8)
        while self.open:
            self.open.pop().join()

    @staticmethod
    def _serve(connection: socket.socket, arrived: bytearray):
        with connection:
            connection.settimeout(PATIENCE / 2)
            try:
                while more := connection.recv(65536):
                    arrived += more
                    # Whatever follows at once still belongs to it.
                    if unsound(bytes(arrived)) is None:
                        break
            except OSError:
                pass
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass


TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def unsound(request: bytes) -> str | None:
    """Why this is not one whole and strictly valid HTTP/1.x request; none when it is."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return "no whole head"
    first, *lines = head.split(b"\r\n")
    if not re.fullmatch(TOKEN.pattern + rb" [!-~]+ HTTP/1\.[01]", first):
        return f"request line {first!r}"
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or not re.fullmatch(rb"[\t -~]*", value):
            return f"field {line!r}"
        fields.setdefault(name.lower(), []).append(value.strip())
    if len(fields.get(b"host", [])) != 1:
        return "not one Host"
    codings, lengths = fields.get(b"transfer-encoding", []), fields.get(b"content-length", [])
    if codings:
        if codings != [b"chunked"] or lengths:
            return f"Transfer-Encoding {codings}, Content-Length {lengths}"
        if re.fullmatch(rb"(?s)([1-9a-fA-F][0-9a-fA-F]*\r\n.*?\r\n)*0\r\n\r\n", body):
            return None
        return "cut chunks" if re.fullmatch(rb"(?s)([1-9a-fA-F][0-9a-fA-F]*\r\n.*?\r\n)*", body) else "chunks"
    if len(lengths) > 1 or not all(re.fullmatch(rb"\d+", length) for length in lengths):
        return f"Content-Length {lengths}"
    length = int(lengths[0]) if lengths else 0
    if len(body) == length:
        return None
    return f"{'cut' if len(body) < length else 'more'}: a body of {len(body)} bytes for {length}"


class Proxy:
    def __init__(self, name: str, work: Path, programs: Programs):
        self.name = name
        self.upstream = Upstream()
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))
        folder.chmod(0o755)
        port = free_port()
        self.address: str | tuple = ("127.0.0.1", port)
        values = {"port": port, "upstream": self.upstream.port, "folder": folder}
        config = folder / "config"
        if name == "nginx":
            # As Nginx Proxy Manager has it, with the lines for it.
            nginx = REPOSITORY / "tests" / "nginx"
            text = (nginx / "nginx.conf").read_text()
            config.write_text(text.replace("@DIR@", str(folder)).replace("@PORT@", str(self.upstream.port)))
            (folder / "conf.d" / "include").mkdir(parents=True)
            shutil.copy(nginx / "proxy.conf", folder / "conf.d" / "include")
            shutil.copy(REPOSITORY / "deploy" / "npm-advanced.conf", folder / "advanced.conf")
            self.address = str(folder / "nginx.sock")
            command = ["-p", folder, "-c", config, "-e", folder / "start.log"]
        elif name == "haproxy":
            config.write_text(HAPROXY.format(**values))
            command = ["-db", "-f", config]
        elif name == "caddy":
            config.write_text(CADDY.format(**values))
            command = ["run", "--adapter", "caddyfile", "--config", config]
        else:
            config.write_text(APACHE.format(**values))
            command = ["-X", "-f", config]
        self.log = open(folder / "log", "wb+")
        command = programs.command(work, name, *command)
        environment = {"PATH": PATH, "HOME": str(folder)}
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.log.seek(0)
                    raise SystemExit(f"{name} does not start: {self.log.read().decode()}") from None
                time.sleep(0.05)

    def connect(self) -> socket.socket:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        connection = socket.socket(family)
        connection.settimeout(PATIENCE)
        connection.connect(self.address)
        return connection

    def send(self, data: bytes, whole=True) -> tuple[str, str]:
        """What became of it: `refuses`, `mends` or `passes on`; and why. If it is not `whole`, whatever
        arrives of it was passed on."""
        before = len(self.upstream.arrived)
        answer = b""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                while more := connection.recv(65536):
                    answer += more
                    if b"\r\n\r\n" in answer and (len(self.upstream.arrived) == before or b" 200 " in answer[:16]):
                        connection.settimeout(0.3)
            except OSError:
                pass
        self.upstream.settle()
        said = answer.split(b"\r\n")[0].decode("latin-1")
        # What stands behind a request may be a request of its own, on a connection of its own.
        arrived = [bytes(one) for one in self.upstream.arrived[before:] if one]
        arrived = [one for one in arrived if b" /smuggled " not in one.split(b"\r\n")[0]]
        if whole:
            # The end of a body that never came whole: nobody answers such a request.
            arrived = [one for one in arrived if not (unsound(one) or "").startswith("cut")]
        elif arrived:
            return "passes on", said
        if not arrived:
            return "refuses", said
        problems = [why for one in arrived if (why := unsound(one))]
        return ("passes on", problems[0]) if problems else ("mends", said)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)


WORST = ["refuses", "mends", "passes on"]


def judge(name: str, programs: Programs, work: Path, verbose: bool) -> dict[str, str]:
    proxy = Proxy(name, work, programs)
    try:
        came, why = proxy.send(post(b"Content-Type: application/json\r\n"))
        assert came == "mends" and " 200 " in why, (name, came, why)
        outcome = {}
        for kind, inputs in KINDS.items():
            each = [proxy.send(data, whole=kind not in NOTHING_OF_IT) for data in inputs]
            outcome[kind] = max((came for came, _ in each), key=WORST.index)
            if verbose:
                for data, (came, why) in zip(inputs, each):
                    print(f"{name:8} {programs}: {kind}: {came} ({why}) {data[:90]!r}", flush=True)
        return outcome
    finally:
        proxy.end()


def main() -> int:
    tools, tree, *verbose = sys.argv[1:]
    install(NAMES)
    both = [Programs(Path(tools)), Programs(Path(tools), Path(tree))]
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(2 * len(NAMES)) as pool:
        Path(work).chmod(0o755)
        asked = [(name, programs) for programs in both for name in NAMES]
        judged = pool.map(lambda one: judge(*one, Path(work), bool(verbose)), asked)
        outcomes = dict(zip(asked, judged))

    def cell(name: str, kind: str) -> str:
        """What it does; and its newest, where that does otherwise."""
        own, newest = (outcomes[name, programs][kind] for programs in both)
        return own if own == newest else f"{own}; {newest} in {both[1].version(name).rsplit('.', 1)[0]}"

    rows = [f"| {kind} | {' | '.join(cell(name, kind) for name in NAMES)} |" for kind in KINDS]
    print(*(f"{name} {one.version(name)}" for name, one in asked), sep=", ")
    print("\n".join(rows))
    text = (REPOSITORY / "docs" / "threats.md").read_text()
    told = [line for line in text.splitlines() if line.startswith(tuple(f"| {kind} |" for kind in KINDS))]
    if told != rows:
        print("this is not the table in docs/threats.md", file=sys.stderr)
        return 1
    print(f"{sum(map(len, KINDS.values()))} inputs through {len(NAMES)} proxies: as docs/threats.md says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
