"""What is thrown at Smart Home: wrong pairing codes, forged tokens, and actions while the agent dies."""
import collections
import json
import random
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

from attacks import connect
from honest import TOLD, Agent, answer, exchange, frame, parse, post, said, turn

SECRET = "smart-home-secret_0c5be2a94f"
SETTINGS = {"SMART_HOME_SECRET": SECRET}
ASKED = {
    "state": "https://social.yandex.ru/broker2/authz_in_web/0123456789abcdef0123456789abcdef/callback",
    "redirect_uri": "https://social.yandex.net/broker/redirect",
    "response_type": "code",
    "client_id": "home-alice",
}
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Yandex waits for an action 3 s at most.
PATIENCE = 3.0
# How many commands an agent answers before it dies, and how long it is gone.
LIFE, AWAY = 400, 0.05


def request(method, path, body=b"", fields=""):
    head = f"{method} /smart-home{path} HTTP/1.1\r\nHost: relay\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def form(path, pairs):
    return request("POST", path, urllib.parse.urlencode(pairs).encode(),
                   "Content-Type: application/x-www-form-urlencoded\r\n")


def typed(code):
    """The page's form with this pairing code."""
    return form("/authorize", {**ASKED, "pairing_code": code})


def devices_asked(token):
    return request("GET", "/v1.0/user/devices", fields=f"Authorization: Bearer {token}\r\n")


def link(world):
    """From `pair` to the tokens."""
    direct = ("127.0.0.1", world.port)
    run = lambda *words: subprocess.run([world.program, *words], env=world.settings, check=True, timeout=20,
                                        stdout=subprocess.PIPE, text=True).stdout
    with socket.create_connection(direct, 5) as connection:
        connection.sendall(typed(run("pair").split("\n")[0]))
        page = connection.recv(65536).decode()
    code = re.search(r" href=\"[^\"]+[?]code=([^&\"]+)", page)[1]
    printed = run("setup", "--domain", "your-domain.com")
    secret = next(line for line in printed.splitlines() if "Секрет приложения:" in line).split()[-1]
    status, body = exchange(direct, form("/token", {
        "grant_type": "authorization_code", "code": code, "redirect_uri": ASKED["redirect_uri"],
        "client_id": "home-alice", "client_secret": secret}), 5)
    assert status == 200, (status, body)
    return json.loads(body)


def wrong_codes(address, count):
    """So many pairing codes that nobody was given, each on a connection of its own. Each is told to be wrong."""
    dice, told = random.Random(count), 0
    for _ in range(count):
        status, body = exchange(address, typed("".join(dice.choices(ALPHABET, k=12))), 8)
        told += status == 200 and "Код неверный".encode() in body
    return {"told": told}


def forged_tokens(address, count, tokens):
    """So many tokens that were never given out: one character changed, cut off, another kind's, or made up."""
    dice, refused, access = random.Random(count), 0, tokens["access_token"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for number in range(count):
        at = number // 4 % len(access)
        token = (
            access[:at] + dice.choice(letters.replace(access[at], "")) + access[at + 1:],
            access[:at],
            tokens["refresh_token"][:at] + access[at:] if at else tokens["refresh_token"],
            "".join(dice.choices(letters, k=len(access))),
        )[number % 4]
        refused += exchange(address, devices_asked(token), 8)[0] == 401
    return {"refused": refused}


def works(row, world, tokens):
    """After all that, nobody is locked out."""
    status, _ = exchange(world.address, devices_asked(tokens["access_token"]), 8)
    row.judge([] if status == 200 else [f"a good token gets {status}"])


def devices_file(clients):
    """A device for each client, whose commands tell both its client and what was asked for. Returns the path."""
    devices = [{"id": f"c{number}", "name": f"Компьютер {number}", "type": "media_device",
                "volume_up_by": f"клиент {number}: громче на {{step}}"} for number in range(clients)]
    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="relay-soak-", delete=False) as file:
        json.dump(devices, file, ensure_ascii=False)
    return file.name


def dying(address, over):
    """An agent that answers, dies without a word over commands that it has not answered, and is back a moment later.
    How often it has got each command."""
    got, agents = collections.Counter(), 0
    while not over.is_set():
        try:
            agent = Agent(address)
            agents += agent.status == 101
            agent.socket.settimeout(0.2)
            left = LIFE
            while left > 0 and not over.is_set():
                try:
                    frames = agent.wait()
                except TimeoutError:
                    continue
                out = bytearray()
                for kind, payload in frames:
                    if kind == 1:
                        command = json.loads(payload)
                        got[command["text"]] += 1
                        left -= 1
                        if left > 0:
                            out += frame(1, answer(command["id"], command["text"]))
                    elif kind == 9:
                        out += frame(10, payload)
                agent.socket.sendall(out)
            # A reset, as when a machine is gone and another has its address.
            agent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            agent.socket.close()
        except (OSError, ValueError):
            pass
        over.wait(AWAY)
    return {"agents": agents, "got": dict(got)}


