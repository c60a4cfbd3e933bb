"""Agents in Python against the real relay. Started by `run`."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import websockets

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "container"))
from document import OF_AGENTS, Document, pattern  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RELAY = sys.argv[1]
# Cargo builds it with the tests.
CHECK_AGENT = Path(RELAY).parent / "examples" / "check_agent"
# A Python with the newest websockets; the one that runs this has the original agent's.
NEWEST = sys.argv[2]
KEY = "0123456789abcdef0123456789abcdef"
NOTEBOOK = "key-of-the-notebook"
SECRET = "webhook-secret_0123456789"
SCHEMA = json.loads((ROOT / "docs" / "agents.schema.json").read_text())
AGENTS = {"the original's loop": "tests/container/agent.py", "examples/agent.py": "examples/agent.py"}


def fits(name: str, message) -> None:
    """The message is what the schema calls by this name."""
    jsonschema.validate(message, {"$ref": f"#/$defs/{name.replace(' ', '%20')}", "$defs": SCHEMA["$defs"]})


def value(line: str, name: str) -> str | None:
    return line.removeprefix(name).strip() if line.startswith(name) else None


def agent(path: str, url: str, key: str, python=sys.executable, **more: str) -> subprocess.Popen:
    environment = {**os.environ, "SERVER_URL": url, "API_KEY": key, **more}
    return subprocess.Popen([python, ROOT / path], env=environment, stdout=subprocess.PIPE, text=True)


def passes(path: str, python=sys.executable) -> None:
    """An agent holds all that examples/check_agent.rs demands."""
    check = subprocess.Popen(
        [CHECK_AGENT, "--yes"], env={"LISTEN_ADDR": "127.0.0.1:0"}, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(120, check.kill)
    timer.start()
    url = key = running = None
    judged = []
    try:
        for line in check.stdout:
            url, key = url or value(line, "server_url: "), key or value(line, "api_key: ")
            if url and key and not running:
                running = agent(path, url, key, python)
            if line[0] in "✔✘":
                judged.append(line.strip())
        code = check.wait()
    finally:
        timer.cancel()
        check.kill()
        if running:
            running.kill()
    assert code == 0 and len(judged) >= 9, (path, code, judged)
    assert any("`until`" in line for line in judged) == (path == "examples/agent.py"), judged


class Relay:
    def __init__(self, **settings: str):
        self.settings = settings

    def __enter__(self):
        environment = {"API_KEY": KEY, "WEBHOOK_SECRET": SECRET, "LISTEN_ADDR": "127.0.0.1:0", **self.settings}
        self.process = subprocess.Popen([RELAY], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.wait_for("Relay started on ")
        self.lines = threading.Thread(target=self.process.stdout.read, daemon=True)
        return self

    def wait_for(self, words: str):
        for line in self.process.stdout:
            if words in line:
                if words.startswith("Relay"):
                    self.port = int(line.rsplit(":", 1)[1])
                return
        raise AssertionError(f"no {words!r}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def say(self, request: dict, new=False) -> dict:
        turn = {
            "version": "1.0", "request": request, "meta": {"interfaces": {"screen": {}}},
            "session": {"new": new, "session_id": "s-1", "user": {"user_id": "me"}},
        }
        url = f"http://127.0.0.1:{self.port}/alice/webhook/{SECRET}"
        with urllib.request.urlopen(url, json.dumps(turn).encode(), timeout=20) as response:
            return json.load(response)["response"]


def said(words: str) -> dict:
    return {"type": "SimpleUtterance", "command": words, "nlu": {"tokens": words.split()}}


def example_answers() -> None:
    """examples/agent.py answers a turn, and an unknown command."""
    with Relay() as relay:
        running = agent("examples/agent.py", f"ws://127.0.0.1:{relay.port}/ws", KEY)
        try:
            assert running.stdout.readline() == "connected\n"
            assert "Питон" in relay.say(said("системная информация"))["text"]
            reply = relay.say(said("сделай кофе"), new=True)
            assert reply["text"] == "Вы сказали: сделай кофе" and reply["end_session"], reply
        finally:
            running.kill()


def example_works_one_after_another() -> None:
    """examples/agent.py carries out one command after another, and refuses beside the work what comes too late."""

    async def serve(socket):
        now = int(time.time() * 1000)
        await socket.send(json.dumps({"now": now}))
        for number in range(20):
            await socket.send(json.dumps({"id": str(number), "text": "раз", "now": now, "until": now + 60_000}))
        answers = [json.loads(await socket.recv()) for _ in range(20)]
        assert [answer["id"] for answer in answers] == [str(number) for number in range(20)], answers
        for times, is_done in ((1, False), (8, True)):
            # A relay's clock that is behind: once it was read late, as after a sleep; eight times it was paused.
            for _ in range(times):
                await socket.send(json.dumps({"now": now - 60_000}))
            command = {"id": f"t{times}", "text": "раз", "now": now - 60_000, "until": now - 56_000}
            await socket.send(json.dumps(command))
            answer = json.loads(await socket.recv())
            assert answer["id"] == command["id"] and answer["ok"] == is_done, answer

    async def play():
        done = asyncio.get_running_loop().create_future()

        async def handler(socket):
            try:
                await serve(socket)
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        async with websockets.serve(handler, "127.0.0.1", 0, subprotocols=["home-alice.v2"]) as server:
            port = server.sockets[0].getsockname()[1]
            running = agent("examples/agent.py", f"ws://127.0.0.1:{port}/ws", KEY)
            try:
                await asyncio.wait_for(done, 60)
            finally:
                running.kill()

    asyncio.run(play())


def example_lives_through_a_proxy() -> None:
    """examples/agent.py lives through a proxy of the environment that can't be used, and names its variable."""
    with Relay() as relay:
        for name, proxy in (("https_proxy", "http://127.0.0.1:9"), ("socks_proxy", "socks5://127.0.0.1:9")):
            url = f"ws://127.0.0.1:{relay.port}/ws"
            running = agent("examples/agent.py", url, KEY, NEWEST, **{name: proxy})
            timer = threading.Timer(60, running.kill)
            timer.start()
            try:
                # It says so again and again, since it goes on trying.
                for _ in range(2):
                    line = running.stdout.readline()
                    assert line.startswith("not connected: ") and name in line, line
            finally:
                timer.cancel()
                running.kill()


