"""What is thrown at the relay. Every attack is bounded in count and time, and runs in a process of its own.

Each takes the address to attack and how much, and gives back a dictionary of what it measured, if anything.
"""
import errno
import json
import random
import select
import socket
import subprocess
import time

from honest import GET, HOLD, KEYS, PCS, TOLD, TOLD_OF_ONE, Agent, answer, exchange, frame, parse, post, said, turn

# The command that stands where no request is.
SMUGGLED = post(turn("контрабанда", 300))
HEAD = b"POST /alice/webhook HTTP/1.1\r\nHost: relay\r\n"


def connect(address, number=0):
    """A connection from one of many loopback addresses, so that ports don't run out."""
    connection = socket.socket()
    connection.settimeout(5)
    # IP_BIND_ADDRESS_NO_PORT: the port is picked by connect, which knows where to.
    connection.setsockopt(socket.IPPROTO_IP, 24, 1)
    connection.bind((f"127.0.1.{number % 250 + 1}", 0))
    connection.connect(address)
    return connection


def send(connection, data):
    """Sends what the other side takes; whether it took all."""
    try:
        connection.sendall(data)
        return True
    except OSError:
        return False


def end_of_sending(connection):
    """Tells the other side that nothing more comes, if it is still there."""
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def drain(connection, seconds):
    """Reads until the connection ends, but not longer; what came."""
    end = time.monotonic() + seconds
    received = bytearray()
    try:
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    except OSError:
        pass
    return received


# What a bad length or a bad body may look like; behind each one a command that must not get through.
BAD_LENGTHS = {
    "10^12": HEAD + b"Content-Length: 1000000000000\r\n\r\n{" + SMUGGLED,
    "2^64-1": HEAD + b"Content-Length: 18446744073709551615\r\n\r\n{" + SMUGGLED,
    "+2": HEAD + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
    "abc": HEAD + b"Content-Length: abc\r\n\r\n" + SMUGGLED,
    "two": HEAD + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}" + SMUGGLED,
    "with Transfer-Encoding": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "1 GB": HEAD + b"Content-Length: 1000000000\r\n\r\n{" + SMUGGLED,
    "cut short": HEAD + b"Content-Length: 2000\r\n\r\n{",
    "broken chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n" + SMUGGLED,
    "endless chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
}


def bad_lengths(address, each):
    """So many of each, 200 at a time. A client stays until it is answered or cut, a single one for 2 s, one of
    many for a tenth of a second."""
    for kind, data in BAD_LENGTHS.items():
        left = each
        while left > 0:
            batch = []
            for number in range(min(left, 200)):
                try:
                    batch.append(connect(address, number))
                except OSError:
                    time.sleep(0.01)  # Nobody listens just now; the count goes on, so this ends.
            left -= 200
            for connection in batch:
                if send(connection, data) and kind == "cut short":
                    end_of_sending(connection)
            wait = time.monotonic() + (2 if each == 1 else 0.1)
            for connection in batch:
                drain(connection, max(wait - time.monotonic(), 0.001))
                connection.close()


def refused(address, count):
    """So many bodies that are too long, one after another."""
    body = post(b" " * 70_000)
    answers = 0
    for _ in range(count):
        try:
            answers += exchange(address, body, 2)[0] == 413
        except OSError:
            pass  # The answer may be lost when the client is still sending.
    return {"refusals": answers}


def gigabyte(address, megabytes):
    """A body of so many MB that is really sent, as far as it is taken."""
    connection = connect(address)
    connection.settimeout(1)
    send(connection, HEAD + b"Content-Length: %d\r\n\r\n" % (megabytes * 1000000))
    piece = b" " * 1000000
    sent = sum(1 for _ in range(megabytes) if connection.fileno() >= 0 and send(connection, piece) or connection.close())
    drain(connection, 20) if connection.fileno() >= 0 else None
    connection.close()
    return {"MB sent": sent}