def actions(address, clients, count, token):
    """So many actions, each client with one under way, and a turn after every fourth on the same connection."""
    total, lock = collections.Counter(), threading.Lock()
    done, withheld, strange, slowest = [], [], [], [0.0]

    def client(number):
        kinds, own_done, own_not, worst = collections.Counter(), [], [], 0.0
        connection = None

        def ask(data):
            nonlocal connection, worst
            if connection is None:
                connection = connect(address, number)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(10)
            begun, received = time.monotonic(), bytearray()
            connection.sendall(data)
            while not (response := parse(received)):
                piece = connection.recv(65536)
                if not piece:
                    raise ConnectionError("the connection ended before a response")
                received += piece
            worst = max(worst, time.monotonic() - begun)
            if b"\r\nconnection: close\r\n" in received.lower():
                connection.close()
                connection = None
            return response[:2]

        for step in range(1, count // clients + 1):
            try:
                result = act(ask, number, step, token)
                kinds[result] += 1
                command = f"клиент {number}: громче на {step / 1000:g}"
                (own_done if result == "DONE" else own_not).append(command)
                if result == "DEVICE_UNREACHABLE":
                    # As a person who tries again, not as fast as a machine can.
                    time.sleep(AWAY / 2)
                if step % 4 == 0:
                    words = f"ход {number} {step}"
                    status, body = ask(post(turn(words, 300)))
                    text = said(body) if status == 200 else str(status)
                    kinds["turns " + ("own" if text == words else "told" if text in TOLD else "crossed")] += 1
            except (OSError, ValueError, KeyError, IndexError) as error:
                kinds["lost"] += 1
                with lock:
                    strange.append(repr(error))
                if connection:
                    connection.close()
                connection = None
        if connection:
            connection.close()
        with lock:
            total.update(kinds)
            done.extend(own_done)
            withheld.extend(own_not)
            slowest[0] = max(slowest[0], worst)

    begun = time.monotonic()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"kinds": dict(total), "done": done, "not": withheld, "strange": strange[:3], "slowest": slowest[0],
            "a second": round(count / (time.monotonic() - begun))}


def act(ask, number, step, token):
    """What came of one action: DONE, an error's code, or «crossed» when it is no answer to this one."""
    name = f"r{number}-{step}"
    capability = {"type": "devices.capabilities.range",
                  "state": {"instance": "volume", "relative": True, "value": step / 1000}}
    body = json.dumps({"payload": {"devices": [{"id": f"c{number}", "capabilities": [capability]}]}}).encode()
    status, body = ask(request("POST", "/v1.0/user/devices/action", body,
                               f"Authorization: Bearer {token}\r\nX-Request-Id: {name}\r\n"))
    if status != 200:
        return f"status {status}"
    found = json.loads(body)
    [device] = found["payload"]["devices"]
    if (found["request_id"], device["id"]) != (name, f"c{number}"):
        return "crossed"
    result = device["capabilities"][0]["state"]["action_result"]
    return result.get("error_code", result["status"])


def problems(asked, came, agents):
    """What is wrong with what came of the actions, held against what the agents have got."""
    kinds, got = came["kinds"], agents["got"]
    results = {kind: number for kind, number in kinds.items() if not kind.startswith("turns ")}
    bad = [f"{number} actions {kind}" for kind, number in results.items() if kind not in ("DONE", "DEVICE_UNREACHABLE")]
    bad += came["strange"]
    if sum(results.values()) != asked:
        bad.append(f"{sum(results.values())} results for {asked} actions")
    if kinds.get("turns crossed"):
        bad.append(f"{kinds['turns crossed']} turns crossed")
    if twice := [text for text, times in got.items() if times > 1]:
        bad.append(f"{len(twice)} commands came twice: {twice[0]}")
    if never := [text for text in came["done"] if text not in got]:
        bad.append(f"{len(never)} actions DONE that no agent got: {never[0]}")
    known = set(came["done"]).union(came["not"])
    if nobodys := [text for text in got if text.startswith("клиент ") and text not in known]:
        bad.append(f"{len(nobodys)} commands that nobody asked for: {nobodys[0]}")
    # The agent is gone for a part of the time only.
    if kinds.get("DONE", 0) < asked // 2:
        bad.append(f"only {kinds.get('DONE', 0)} actions DONE")
    if not kinds.get("DEVICE_UNREACHABLE"):
        bad.append("no action met an agent that was gone")
    if came["slowest"] > PATIENCE:
        bad.append(f"one was answered after {came['slowest']:.1f} s")
    return bad
