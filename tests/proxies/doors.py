"""Every configuration of docs/proxies.md in front of a real relay: a turn, the link, strangers, a long silence, a reload,
the relay gone, an answer cut short; and after all that neither secret in any log of the proxy's. Started by `run`.

    doors.py RELAY TOOLS TREE   a relay's binary, a folder of programs of PyPI's, and a tree of Debian's unstable
"""

import http.client
import json
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs import CONFIGS, DOMAIN, KEEPS_OUT, KEEPS_OUT_OF_NEWEST, NAMES, PACKAGES, PARTS, REPOSITORY, Programs, Proxy, free_port, install

SECRET = "webhook-secret_0123456789abcdef"
KEY = "agents-key-0123456789abcdef"
STATE = "smart-home-state-0123456789abcdef"
SECRETS = (SECRET, KEY, STATE)
# Longer than any of the proxies bears a silent link.
SILENCE = 130
# How long these keep a connection to the relay that rests. The relay must not end it before.
KEEPS = {"caddy": 120, "traefik": 90}
# After so long this one uses none again. By itself it would for ever, and so meet the relay's end of one.
FORGETS = {"apache2": 60}
# What a reload makes of the link, by whether it is the newest.
RELOADS = {("caddy", False): "cut", ("caddy", True): "kept", ("lighttpd", False): "cut", ("lighttpd", True): "cut",
           ("nginx", False): "kept", ("nginx", True): "kept"}  # fmt: skip
# Who a stranger says that he is.
LIES = {"X-Real-IP": "203.0.113.7", "X-Forwarded-For": "203.0.113.8"}
AUTHORIZE = f"/smart-home/authorize?client_id=home-alice&response_type=code&state={STATE}"


class Lines:
    """The lines that a program prints, each waited for."""

    def __init__(self, process: subprocess.Popen):
        self.process, self.seen, self.coming = process, [], queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.coming.put(line)

    def wait(self, words: str, seconds=20.0) -> str:
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.coming.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {words!r} within {seconds} s, but {self.seen[-5:]}") from None
            self.seen.append(line)
            if words in line:
                return line

    def count(self, words: str) -> int:
        while not self.coming.empty():
            self.seen.append(self.coming.get())
        return sum(words in line for line in self.seen)


class Relay(Lines):
    def __init__(self, program: str, port: int):
        self.program = program
        self.environment = {"API_KEY": KEY, "WEBHOOK_SECRET": SECRET, "SMART_HOME_SECRET": "x" * 20, "LISTEN_ADDR": f"127.0.0.1:{port}"}
        super().__init__(subprocess.Popen([program], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        self.wait("Relay started on")

    def invite(self) -> str:
        """The code of a new invitation."""
        command = [self.program, "invite", "--domain", DOMAIN]
        printed = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True, timeout=20).stdout
        return re.match(f"home-alice-agent join {DOMAIN} (\\S+)\n", printed)[1]

    def end(self):
        self.process.terminate()
        assert self.process.wait(timeout=20) == 0


class Client:
    """Asks a proxy by https, as somebody from the Internet would."""

    def __init__(self, proxy: Proxy, authority: Path):
        self.proxy = proxy
        self.context = ssl.create_default_context(cafile=authority)

    def ask(self, method: str, path: str, body=None, **fields) -> tuple[int, str]:
        connection = http.client.HTTPConnection(DOMAIN)
        raw = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=20)
        connection.sock = self.context.wrap_socket(raw, server_hostname=DOMAIN)
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def turn(self, secret=SECRET, **fields) -> tuple[int, str]:
        turn = {
            "version": "1.0", "request": {"type": "SimpleUtterance", "command": "громче"},
            "session": {"new": False, "session_id": "s", "user": {"user_id": "me"}},
        }  # fmt: skip
        status, body = self.ask("POST", f"/alice/webhook/{secret}", json.dumps(turn), **{"Content-Type": "application/json", **fields})
        return status, json.loads(body)["response"]["text"] if status == 200 else body

    def join(self, code: str) -> tuple[int, dict]:
        """What an agent hears that shows this code."""
        status, body = self.ask("POST", "/ws/join", json.dumps({"code": code}), **{"Content-Type": "application/json"})
        return status, json.loads(body)

    def link(self, key: str) -> int:
        """The status that an agent's request gets."""
        fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        return self.ask("GET", f"/ws?key={key}", **fields)[0]


def agent(proxy: Proxy, authority: Path) -> Lines:
    """An agent like the original, whose own pings are off: only the relay's heartbeat is left."""
    environment = {**os.environ, "SERVER_URL": f"wss://{DOMAIN}/ws", "API_KEY": KEY, "CA_FILE": str(authority),
                   "CONNECT_TO": f"127.0.0.1:{proxy.port}", "PINGS": "off"}  # fmt: skip
    program = REPOSITORY / "tests" / "container" / "agent.py"
    return Lines(subprocess.Popen([sys.executable, program], env=environment, stdout=subprocess.PIPE, text=True))


def is_down(client: Client):
    """With the relay gone every request gets an error of the proxy's own."""
    answers = [client.turn()[0], client.link(KEY), client.ask("GET", AUTHORIZE)[0], client.ask("GET", "/owner")[0]]
    assert all(status in (502, 503, 504) for status in answers), (client.proxy.name, answers)


