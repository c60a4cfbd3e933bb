"""A PC that falls asleep without a word while commands are said, and wakes: nothing may be carried out later but
what was told as sent. Runs in network namespaces of its own: the relay's, and the PC's, whose network goes first.

    unshare --net python asleep.py PROGRAM VIA HEARTBEAT SECONDS

The agent is the original's loop on the original's library. Prints what came of it as JSON.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

from honest import NO_AGENT, NO_AGENT_BUT_A_KNOCK, UNSENT, exchange, post, said, turn
from world import KEY, World

HERE = os.path.dirname(os.path.abspath(__file__))
RELAY, PC = "10.77.0.1", "10.77.0.2"
# How often something is said to the sleeping PC.
SAY_EVERY = 0.25
NOT_SENT = {NO_AGENT, NO_AGENT_BUT_A_KNOCK, *UNSENT}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def pc():
    """A second namespace, one cable away; what runs a command in it."""
    ip("link", "set", "lo", "up")
    other = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    try:
        # Until it is in its own namespace.
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{other.pid}/ns/net") == own:
            time.sleep(0.01)
        ip("link", "add", "relay-side", "type", "veth", "peer", "name", "agent-side", "netns", str(other.pid))
        ip("address", "add", f"{RELAY}/24", "dev", "relay-side")
        ip("link", "set", "relay-side", "up")
        there = ["nsenter", "--target", str(other.pid), "--net"]
        subprocess.run([*there, "ip", "address", "add", f"{PC}/24", "dev", "agent-side"], check=True)
        subprocess.run([*there, "ip", "link", "set", "agent-side", "up"], check=True)
        yield there
    finally:
        other.kill()
        other.wait()


class Agent:
    """The original's loop in the other namespace, and what it has carried out."""

    def __init__(self, there, port):
        self.carried_out = []
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            [*there, sys.executable, os.path.join(HERE, "..", "container", "agent.py")],
            env={**os.environ, "SERVER_URL": f"ws://{RELAY}:{port}/ws", "API_KEY": KEY},
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "command":
                with self.news:
                    self.carried_out.append(event["text"])
                    self.news.notify_all()

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.thread.join()


class Turns:
    """Turns said in threads of their own, and what each was told."""

    def __init__(self, address):
        self.address = address
        self.told, self.threads = {}, []

    def say(self, text):
        thread = threading.Thread(target=self._say, args=(text,))
        thread.start()
        self.threads.append(thread)

    def _say(self, text):
        try:
            status, body = exchange(self.address, post(turn(text, 300)), 15)
            self.told[text] = said(body) if status == 200 else str(status)
        except OSError as error:
            self.told[text] = f"no answer: {error}"

    def join(self):
        for thread in self.threads:
            thread.join()


def until_answered(turns, name, seconds):
    """Says something until the PC answers. Returns whether it did."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        text = f"{name} {number}"
        turns._say(text)
        if turns.told[text] == f"Сделано: {text}":
            return True
        number += 1
        time.sleep(0.2)
    return False


def main():
    program, via, heartbeat, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
    problems = []
    with pc() as there:
        world = World(program, via, settings={"HEARTBEAT_SECS": heartbeat}, listen_everywhere=True)
        agent = Agent(there, world.address[1])
        turns = Turns(world.address)
        try:
            if not until_answered(turns, "вначале", 20):
                problems.append("the PC does not answer even before it sleeps")
            # Asleep: the network goes without a FIN, and nothing runs any more.
            subprocess.run([*there, "ip", "link", "set", "agent-side", "down"], check=True)
            agent.process.send_signal(signal.SIGSTOP)
            begun, count = time.monotonic(), 0
            while time.monotonic() < begun + seconds:
                turns.say(f"выключи компьютер {count}")
                count += 1
                time.sleep(max(0.0, begun + count * SAY_EVERY - time.monotonic()))
            turns.join()
            before = len(agent.carried_out)
            subprocess.run([*there, "ip", "link", "set", "agent-side", "up"], check=True)
            agent.process.send_signal(signal.SIGCONT)
            # TCP may try again only after as long as it has been silent, the agent's own ping 20 s after that.
            if not until_answered(turns, "проснулся", 2 * seconds + 90):
                problems.append("the PC does not answer after it woke")
        finally:
            agent.end()
            turns.join()
            world.stop()
    asleep = {text: told for text, told in turns.told.items() if text.startswith("выключи")}
    not_sent = {text for text, told in asleep.items() if told in NOT_SENT}
    late = [text for text in agent.carried_out[before:] if text.startswith("выключи")]
    if wrong := sorted(not_sent.intersection(agent.carried_out)):
        problems.append(f"told as not sent, and carried out: {wrong}")
    if not not_sent:
        problems.append(f"nothing was told as not sent: {asleep}")
    if silent := [text for text, told in asleep.items() if told.startswith("no answer")]:
        problems.append(f"no answer to {silent}")
    print(json.dumps({"must": problems, "notes": [
        f"{len(asleep)} commands said in {seconds:.0f} s: {len(not_sent)} told as not sent, "
        f"{len(late)} told as sent were carried out on waking"]}))


if __name__ == "__main__":
    main()
