"""The honest side: an agent that echoes, and the probe that asks /health and says commands throughout."""
import base64
import json
import multiprocessing
import os
import socket
import statistics
import struct
import threading
import time

from world import KEY

# How long the real agent waits before it connects again.
RECONNECT_AFTER = 5.0
LINK_LOST = "Связь с компьютером прервалась. Возможно, команда выполнилась."
UNSENT = {
    "Связь с компьютером прервалась, команда не отправлена.",
    "Компьютер не отвечает, команда не отправлена. Возможно, компьютер спит.",
    "Компьютер не отвечает, команда не отправлена. Возможно, он занят или спит.",
}
NO_AGENT = "Компьютер не на связи. Проверьте, включён ли он."
# The same while somebody knocks without a right key.
KNOCKED = " К серверу кто-то стучится без верного ключа: если это ваш компьютер, проверьте ключ в его настройках."
NO_AGENT_BUT_A_KNOCK = f"Компьютер не на связи.{KNOCKED}"
TOO_LATE = "Компьютер не успел ответить. Возможно, команда ещё выполнится."
BUSY = "Компьютер занят другими командами. Повторите чуть позже."
# What a turn may be told instead of its answer when the agent is in trouble.
TOLD = {LINK_LOST, NO_AGENT, NO_AGENT_BUT_A_KNOCK, TOO_LATE, BUSY, *UNSENT}
# What a turn may be told of one of several PCs, behind its name.
TOLD_OF_ONE = {
    "связь прервалась. Возможно, команда выполнилась.",
    "связь прервалась, команда не отправлена.",
    "не отвечает, команда не отправлена. Возможно, компьютер спит.",
    "не отвечает, команда не отправлена. Возможно, компьютер занят или спит.",
    "не на связи.",
    f"не на связи.{KNOCKED}",
    "ответ не пришёл вовремя. Возможно, команда ещё выполнится.",
}
# What the PCs of a household are called, the first of which is meant when none is named; and their keys.
PCS = ("компьютер", "ноутбук", "сервер", "телевизор", "спальня", "макбук", "планшет", "гостиная", "кухня", "гараж", "дача",
       "кабинет", "приставка", "моноблок", "проектор", "мастерская")
KEYS = {name: KEY if name == PCS[0] else f"key-of-pc-number-{number:02}" for number, name in enumerate(PCS)}
AGENTS = ";".join(f"{name}={KEYS[name]}" for name in PCS[1:])
# A command that no agent of ours answers; «проба» and «ход» are the commands of probes and loads.
HOLD = "не отвечай"


def turn(command, size):
    """A turn's body of just so many bytes."""
    body = {"session": {}, "request": {"command": command}, "version": "1.0", "meta": ""}
    room = size - len(json.dumps(body, ensure_ascii=False).encode())
    body["meta"] = "m" * max(room, 0)
    return json.dumps(body, ensure_ascii=False).encode()


def post(body, fields=""):
    head = f"POST /alice/webhook HTTP/1.1\r\nHost: relay\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


GET = b"GET /health HTTP/1.1\r\nHost: relay\r\n\r\n"