def from_nothing_to_connected() -> None:
    """The blocks of docs/other-agents.md that start an agent end with what is shown there."""
    document = Document(ROOT / "docs" / "other-agents.md")
    blocks = {name: text for name, text in document.blocks.items() if name.startswith(OF_AGENTS)}
    assert len(blocks) == 2, list(blocks)
    for name, text in blocks.items():
        with Relay() as relay, tempfile.TemporaryDirectory() as folder:
            where = ROOT if "cargo" in text else Path(folder)
            if where != ROOT:
                shutil.copy(ROOT / "examples" / "agent.py", where)
            url = f"ws://127.0.0.1:{relay.port}/ws"
            for shown, real in (("wss://your-domain.com/ws", url), ("ws://127.0.0.1:8080/ws", url), ("the-key", KEY)):
                text = text.replace(shown, real)
            assert url in text and KEY in text, text
            running = subprocess.Popen(
                ["bash", "-euc", text], cwd=where, stdout=subprocess.PIPE, text=True, start_new_session=True)
            timer = threading.Timer(240, os.killpg, (running.pid, signal.SIGKILL))
            timer.start()
            try:
                # pip and cargo may say something before.
                shown = pattern(document.told[name])
                assert any(re.fullmatch(shown, line.strip()) for line in running.stdout), f"{name}: never {shown}"
                relay.wait_for("Agent connected from")
            finally:
                timer.cancel()
                os.killpg(running.pid, signal.SIGKILL)


