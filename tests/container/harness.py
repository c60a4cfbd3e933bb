"""What the checks are made of: the Docker engine and its events, the proxy, agents, turns, and the
figures that are reported at the end. Whatever is waited for has a time limit."""

import contextlib
import datetime
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOMAIN = "your-domain.com"
RELAY = "home-alice-relay"
NETWORK = "nginx_default"
# Everything the test makes by itself carries this name, so that it can take it away again.
MARK = "home-alice-relay-test"
MACHINE = f"{MARK}:machine"
# Whose turns are sent, and by which skill.
USER = "6C91DA5198D1758C6A9F63A7C5CDDF09359F683B13A18A151FBF4C8B092BB0C2"
SKILL = "3ad36498-f5rd-4079-a14b-788652932056"


def run(*command, timeout=60, check=True, **options) -> subprocess.CompletedProcess:
    """Runs a command; what it printed, both streams together, is in `stdout`."""
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=timeout,
        **options,
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result


def docker(*arguments, **options) -> str:
    return run("docker", *arguments, **options).stdout.strip()


def inspect(container: str, template: str) -> str:
    return docker("inspect", "--format", template, container)


def log_of(container: str) -> str:
    return docker("logs", container)


def moment(text: str) -> float:
    """Docker's time stamps as seconds; they have nine digits, which Python does not read."""
    text = re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(text).timestamp()


class Lines:
    """The lines that a process prints, each made an object, to be waited for."""

    def __init__(self, command, parse=json.loads, **options):
        self._parse = parse
        self.seen: list[dict] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **options
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.seen.append({"at": time.time(), **self._parse(line)})
                self._news.notify_all()

    def wait(self, fits, timeout: float, start: int = 0):
        """The first object from number `start` on that fits; None when there is none in time."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                for one in self.seen[start:]:
                    if fits(one):
                        return one
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._news.wait(left)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Log(Lines):
    """A container's log, from now or from an earlier moment on, until it stops."""

    def __init__(self, container, since=None):
        begin = ["--tail", "0"] if since is None else ["--since", f"{since:.6f}"]
        super().__init__(
            ["docker", "logs", "--follow", *begin, container],
            parse=lambda line: {"line": line.rstrip()},
            stderr=subprocess.STDOUT,
        )

    def expect(self, text: str, timeout: float) -> dict:
        seen = self.wait(lambda one: text in one["line"], timeout)
        if seen is None:
            raise AssertionError(f"no {text!r} in the log within {timeout} s: {self.seen}")
        return seen


class Events(Lines):
    """What the engine tells of containers."""

    def __init__(self):
        super().__init__(["docker", "events", "--format", "{{json .}}"])

    def of(self, container: str, action: str, timeout: float, after: float = 0) -> float:
        """When it happened, in seconds."""
        event = self.wait(
            lambda e: e.get("Type") == "container"
            and e["Action"] == action
            and e["Actor"]["Attributes"].get("name") == container
            and e["timeNano"] / 1e9 >= after,
            timeout,
        )
        if event is None:
            raise AssertionError(f"the engine did not tell of {action!r} of {container} in {timeout} s")
        return event["timeNano"] / 1e9


class Agent(Lines):
    """A running agent.py, or another program that tells the same lines."""

    def __init__(self, python, environment: dict, command=None):
        command = command or [python, str(HERE / "agent.py")]
        super().__init__(command, env={**os.environ, **environment})

    def expect(self, event: str, timeout: float, start: int = 0) -> dict:
        seen = self.wait(lambda one: one["event"] == event, timeout, start)
        if seen is None:
            raise AssertionError(f"the agent was not {event} within {timeout} s: {self.seen[start:]}")
        return seen

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in list(self.seen))