def parse(received):
    """The first whole response in `received` and how long it is, or none."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(received[:end]).decode("latin-1").lower()
    length = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0]) if "content-length:" in head else 0
    if len(received) < end + 4 + length:
        return None
    return int(head.split(" ", 2)[1]), bytes(received[end + 4:end + 4 + length]), end + 4 + length


def exchange(address, request, timeout):
    """One request on a connection of its own: status and body."""
    with socket.create_connection(address, timeout) as connection:
        connection.sendall(request)
        end = time.monotonic() + timeout
        received = bytearray()
        while True:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("the connection ended before a response")
            received += piece
            if response := parse(received):
                return response[:2]
            connection.settimeout(max(end - time.monotonic(), 0.001))


def said(body):
    return json.loads(body)["response"]["text"]


class Agent:
    """A WebSocket client with no more than the relay's agent needs."""

    def __init__(self, address, key=KEY, timeout=5.0, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.unread = bytearray()
        try:
            self.socket.connect(address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            nonce = base64.b64encode(os.urandom(16)).decode()
            self.socket.sendall((
                f"GET /ws HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n"
                f"Authorization: Bearer {key}\r\n\r\n"
            ).encode())
            while b"\r\n\r\n" not in self.unread:
                self._receive()
            end = self.unread.index(b"\r\n\r\n") + 4
            self.status = int(self.unread.split(b" ", 2)[1])
            del self.unread[:end]
        except BaseException:
            self.socket.close()
            raise
        if self.status != 101:
            self.socket.close()

    def _receive(self):
        piece = self.socket.recv(262144)
        if not piece:
            raise ConnectionError("the relay closed the link")
        self.unread += piece

    def frames(self):
        """The frames that are here already: kind and payload."""
        while len(self.unread) >= 2:
            kind, length, start = self.unread[0] & 15, self.unread[1] & 127, 2
            if length == 126:
                if len(self.unread) < 4:
                    return
                length, start = struct.unpack_from(">H", self.unread, 2)[0], 4
            elif length == 127:
                if len(self.unread) < 10:
                    return
                length, start = struct.unpack_from(">Q", self.unread, 2)[0], 10
            if len(self.unread) < start + length:
                return
            payload = bytes(self.unread[start:start + length])
            del self.unread[:start + length]
            yield kind, payload

    def wait(self):
        """Waits for something to come; the frames of it."""
        self._receive()
        return list(self.frames())

    def echo(self, seen=None, prefix=""):
        """Answers what has come next with its own text behind a prefix; false when the relay says goodbye."""
        out = bytearray()
        for kind, payload in self.wait():
            if kind == 1:
                command = json.loads(payload)
                if seen:
                    seen(command["text"])
                if not command["text"].startswith(HOLD):
                    out += frame(1, answer(command["id"], prefix + command["text"]))
            elif kind == 9:
                out += frame(10, payload)
            elif kind == 8:
                return False
        if out:
            self.socket.sendall(out)
        return True

    def close(self):
        try:
            self.socket.sendall(frame(8, b"\x03\xe8"))
        except OSError:
            pass
        self.socket.close()


def answer(number, text):
    return json.dumps({"id": number, "text": text}, ensure_ascii=False).encode()


def frame(kind, payload):
    """A client's frame. Masked with zeros, which is as good as any mask here."""
    if len(payload) < 126:
        head = struct.pack(">BB", 128 | kind, 128 | len(payload))
    elif len(payload) < 65536:
        head = struct.pack(">BBH", 128 | kind, 254, len(payload))
    else:
        head = struct.pack(">BBQ", 128 | kind, 255, len(payload))
    return head + b"\0\0\0\0" + payload


class Probe:
    """A process that asks /health and says commands of 300 bytes and of 1.6 KB, 20 times a second each,
    every one on a connection of its own as nginx would, and that is the agent too unless told otherwise."""

    def __init__(self, address, with_agent=True, told_is_fine=False):
        context = multiprocessing.get_context("fork")
        self.stopping = context.Event()
        self.last_bad = context.Value("d", 0.0)
        self.good_in_a_row = context.Value("i", 0)
        self.results, sender = context.Pipe(duplex=False)
        self.process = context.Process(
            target=self._run, args=(address, with_agent, told_is_fine, sender), daemon=True)
        self.process.start()
        sender.close()

    def wait_until_calm(self, seconds, in_a_row=20):
        """Waits for so many good answers in a row from now on; whether they came."""
        with self.good_in_a_row.get_lock():
            self.good_in_a_row.value = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.good_in_a_row.value >= in_a_row:
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        """What was seen."""
        self.stopping.set()
        seen = self.results.recv()
        self.process.join()
        return seen

    def _run(self, address, with_agent, told_is_fine, sender):
        health, turns, strange = [], [], []

        def note(good):
            with self.good_in_a_row.get_lock():
                self.good_in_a_row.value = self.good_in_a_row.value + 1 if good else 0

        def ask_health():
            while not self.stopping.wait(0.05):
                begun = time.monotonic()
                try:
                    status, _ = exchange(address, GET, 5)
                    problem = None if status == 200 else f"status {status}"
                except (OSError, ValueError) as error:
                    problem = str(error) or type(error).__name__
                took = time.monotonic() - begun
                health.append((begun, took, problem))
                note(problem is None and took < 1)

        def say(size):
            number = 0
            while not self.stopping.wait(0.05):
                number += 1
                command = f"проба {size} {number}"
                begun = time.monotonic()
                try:
                    status, body = exchange(address, post(turn(command, size)), 8)
                    text = said(body) if status == 200 else f"status {status}"
                except (OSError, ValueError, KeyError) as error:
                    text = f"lost: {error or type(error).__name__}"
                if text == command:
                    outcome = "own"
                elif text in TOLD:
                    outcome = "told"
                elif text.startswith(("status 5", "lost")):
                    outcome = "lost"
                else:
                    outcome = "crossed"
                turns.append((begun, time.monotonic() - begun, outcome, text))
                note(outcome == "own" or told_is_fine and outcome == "told")

        def be_the_agent():
            def seen(text):
                if not text.startswith(("проба ", "ход ", HOLD)):
                    strange.append(text)

            while not self.stopping.is_set():
                try:
                    agent = Agent(address)
                    if agent.status == 101:
                        agent.socket.settimeout(60)
                        agents.append(agent)
                        while agent.echo(seen):
                            pass
                except (OSError, ValueError):
                    pass
                self.stopping.wait(RECONNECT_AFTER)

        agents = []
        threads = [threading.Thread(target=ask_health)]
        threads += [threading.Thread(target=say, args=(size,)) for size in (300, 1600)]
        for thread in threads:
            thread.start()
        if with_agent:
            threading.Thread(target=be_the_agent, daemon=True).start()
        for thread in threads:
            thread.join()
        sender.send((health, turns, strange))
        sender.close()
        os._exit(0)


class Seen:
    """What a probe saw, from the moment that the case began."""

    def __init__(self, results, since):
        health, turns, self.strange = results
        self.health = [entry for entry in health if entry[0] >= since]
        self.turns = [entry for entry in turns if entry[0] >= since]
        took = [entry[1] for entry in self.health if entry[2] is None]
        self.median = statistics.median(took) if took else float("inf")
        self.worst = max((entry[1] for entry in self.health), default=float("inf"))
        self.unhealthy = [entry for entry in self.health if entry[2] is not None]

    def count(self, outcome):
        return sum(entry[2] == outcome for entry in self.turns)

    def only(self, since, until=float("inf")):
        """The same of what began from a later moment on, up to another."""
        health, turns = ([entry for entry in entries if entry[0] < until] for entries in (self.health, self.turns))
        return Seen((health, turns, self.strange), since)

    def is_calm(self, worst=1):
        """Every way in which it was not; `worst` is the most seconds that /health may take."""
        bad = []
        if self.unhealthy:
            bad.append(f"{len(self.unhealthy)} times no /health: {self.unhealthy[0][2]}")
        if self.median > 0.1:
            bad.append(f"/health {self.median * 1000:.0f} ms at the median")
        if self.worst > worst:
            bad.append(f"/health {self.worst * 1000:.0f} ms at worst")
        for outcome in ("told", "lost", "crossed"):
            if self.count(outcome):
                text = next(entry[3] for entry in self.turns if entry[2] == outcome)
                bad.append(f"{self.count(outcome)} turns {outcome}: {text[:60]}")
        return bad + self.always()

    def always(self):
        """What may not be in any case."""
        bad = [f"{self.count('crossed')} turns crossed"] if self.count("crossed") else []
        if self.strange:
            bad.append(f"the agent got what nobody said: {self.strange[0][:60]!r}")
        return bad

    def back_after(self, moment):
        """Seconds from `moment` until the first good answer after the last bad one: /health and turns."""
        def seconds(entries):
            bad = [begun + took for begun, took, good in entries if not good]
            if not bad:
                return 0.0
            good = [begun + took for begun, took, good in entries if good and begun + took > max(bad)]
            return max(min(good) - moment, 0.0) if good else float("inf")

        health = seconds([(b, t, p is None and t < 1) for b, t, p in self.health])
        turns = seconds([(b, t, o == "own") for b, t, o, _ in self.turns])
        return health, turns