def resting(port: int) -> set[str]:
    """Who is connected to this port of the loopback address."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {row[2] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "01"}


def is_cut_short(client: Client, port: int):
    """Something in the relay's place begins an answer and is gone."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        def answer():
            connection, _ = listener.accept()
            with connection:
                while b"\r\n\r\n" not in connection.recv(65536):
                    pass
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{")
                time.sleep(0.2)

        threading.Thread(target=answer, daemon=True).start()
        try:
            client.turn()
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            pass


def found(proxy: Proxy, *more: str) -> list[str]:
    logs = proxy.logs()
    return [secret for secret in (*SECRETS, *more) if secret in logs]


def door(name: str, programs: Programs, relay_program: str, work: Path, certificates: Path) -> str:
    """All that one proxy must do; what is to be said of it."""
    port = free_port()
    relay = Relay(relay_program, port)
    proxy = Proxy(name, work, certificates, port, programs)
    client = Client(proxy, certificates / "fullchain.pem")
    linked = agent(proxy, certificates / "fullchain.pem")
    what = (name, str(programs))
    try:
        linked.wait('"connected"')
        assert client.ask("GET", "/health") == (200, '{"status":"ok","agent_connected":true}'), what
        assert client.turn() == (200, "Сделано: громче"), what
        # Strangers, and who they are by the proxy's word, whatever they say themselves.
        assert client.turn("wrong-secret-0123456789", **LIES)[0] == 404, what
        line = relay.wait("wrong webhook address")
        assert line.count("127.0.0.1") == 2 and "203.0.113" not in line, (what, line)
        assert client.link("wrong-key-0123456789") == 401, what
        assert client.ask("POST", f"/alice/webhook/{SECRET}", b"x" * 70_000)[0] == 413, what
        assert client.ask("GET", AUTHORIZE)[0] == 400, what
        assert client.ask("GET", "/owner", Accept="text/html")[0] == 200, what
        # Joining, which takes that the proxy says https.
        code = relay.invite()
        assert client.join(code) == (200, {"name": "компьютер", "key": KEY}), what
        status, told = client.join("0000-0000-0000")
        assert status == 401 and "run `invite` again" in told["error"], (what, status, told)
        # Silence: the link must be the same one after it, and no connection that the proxy keeps may have been ended before it
        # would have done that itself.
        time.sleep(2)
        kept, rest = resting(port), KEEPS.get(name, 0) - 5
        if rest > 0:
            assert len(kept) > 1, (what, kept)
            time.sleep(rest - 2)
            assert kept <= resting(port), (what, kept, resting(port))
        elif name in FORGETS:
            rest = FORGETS[name] + 5
            time.sleep(rest - 2)
            assert client.ask("GET", "/health")[0] == 200, what
            assert resting(port) - kept, (what, "it used an old connection")
        time.sleep(SILENCE - max(rest, 2))
        assert linked.count('"connected"') == 1 and linked.count('"disconnected"') == 0, (what, linked.seen)
        assert client.turn() == (200, "Сделано: громче"), what
        if reloads := RELOADS.get((name, bool(programs.tree))):
            proxy.reload()
            if reloads == "cut":
                linked.wait('"disconnected"')
                linked.wait('"connected"')
            assert client.turn() == (200, "Сделано: громче"), what
            assert linked.count('"connected"') == 1 + (reloads == "cut"), (what, linked.seen)
        relay.end()
        linked.wait('"disconnected"')
        is_down(client)
        linked.wait('"refused"', 40)
        linked.process.kill()
        is_cut_short(client, port)
    finally:
        linked.process.kill()
        relay.process.kill()
        proxy.end()
    left = found(proxy, code)
    assert not left, (what, left, proxy.logs()[-3000:])
    return f"{name} {programs.version(name)}: a turn, the link, joining, strangers, {SILENCE} s of silence, a reload, the relay gone; no secret in its logs"


def careless(name: str, without: str, programs: Programs, relay_program: str, work: Path, certificates: Path) -> str:
    """The same proxy without what the page has against it writes secrets into its logs: the search can find them."""
    port = free_port()
    relay = Relay(relay_program, port)
    proxy = Proxy(name, work, certificates, port, programs, without)
    client = Client(proxy, certificates / "fullchain.pem")
    try:
        assert client.turn()[0] == 200
        client.link("wrong-key-0123456789")
        relay.end()
        is_down(client)
        is_cut_short(client, port)
    finally:
        relay.process.kill()
        proxy.end()
    must = {SECRET, KEY} if without in KEEPS_OUT[name] else {SECRET}
    assert must <= set(found(proxy)), (name, found(proxy), proxy.logs()[-2000:])
    return f"{name} {programs.version(name)}, without {without!r}: secrets are in its logs"


def certificate(work: Path) -> Path:
    """A throw-away certificate, its own authority."""
    folder = work / "certificates"
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}", "-addext",
         f"subjectAltName=DNS:{DOMAIN}", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def main() -> int:
    relay_program, tools, tree = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    unknown = CONFIGS.keys() - set(NAMES) - PARTS
    assert not unknown and set(NAMES) <= CONFIGS.keys(), CONFIGS.keys()
    install(PACKAGES)
    ours, newest = Programs(tools), Programs(tools, tree)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(32) as pool:
        work = Path(folder)
        work.chmod(0o755)
        given = (relay_program, work, certificate(work))
        # Traefik is PyPI's alone.
        tried = [pool.submit(door, name, programs, *given) for programs in (ours, newest) for name in NAMES
                 if programs is newest or name in PACKAGES]  # fmt: skip
        tried += [pool.submit(careless, name, without, programs, *given)
                  for programs, all_of in ((ours, KEEPS_OUT), (newest, KEEPS_OUT), (newest, KEEPS_OUT_OF_NEWEST))
                  for name, each in all_of.items() for without in each]  # fmt: skip
        for one in tried:
            try:
                print(one.result(), flush=True)
            except (Exception, SystemExit) as error:
                failed += 1
                print(f"FAILED: {type(error).__name__}: {error}", flush=True)
    print(f"{len(tried) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