class Proxy:
    """An nginx container as NPM sets it up, reached from this machine by https and wss. `secret` tells the
    WEBHOOK_SECRET of the relay behind it."""

    def __init__(self, work: Path, name: str, advanced: str, secret, relay=RELAY, port=8080, network=NETWORK,
                 scheme="http"):  # fmt: skip
        self.name = f"{MARK}-{name}"
        self.secret = secret
        self.ca = work / "ca.pem"
        folder = work / self.name
        folder.mkdir()
        for file in ("cert.pem", "key.pem"):
            (folder / file).write_bytes((work / file).read_bytes())
        indented = "\n".join(f"        {line}" for line in advanced.splitlines())
        settings = (HERE / "proxy.conf").read_text()
        settings = settings.replace("@RELAY@", relay).replace("@PORT@", str(port)).replace("@SCHEME@", scheme)
        (folder / "proxy.conf").write_text(settings.replace("@ADVANCED@", indented))
        # What NPM includes in every location, and its Advanced tab may as well.
        (folder / "conf.d" / "include").mkdir(parents=True)
        shutil.copy(HERE.parent / "nginx" / "proxy.conf", folder / "conf.d" / "include")
        begun = time.time()
        docker(
            "run", "-d", "--name", self.name, "--network", network,
            "-v", f"{folder}:/proxy:ro", "-p", "127.0.0.1::443", "-p", "127.0.0.1::80",
            MACHINE, "nginx", "-c", "/proxy/proxy.conf",
        )  # fmt: skip
        self.find(begun)

    def find(self, since):
        """The ports on this machine, which a restart changes; waits until nginx, started since then,
        serves: Docker's own listener takes connections before."""
        log = Log(self.name, since)
        log.expect("start worker process ", 20)
        log.end()
        self.port = int(docker("port", self.name, "443/tcp").rsplit(":", 1)[1])
        self.plain_port = int(docker("port", self.name, "80/tcp").rsplit(":", 1)[1])

    def request(self, method, path, body=None, host=DOMAIN, headers=(), timeout=15.0):
        """The status, the header fields and the body."""
        context = ssl.create_default_context(cafile=self.ca)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(raw, server_hostname=host)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    def webhook(self) -> str:
        """Where Yandex sends turns to."""
        return f"/alice/webhook/{self.secret()}"

    def turn(self, command: str, path=None, user=USER, **options):
        """The status, what Alice would say or what else came, and how it came to that."""
        body = json.dumps(turn(command, user), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        path = path or self.webhook()
        status, fields, text = self.request("POST", path, body, headers=headers, **options)
        said = json.loads(text)["response"]["text"] if status == 200 else text
        return status, said, fields.get("Relay-Outcome", "")

    def healthy(self, connected: bool):
        status, _, body = self.request("GET", "/health")
        expected = {"status": "ok", "agent_connected": connected}
        assert (status, json.loads(body)) == (200, expected), (status, body)

    def agent(self, python, key, host=DOMAIN, **more) -> Agent:
        return Agent(
            python,
            {
                "SERVER_URL": f"wss://{host}/ws",
                "API_KEY": key,
                "CA_FILE": str(self.ca),
                "CONNECT_TO": f"127.0.0.1:{self.port}",
                **more,
            },
        )

    def curl_home(self, work: Path) -> Path:
        """A folder whose .curlrc leads the document's own curl commands to this proxy."""
        home = work / f"curl-{self.name}"
        home.mkdir(exist_ok=True)
        (home / ".curlrc").write_text(
            f'cacert = "{self.ca}"\nconnect-to = "{DOMAIN}:443:127.0.0.1:{self.port}"\nsilent\nmax-time = 20\n'
        )
        return home


def turn(command: str, user: str) -> dict:
    """A turn as Alice sends it."""
    return {
        "meta": {
            "locale": "ru-RU",
            "timezone": "Europe/Moscow",
            "client_id": "ru.yandex.searchplugin/7.16 (none none; android 4.4.2)",
            "interfaces": {"screen": {}, "payments": {}, "account_linking": {}},
        },
        "session": {
            "message_id": 3,
            "session_id": "2eac4854-fce721f3-b845abba-20d60",
            "skill_id": SKILL,
            "user": {"user_id": user},
            "application": {"application_id": "47C73714B580ED2469056E71081159529FFC676A4E5B059D629A819E857DC2F8"},
            "user_id": "47C73714B580ED2469056E71081159529FFC676A4E5B059D629A819E857DC2F8",
            "new": False,
        },
        "request": {
            "command": command,
            "original_utterance": command.capitalize(),
            "nlu": {"tokens": command.split(), "entities": [], "intents": {}},
            "markup": {"dangerous_context": False},
            "type": "SimpleUtterance",
        },
        "version": "1.0",
    }


class Report:
    """The figures, and which checks passed."""

    def __init__(self, recover):
        self._recover = recover
        self.figures: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.passed = 0

    def figure(self, what: str, value: str):
        self.figures.append((what, value))
        print(f"      {what}: {value}", flush=True)

    @contextlib.contextmanager
    def check(self, name: str):
        print(f"----- {name}", flush=True)
        begun = time.monotonic()
        try:
            yield
        except Exception as error:  # whatever went wrong, the others are still to be checked
            self.failed.append(name)
            print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)
            import traceback

            traceback.print_exc(file=sys.stdout)
            self._recover()
        else:
            self.passed += 1
            print(f"ok    {name} ({time.monotonic() - begun:.1f} s)", flush=True)

    def end(self) -> int:
        width = max((len(what) for what, _ in self.figures), default=0)
        print("\nFigures")
        for what, value in self.figures:
            print(f"  {what:<{width}}  {value}")
        for name in self.failed:
            print(f"FAILED: {name}")
        print(f"\n{self.passed} passed, {len(self.failed)} failed")
        return 1 if self.failed else 0