def upgrades(address, count):
    """Connections that ask to be upgraded, held for 5 s."""
    body = turn(HOLD, 300)
    kinds = [
        b"GET /health HTTP/1.1\r\nHost: relay\r\nConnection: upgrade\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: relay\r\nConnection: upgrade\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: relay\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        post(turn("", 300), "Connection: upgrade\r\n"),
        HEAD + b"Connection: upgrade\r\nContent-Length: 2000\r\n\r\n{",
        post(body, "Connection: upgrade\r\n"),
    ]
    crowd = [connect(address, number) for number in range(count)]
    for number, connection in enumerate(crowd):
        send(connection, kinds[number % len(kinds)])
    hold(crowd, 5)


def hold(crowd, seconds, tick=None):
    """Keeps connections open for so long, without reading."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 1))
        if tick:
            tick()
    for connection in crowd:
        connection.close()


def endless(address, kind, megabytes):
    """One head that doesn't end."""
    beginning, piece = {
        "one header": (b"GET /health HTTP/1.1\r\nHost: relay\r\nX: ", b"a" * 1000000),
        "headers": (b"GET /health HTTP/1.1\r\nHost: relay\r\n", b"X: y\r\n" * 1000),
        "request line": (b"GET /", b"a" * 1000000),
    }[kind]
    connection = connect(address)
    send(connection, beginning)
    sent = 0
    for _ in range(megabytes * 1000000 // len(piece)):
        if not send(connection, piece):
            break
        sent += len(piece)
    if kind == "headers":
        send(connection, b"\r\n")
    drain(connection, 1)
    connection.close()
    return {"MB taken": sent / 1e6}


def versions(address, count):
    """Request lines of HTTP/2.0 and 3.0, 100 at a time."""
    for start in range(0, count, 100):
        batch = []
        for number in range(start, min(start + 100, count)):
            try:
                batch.append(connect(address, number))
            except OSError:
                time.sleep(0.01)
        for number, connection in enumerate(batch):
            send(connection, b"GET /health HTTP/%d.0\r\nHost: relay\r\n\r\n" % (2 + number % 2))
        for connection in batch:
            connection.close()


SLOW = ("silent", "half a head", "half a body", "byte a second")


def slow(address, kinds, count, seconds):
    """So many connections that let the relay wait, for so long. Those that are cut are not made again."""
    crowd = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        try:
            connection = connect(address, number)
        except OSError:
            continue
        crowd.append((kind, connection))
        if kind == "half a head":
            send(connection, b"GET /health HTTP/1.1\r\nHost: re")
        elif kind == "half a body":
            send(connection, HEAD + b"Content-Length: 2000\r\n\r\n{")
        elif kind == "byte a second":
            send(connection, b"GET /health HTTP/1.1\r\nX: ")

    def tick():
        for kind, connection in crowd:
            if kind == "byte a second" and connection.fileno() >= 0 and not send(connection, b"a"):
                connection.close()

    hold([connection for _, connection in crowd], seconds, tick)


def slowhttptest(address, count, seconds):
    """Its four modes at once: slow heads, slow bodies, ranges, slow reading."""
    url = f"http://{address[0]}:{address[1]}"
    modes = [
        ["-H", "-u", f"{url}/health", "-i", "1"],
        ["-B", "-u", f"{url}/alice/webhook", "-i", "1", "-s", "60000"],
        ["-R", "-u", f"{url}/health", "-a", "1", "-b", "300"],
        ["-X", "-u", f"{url}/health", "-n", "1", "-w", "1", "-y", "2", "-k", "3"],
    ]
    running = [
        subprocess.Popen(
            ["slowhttptest", *mode, "-c", str(count // 4), "-r", "200", "-l", str(seconds), "-p", "2"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for mode in modes
    ]
    for process in running:
        try:
            process.wait(seconds + 20)
        except subprocess.TimeoutExpired:
            process.kill()


def bursts(address, clients, rounds):
    """Rounds of fresh keep-alive connections, all at once; how long each waited for its answer."""
    took, unanswered = [], 0
    dice = random.Random(4)
    for _ in range(rounds):
        poll = select.epoll()
        waiting = {}
        for number in range(clients):
            connection = socket.socket()
            connection.setblocking(False)
            begun = time.monotonic()
            if connection.connect_ex(address) not in (0, errno.EINPROGRESS):
                unanswered += 1
                connection.close()
                continue
            waiting[connection.fileno()] = (connection, begun, bytearray())
            poll.register(connection, select.EPOLLOUT)
        answered = []
        end = time.monotonic() + 5
        while waiting and time.monotonic() < end:
            for number, event in poll.poll(0.1):
                connection, begun, received = waiting[number]
                try:
                    if event & select.EPOLLOUT:
                        connection.send(GET)
                        poll.modify(number, select.EPOLLIN)
                        continue
                    received += connection.recv(65536)
                except OSError:
                    poll.unregister(number)
                    waiting.pop(number)
                    unanswered += 1
                    continue
                if parse(received):
                    took.append(time.monotonic() - begun)
                    poll.unregister(number)
                    answered.append(waiting.pop(number)[0])
        unanswered += len(waiting)
        # Only now does any of them end: until then nothing but the relay frees a stranded one.
        for connection in answered + [connection for connection, _, _ in waiting.values()]:
            connection.close()
        poll.close()
        # The next comes at any moment of the pool's life.
        time.sleep(dice.choice((0, 0.005, 0.05, 0.15)))
    took.sort()
    return {
        "answered": len(took), "unanswered": unanswered, "median": took[len(took) // 2],
        "99 %": took[len(took) * 99 // 100], "worst": took[-1], "over 20 ms": sum(t > 0.02 for t in took),
    }


def never_reading(address, count):
    """So many requests on one connection whose answers are never read: whether the client was cut, or held by TCP."""
    connection = connect(address)
    connection.settimeout(2)
    taken = 0
    for _ in range(count // 1000):
        if not send(connection, GET * 1000):
            break
        taken += 1000
    time.sleep(2)
    # A reset shows although nothing is read.
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    end = "cut" if poll.poll(0) else "held"
    connection.close()
    return {"end": end, "requests sent": taken}


# What a client may pipeline. The turns have no command, so that no agent is asked.
FLOOD = {
    "GET": b"GET /x HTTP/1.1\r\nHost: relay\r\n\r\n",
    "HEAD": b"HEAD /health HTTP/1.1\r\nHost: relay\r\n\r\n",
    "POST": post(turn("", 1024)),
    "POST of 64 KiB": post(turn("", 65536)),
}


def flood(address, kinds, connections, seconds):
    """So many connections that pipeline requests and read the answers. One that is cut is made again."""
    requests = b"".join(FLOOD[kind] for kind in kinds)
    # About as much as fits into a socket at once.
    requests *= max(131072 // len(requests), 1)
    poll = select.epoll()
    crowd = {}
    answers = cuts = 0

    def join(number):
        connection = connect(address, number)
        connection.setblocking(False)
        crowd[connection.fileno()] = [connection, number, memoryview(requests), b""]
        poll.register(connection, select.EPOLLIN | select.EPOLLOUT)

    for number in range(connections):
        join(number)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for descriptor, event in poll.poll(0.1):
            client = crowd[descriptor]
            connection, number, left, tail = client
            try:
                if event & ~select.EPOLLOUT:
                    piece = connection.recv(262144)
                    if not piece:
                        raise ConnectionError
                    # The end of a piece may be the beginning of an answer.
                    answers += (tail + piece).count(b"HTTP/1.1 ")
                    client[3] = piece[-8:]
                if event & select.EPOLLOUT:
                    left = left[connection.send(left):]
                    client[2] = left or memoryview(requests)
            except BlockingIOError:
                pass
            except OSError:
                cuts += 1
                poll.unregister(connection)
                crowd.pop(descriptor)[0].close()
                join(number)
    for connection, *_ in crowd.values():
        connection.close()
    return {"answers": answers, "cuts": cuts}


def behind_a_turn(address, connections):
    """A turn that waits for its deadline and 50 requests behind it, on each of so many connections."""
    crowd = [connect(address, number) for number in range(connections)]
    for number, connection in enumerate(crowd):
        send(connection, post(turn(f"{HOLD} {number}", 300)) + GET * 50)
    whole = 0
    for connection in crowd:
        received = drain(connection, 6 if connection is crowd[0] else 0.2)
        whole += received.count(b"HTTP/1.1 200")
        connection.close()
    return {"answers": whole}


def descriptors(address, count):
    """More connections than there are descriptors, held for 5 s."""
    crowd = []
    for number in range(count):
        try:
            crowd.append(connect(address, number))
        except OSError:
            time.sleep(0.01)
    hold(crowd, 5)


def agents(address, count, key):
    """Agents that connect one after another."""
    let_in = 0
    for number in range(count):
        agent = Agent(address, key)
        let_in += agent.status == 101
        agent.close()
    return {"let in": let_in}


def load(address, clients, turns, seconds=600, pcs=()):
    """So many turns from clients that keep their connections, each with one turn under way; what they were
    told. Every answer is held against its own question. A turn is lost when its connection ended before its
    answer, and refused when nobody was there to take it: a killed relay's listening socket outlives the
    connections by a moment, so one that has never had an answer may have been taken by nobody. With `pcs` each
    turn names one of them, at its beginning or its end, and only that one's answer is its own."""
    poll = select.epoll()
    kinds = {"own": 0, "told": 0, "crossed": 0, "lost": 0, "refused": 0}
    by_number = {}
    to_open = list(range(clients))
    begun_turns = 0
    begun = time.monotonic()

    def say(client):
        nonlocal begun_turns
        begun_turns += 1
        client["command"] = words = f"ход {begun_turns}"
        client["received"].clear()
        if pcs:
            # Any of them in turn, by a step that has no divisor in common with how many they are.
            client["pc"] = name = pcs[begun_turns * 7 % len(pcs)]
            client["command"] = f"{name}: {words}"
            # «на гараже», «на кухне», «на гостиной», «на мастерской»: the forms are tested elsewhere.
            words = f"{name} {words}" if begun_turns % 2 else f"{words} на {name}"
        client["socket"].sendall(post(turn(words, 300 if begun_turns % 2 else 1600)))

    def open_one(number):
        connection = connect(address, number)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = {"socket": connection, "received": bytearray(), "command": "", "number": number,
                  "known": False}
        by_number[connection.fileno()] = client
        poll.register(connection, select.EPOLLIN)
        try:
            say(client)
        except OSError:
            kinds["refused"] += 1
            close(client)

    def close(client):
        poll.unregister(client["socket"])
        by_number.pop(client["socket"].fileno())
        client["socket"].close()
        if begun_turns < turns:
            to_open.append(client["number"])

    def take(client, status, body):
        text = said(body) if status == 200 else ""
        if text == client["command"]:
            return "own"
        name, _, rest = text.partition(": ")
        if text in TOLD or pcs and name.lower() == client["pc"] and rest in TOLD_OF_ONE:
            return "told"
        return "refused" if status == 502 else "lost" if status != 200 else "crossed"

    while (by_number or to_open and begun_turns < turns) and time.monotonic() < begun + seconds:
        opening, to_open = to_open, []
        for number in opening:
            try:
                open_one(number)
            except OSError:
                kinds["refused"] += 1
                begun_turns += 1
                to_open.append(number)
        for number, _ in poll.poll(0.01 if to_open else 1):
            client = by_number[number]
            try:
                piece = client["socket"].recv(65536)
                if not piece:
                    raise ConnectionError
                client["received"] += piece
                response = parse(client["received"])
                if not response:
                    continue
                status, body, length = response
                kinds["crossed" if len(client["received"]) > length else take(client, status, body)] += 1
                # nginx ends a connection after 1,000 requests, and says so.
                last = b"\r\nconnection: close\r\n" in client["received"].lower()
                client["command"], client["known"] = "", True
                if last or begun_turns >= turns:
                    close(client)
                else:
                    say(client)
            except OSError:
                kinds["lost" if client["known"] else "refused"] += 1
                close(client)
    kinds["unanswered"] = len(by_number)
    kinds["a second"] = round(sum(kinds.values()) / (time.monotonic() - begun))
    return kinds


def coming_and_going(address, over, every=1.0):
    """Agents that answer; a new one takes over every second, the old one answers until it is told to go."""
    import threading

    def serve(agent):
        try:
            agent.socket.settimeout(10)
            while agent.echo():
                pass
        except (OSError, ValueError):
            pass
        agent.socket.close()

    count = 0
    while True:
        try:
            agent = Agent(address)
            if agent.status == 101:
                count += 1
                threading.Thread(target=serve, args=(agent,), daemon=True).start()
        except OSError:
            pass
        if over.wait(every):
            return {"agents": count}


def household(address, over, every=0.1):
    """An agent of each PC, which answers behind its name. Again and again one is replaced; every fifth time it goes
    without a word instead, and is back a moment later."""
    import threading

    def serve(agent, name):
        try:
            agent.socket.settimeout(10)
            while agent.echo(prefix=f"{name}: "):
                pass
        except (OSError, ValueError):
            pass
        agent.socket.close()

    count, agents, gone = 0, {}, None
    while True:
        name = gone or PCS[count % len(PCS)]
        if gone is None and count > len(PCS) and count % 5 == 0:
            agents[name].socket.close()
            gone = name
        else:
            gone = None
            try:
                agent = Agent(address, KEYS[name])
                if agent.status == 101:
                    agents[name] = agent
                    threading.Thread(target=serve, args=(agent, name), daemon=True).start()
            except OSError:
                pass
        count += 1
        if over.wait(every if count > len(PCS) else 0):
            return {"agents": count}


def corpus():
    """Bodies, and whether each is a turn; none where both are right."""
    values = """0 -0 1e308 1e400 -1E-400 0.1 123456789012345678901234567890 true false null "" "\\u0000" "\\ud83d\\ude00"
        [] {} [[],[[]]] {"a":{"a":{}}} [1,2,3] "/" {"":0} {"a":1,"a":2} "\\uFFFF" "é" [null] "\\b\\f" 1E+5""".split()
    wrong = """01 +1 .5 1. 1e 1e+ 0x10 NaN Infinity - --1 1_000 tru nul TRUE 'a' " "\\x" "\\u12" [ ] [1,] [,1] { }
        {1:2} {a:1} {"a"} {"a":} {"a":1,} [1} /**/1 1// #1 undefined 1; <a/> {,} [:] {"a"::1}""".split()
    lone = ['"\\ud800"', '"\\udc00"', '"\\ud800a"', '"\\ude00\\ud83d"']
    places = [
        '{"session":{},"request":{},"x":%s}', '{"x":[%s],"session":{},"request":{}}',
        '{"session":{"x":%s},"request":{}}', '{"session":{},"request":{"command":"","nlu":%s}}',
    ]
    for place in places:
        for text, valid in [(v, True) for v in values] + [(w, False) for w in wrong] + [(v, None) for v in lone]:
            yield (place % text).encode(), valid
    for depth in (1, 127, 128, 129, 1000, 30000):
        yield (places[0] % ("[" * depth + "]" * depth)).encode(), None
        yield (places[0] % ("[" * depth)).encode(), False
    whole = turn("проба громче", 600)
    yield whole, True
    yield b"\xef\xbb\xbf" + whole, True
    for end in range(0, len(whole), 20):
        yield whole[:end], False
    for raw in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xfe\xff\0{", b"\0", b"\xef\xbb" + whole):
        yield raw, False
        yield whole.replace("громче".encode(), raw), None


def json_corpus(address, repeat):
    """The corpus as bodies, each on a connection of its own."""
    cases, wrong = 0, []
    for _ in range(repeat):
        for body, valid in corpus():
            status, _ = exchange(address, post(body), 8)
            cases += 1
            if status not in {True: (200,), False: (400,), None: (200, 400)}[valid]:
                wrong.append((status, body[:80]))
    assert cases >= 200 and not wrong, f"{len(wrong)} of {cases} wrong: {wrong[:3]}"
    return {"cases": cases}


# How an agent may be wrong; what comes of the link, and what a turn is told at most 4 s later.
# "alive" links stay; "cut" ones must be gone within two heartbeats and a bit.
HOSTILE_AGENTS = {
    "never answers": "alive",
    "answers garbage": "alive",
    "sends the JSON corpus": "alive",
    "answers twice and to another link's id": "alive",
    "floods 1,000,000 messages": "alive",
    "sends 64 MiB": "cut",
    "never reads": "cut",
    "sends half a frame": "cut",
}


def hostile_agent(address, kind, seconds, amount):
    """An agent that does as `kind` says for so long."""
    agent = Agent(address, receive_buffer=1 if kind == "never reads" else None)
    begun = time.monotonic()
    over = begun + seconds
    counted = 0
    agent.socket.settimeout(1)

    def until_over(react=lambda kind, payload: None):
        while time.monotonic() < over:
            try:
                for kind, payload in agent.wait():
                    if kind == 8:
                        return "closed"
                    if kind == 9:
                        agent.socket.sendall(frame(10, payload))
                    react(kind, payload)
            except TimeoutError:
                pass
            except OSError:
                return "cut"
        return "alive"

    def respond(kind, payload):
        if kind != 1:
            return
        number = json.loads(payload)["id"]
        text = json.loads(payload)["text"]
        for shown in ("0-0", number + "0", number.upper() + "x", number, number, number):
            agent.socket.sendall(frame(1, answer(shown, text)))

    if kind == "never answers":
        end = until_over()
    elif kind == "answers garbage":
        def garbage(kind, payload):
            for data in (b"", b"{}", b"[]", b"\"id\"", b"{\"id\":1,\"text\":2}", b"nonsense"):
                agent.socket.sendall(frame(1, data))
            agent.socket.sendall(frame(2, b"\xff\xfe"))
        end = until_over(garbage)
    elif kind == "sends the JSON corpus":
        for data, _ in corpus():
            try:
                data.decode()
                agent.socket.sendall(frame(1, data))
            except UnicodeDecodeError:
                agent.socket.sendall(frame(2, data))
        end = until_over()
    elif kind == "answers twice and to another link's id":
        end = until_over(respond)
    elif kind == "floods 1,000,000 messages":
        batch = b"".join(frame(1, answer(f"no-{n}", "никому")) for n in range(1000))
        agent.socket.settimeout(10)
        for _ in range(amount // 1000):
            agent.socket.sendall(batch)
            counted += 1000
        agent.socket.settimeout(1)
        over = time.monotonic() + 2
        end = until_over(respond)
    elif kind == "sends 64 MiB":
        send(agent.socket, b"\x81\xff" + (64 << 20).to_bytes(8, "big") + b"\0\0\0\0")
        sent = all(send(agent.socket, b" " * (1 << 20)) for _ in range(64))
        end = until_over() if sent else "cut"
    elif kind == "sends half a frame":
        agent.socket.sendall(b"\x81\xfe\xff\xff\0\0\0\0half")
        # It answers no ping: what it sends would be the frame's other half.
        drain(agent.socket, seconds)
        end = "cut" if time.monotonic() < over - 0.1 else "alive"
    elif kind == "never reads":
        # The probe's turns fill its socket slowly; large commands fill it at once.
        end = "alive"
        flood = []
        for number in range(200):
            connection = connect(address, number)
            send(connection, post(turn("громко " * 4000 + str(number), 60000)))
            flood.append(connection)
        while time.monotonic() < over and end == "alive":
            if b'"agent_connected":false' in exchange(address, GET, 5)[1]:
                end = "cut"
            else:
                time.sleep(0.05)
        for connection in flood:
            connection.close()
    agent.socket.close()
    return {"end": end, "took": time.monotonic() - begun, "sent": counted}