def messages_fit() -> None:
    """What the relay sends in each protocol is what the schema says, and so is what is answered."""
    pressed = {"type": "ButtonPressed", "nlu": {"tokens": ["да"]}, "payload": {"a": 1}}

    async def listen(relay, name, **options):
        headers = {"Authorization": f"Bearer {KEY}"}
        address = f"ws://127.0.0.1:{relay.port}/ws"
        async with websockets.connect(address, additional_headers=headers, **options) as socket:
            if options:
                fits("time", json.loads(await socket.recv()))
            for request in (said("громче на 10"), pressed):
                told = asyncio.create_task(asyncio.to_thread(relay.say, request))
                command = json.loads(await socket.recv())
                fits(name, command)
                answer = {"id": command["id"], "text": "да", "ok": True, "buttons": [{"title": "ещё", "hide": True}]}
                fits("answer", answer)
                await socket.send(json.dumps(answer))
                reply = await told
                assert reply["text"] == "да" and reply["buttons"][0]["title"] == "ещё", reply

    async def connect(relay, key, hello):
        address = f"ws://127.0.0.1:{relay.port}/ws?key={key}"
        socket = await websockets.connect(address, subprotocols=["home-alice.v2"])
        fits("time", json.loads(await socket.recv()))
        fits("hello", hello)
        await socket.send(json.dumps(hello))
        # Read by the relay when the pong is here.
        await (await socket.ping())
        return socket

    async def wake(relay):
        away = await connect(relay, KEY, {"agent": "a 1.0", "macs": ["AA-BB-CC-DD-EE-FF"]})
        await away.close()
        socket = await connect(relay, NOTEBOOK, {"macs": []})
        told = asyncio.create_task(asyncio.to_thread(relay.say, said("включи компьютер")))
        command = json.loads(await socket.recv())
        fits("second command", command)
        assert command["wake"] == ["aa:bb:cc:dd:ee:ff"], command
        await socket.send(json.dumps({"id": command["id"], "text": "бужу"}))
        assert (await told)["text"] == "бужу"
        await socket.close()

    with Relay() as relay:
        asyncio.run(listen(relay, "first command"))
        asyncio.run(listen(relay, "second command", subprotocols=["home-alice.v2"]))
    with Relay(AGENTS=f"ноутбук={NOTEBOOK}") as relay:
        asyncio.run(wake(relay))


def examples_fit() -> None:
    """Every message of docs/agents.md is one that the schema knows."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "agents.md").read_text(), re.S)
    names = ["join request", "join answer", "first command", "time", "second command", "second command", "answer", "answer", "hello",
             "second command"]  # fmt: skip
    assert len(blocks) == len(names), len(blocks)
    for block, name in zip(blocks, names):
        fits(name, json.loads(block))
    for wrong, name in (({"id": "a"}, "join request"), ({"key": ""}, "join answer"), ({"id": 5, "text": ""}, "first command"),
                        ({"id": "a"}, "answer"), ({}, "second command"), ({"x": 1}, "hello")):  # fmt: skip
        try:
            fits(name, wrong)
        except jsonschema.ValidationError:
            continue
        raise AssertionError(f"{wrong} passes for a {name}")


def main() -> None:
    done = 0
    # Each waits most of its time for an agent that comes again.
    with ThreadPoolExecutor() as checks:
        passing = {f"{name} passes check_agent": checks.submit(passes, path) for name, path in AGENTS.items()}
        newest = checks.submit(passes, "examples/agent.py", NEWEST)
        passing["examples/agent.py passes check_agent with the newest websockets"] = newest
        for what, check in passing.items():
            check.result()
            print(what, flush=True)
            done += 1
    checks = (example_answers, example_works_one_after_another, example_lives_through_a_proxy,
              from_nothing_to_connected, messages_fit, examples_fit)
    for check in checks:
        check()
        print(check.__doc__.splitlines()[0], flush=True)
        done += 1
    print(f"{done} passed, 0 failed")


main()
