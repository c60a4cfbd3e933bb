"""The long cases: each row of the table of docs/withstands.md, measured and judged.

    tests/soak/run              every case, the largest at a tenth of their size: about 7 minutes
    tests/soak/run --full       at full size
    tests/soak/run --only WORD  the cases whose name contains the word

A case runs against a relay of its own, directly or through nginx, while a probe is an honest client and an
honest agent. «calm» is that of that page; only `kill -9` may be anything else. Exits with 1 when a "must" is missed.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback

import attacks
import smart_home
from asleep import ip, pc
from honest import AGENTS, GET, KEY, PCS, TOO_LATE, Probe, Seen, exchange, post, said, turn
from world import World

FORK = multiprocessing.get_context("fork")
# An attack, and a whole run, that take longer than this have gone wrong: at full size, and in CI.
LONGEST = {True: 900, False: 120}
LONGEST_RUN = {True: 7200, False: 1500}
# The agent's own wait until it connects again, and a bit.
RETURN = 5.0 + 1.0
# Connections of a flood, and the MB that the relay may take with that many: small requests, and bodies of 64 KiB.
FLOODS = {1: 8, 2: 8, 8: 8, 32: 8, 128: 12, 400: 20}
FLOODS_OF_BODIES = dict.fromkeys(FLOODS, 40)
# With more connections than this an honest one waits in nginx's one process behind a request of each, as long as its disk
# takes for their bodies. Seconds that Alice waits.
CALM_FLOOD = 32
ALICE_WAITS = 4.5


class Task:
    """A function in a process of its own, so that what it does costs the probe no time."""

    # Seconds; what `main` found out to be the size decides.
    longest = LONGEST[True]

    def __init__(self, function, *arguments):
        self.over = FORK.Event()
        self.result, sender = FORK.Pipe(duplex=False)

        def run():
            try:
                sender.send((True, function(*arguments)))
            except BaseException:
                sender.send((False, traceback.format_exc()))
            sender.close()
            os._exit(0)

        self.process = FORK.Process(target=run, daemon=True)
        self.process.start()
        sender.close()

    def wait(self):
        if not self.result.poll(self.longest):
            self.process.kill()
            raise TimeoutError(f"an attack did not end within {self.longest} s")
        fine, result = self.result.recv()
        self.process.join()
        if not fine:
            raise RuntimeError(result)
        return result or {}


class Row:
    """One line of the table."""

    def __init__(self, name, via):
        self.name, self.via = name, via
        self.must, self.aim, self.notes = [], [], []
        # Another run stands in for it. It may come to rest, and be told, only after that.
        self.replaced = False
        self.cells = {}

    def judge(self, problems, aim=False):
        (self.aim if aim else self.must).extend(problems)

    def take(self, seen):
        """The probe's figures."""
        self.cells["health"] = f"{seen.median * 1000:.1f} / {seen.worst * 1000:.0f}"
        self.cells["turns"] = "{} / {} / {} / {}".format(
            *(seen.count(outcome) for outcome in ("own", "told", "lost", "crossed")))

    def figures(self, before, peak, after):
        after = after or {"memory": 0, "threads": 0, "descriptors": 0}
        self.cells["memory"] = " / ".join(f"{x['memory'] / 1024:.1f}" for x in (before, peak, after))
        for name in ("threads", "descriptors"):
            self.cells[name] = " / ".join(str(x[name]) for x in (before, peak, after))

    def line(self):
        verdict = "MISSED" if self.must else "must" if self.aim else "aim"
        cells = [self.cells.get(name, "–") for name in ("health", "turns", "memory", "threads", "descriptors")]
        return "| " + " | ".join([self.name, self.via, *cells, "; ".join(self.notes) or "–", verdict]) + " |"


HEAD = "| attack or fault | via | `/health` ms: median / worst | turns: own answer / told why not / lost / crossed | " \
    "MB: before / peak / after | threads | descriptors | besides | reached |\n" + "| --- " * 9 + "|"


class Soak:
    """Runs cases, prints their rows, remembers what was missed."""

    def __init__(self, options):
        self.program, self.full, self.only = options.program, options.full, options.only
        self.rows = []
        self.printing = threading.Lock()
        self.resting = []

    def size(self, full, part=10):
        """The full size, or in CI a part of it."""
        return full if self.full else full // part

    def wanted(self, name):
        return not self.only or self.only in name

    def world(self, via, **more):
        return World(self.program, via, **more)

    def case(self, name, via, attack, *arguments, after=None, rest=8.0, **world):
        """One attack while a probe watches, for which everything must stay calm."""
        if not self.wanted(name):
            return
        self._guarded(name, via, lambda row: self._case(row, via, attack, arguments, after, rest, world))

    def _guarded(self, name, via, run):
        """A case that misses its must is run once more, and both rows are shown: the machine is shared, and
        may have been somewhere else for a second. What misses it twice has failed."""
        for last in (False, True):
            row = Row(name, via)
            try:
                run(row)
            except Exception as error:
                traceback.print_exc()
                row.judge([f"the case itself failed: {error}"])
                self._tell(row)
            if last or not row.must:
                return
            with self.printing:
                row.replaced = True
                print(f"    once more: {name}, {via}", flush=True)

    def _each(self, jobs, light=False):
        """Runs the wanted ones of (name, via, run): in CI, where time is short, all at once; at full size
        one by one, which gives better figures, unless they leave the machine most of its time."""
        threads = [threading.Thread(target=self._guarded, args=job) for job in jobs if self.wanted(job[0])]
        for thread in threads:
            thread.start()
            if self.full and not light:
                thread.join()
        for thread in threads:
            thread.join()

    @contextlib.contextmanager
    def _attacked(self, via, **settings):
        """A relay that an honest client finds calm: what goes wrong from then on ends both."""
        world = self.world(via, **settings)
        probe = Probe(world.address)
        try:
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the attack")
            yield world, probe, world.figures(), time.monotonic()
        except BaseException:
            probe.process.kill()
            world.stop()
            raise

    def _case(self, row, via, attack, arguments, after, rest, world_settings):
        with self._attacked(via, **world_settings) as (world, probe, before, begun):
            measured = Task(attack, world.address, *arguments).wait()
            # Long enough for what the attack has left behind to show.
            probe.wait_until_calm(3 if self.full else 1.5, in_a_row=10**9)
            seen = Seen(probe.stop(), begun)
        row.take(seen)
        row.judge(seen.is_calm() + ([f"{len(world.exits)} exits"] if world.exits else []))
        for name, value in measured.items():
            row.notes.append(f"{name} {value * 1000:.1f} ms" if isinstance(value, float) and name in
                             ("median", "99 %", "worst") else f"{name} {value}")
        if after:
            after(row, world, seen, measured)
        self._let_rest(row, world, before, rest)

    def _let_rest(self, row, world, before, seconds, must=False):
        """Measures the relay once it is at rest, while the next case runs already."""
        def rest():
            took = world.at_rest(before, seconds)
            row.figures(before, world.peak, world.figures())
            if must and took is None:
                row.judge([f"not at rest {seconds:.0f} s after"])
            if world.peak["memory"] > 128 * 1024 and not world.exits:
                row.judge([f"{world.peak['memory'] / 1024:.0f} MB at the peak"])
            world.stop()
            self._tell(row)

        thread = threading.Thread(target=rest)
        thread.start()
        self.resting.append(thread)

    def _tell(self, row):
        with self.printing:
            self.rows.append(row)
            print(row.line(), flush=True)
            for problem in row.must:
                print(f"    must: {problem}", flush=True)
            for problem in row.aim:
                print(f"    aim: {problem}", flush=True)

    # The rows of the table.

    def bodies(self):
        each, count = self.size(10_000, 50), self.size(20_000, 5)
        for name, attack, amount in (
            ("one of each bad length and body", attacks.bad_lengths, 1),
            (f"{each} of each bad length and body", attacks.bad_lengths, each),
            (f"{count:,} bodies of 70 KB one after another", attacks.refused, count),
            ("a body of 1 GB", attacks.gigabyte, 1000),
            ("500 held with Connection: upgrade", attacks.upgrades, 500),
        ):
            for via in ("nginx", "directly"):
                self.case(name, via, attack, amount)

    def heads(self):
        for kind, what in (("one header", "one header of 200 MB"), ("headers", "100,000 headers"),
                           ("request line", "a request line of 200 MB")):
            amount = 200 if kind != "headers" else 1
            for via in ("nginx", "directly"):
                self.case(what, via, attacks.endless, kind, amount)
        for via in ("nginx", "directly"):
            self.case("HTTP/2.0 and 3.0, 5,000", via, attacks.versions, 5000)

    def slow(self):
        mixes = [(kind,) for kind in attacks.SLOW] if self.full else [attacks.SLOW]
        for kinds in mixes:
            name = "2,000 slow connections: " + (kinds[0] if len(kinds) == 1 else "every kind")
            self._each([(name, via, lambda row, via=via: self._slow(row, via, attacks.slow, kinds, 2000, 20))
                        for via in ("nginx", "directly")], light=True)
        self._each([("slowhttptest -H -B -R -X, 2,000", via,
                     lambda row, via=via: self._slow(row, via, attacks.slowhttptest, 2000, 16))
                    for via in ("nginx", "directly")], light=True)

    def _slow(self, row, via, attack, *arguments):
        with self._attacked(via) as (world, probe, before, begun):
            Task(attack, world.address, *arguments).wait()
            probe.wait_until_calm(2, in_a_row=10**9)
            seen = Seen(probe.stop(), begun)
        row.take(seen)
        row.judge([f"{len(world.exits)} exits"] if world.exits else [])
        throughout, later = seen.is_calm(), seen.only(begun + 12)
        row.judge(later.is_calm() if via == "directly" else throughout)
        row.judge(throughout, aim=True)
        row.notes.append(f"from 12 s on {later.median * 1000:.1f} / {later.worst * 1000:.0f} ms")
        self._let_rest(row, world, before, 30, must=True)

    def bursts(self):
        def within(row, _world, _seen, measured):
            limit = [f"{measured['unanswered']} unanswered"] if measured["unanswered"] else []
            row.judge(limit)
            if row.via == "directly":
                row.judge([f"the worst waited {measured['worst'] * 1000:.0f} ms"] if measured["worst"] > 0.1 else [])
                row.judge([f"the worst waited {measured['worst'] * 1000:.0f} ms"] if measured["worst"] > 0.02 else [],
                          aim=True)

        for via in ("nginx", "directly"):
            rounds = self.size(200, 2)
            self.case(f"64 fresh keep-alive connections, {rounds} rounds", via, attacks.bursts, 64, rounds,
                      after=within)

    def floods(self):
        """Clients that pipeline and read the answers: at full size each kind of request alone, too."""
        small = tuple(kind for kind in attacks.FLOOD if "64 KiB" not in kind)
        for kind in small if self.full else ():
            self._flood(kind, "directly", (kind,), FLOODS)
        for via in ("nginx", "directly"):
            self._flood(", ".join(small), via, small, FLOODS)
            self._flood("POST of 64 KiB", via, ("POST of 64 KiB",), FLOODS_OF_BODIES)

    def _flood(self, what, via, kinds, bars):
        name = f"a flood from 1 to 400 connections: {what}"
        if self.wanted(name):
            self._guarded(name, via, lambda row: self._flooded(row, via, kinds, bars))

    def _flooded(self, row, via, kinds, bars):
        """One relay must live through more and more connections."""
        steps = []
        with self._attacked(via) as (world, probe, before, begun):
            for connections in bars:
                since = time.monotonic()
                measured = Task(attacks.flood, world.address, kinds, connections, 10 if self.full else 1).wait()
                peak = (world.figures() or world.peak).get("highest", world.peak["memory"]) / 1024
                steps.append((connections, since, time.monotonic(), peak, measured))
            probe.wait_until_calm(1, in_a_row=10**9)
            seen = Seen(probe.stop(), begun)
        row.take(seen)
        row.judge(seen.is_calm(1 if via == "directly" else ALICE_WAITS) + ([f"{len(world.exits)} exits"] if world.exits else []))
        for connections, since, until, peak, measured in steps:
            step = seen.only(since, until)
            row.judge(step.is_calm() if connections <= CALM_FLOOD else [])
            row.notes.append(f"{connections}: {peak:.1f} MB, {step.median * 1000:.1f} / {step.worst * 1000:.0f} ms, "
                             f"{step.count('own')} of {len(step.turns)} turns, {measured['answers']} answers, "
                             f"{measured['cuts']} cuts")
            if peak > bars[connections]:
                row.judge([f"{peak:.1f} MB with {connections} connections"])
            # The relay holds whoever takes its answers: TCP makes it wait. nginx ends a connection after 1,000 requests.
            if via == "directly" and bars is FLOODS and measured["cuts"]:
                row.judge([f"{measured['cuts']} of {connections} connections cut"])
            row.judge([] if measured["answers"] else [f"no flood with {connections} connections: no answer"])
        self._let_rest(row, world, before, 8)

    def pipelining(self):
        def cut(row, _world, _seen, measured):
            # nginx takes the answers in its place.
            if row.via == "directly" and measured["end"] != "cut":
                row.judge([f"a client that never reads is {measured['end']}"])

        for via in ("nginx", "directly"):
            self.case("100,000 requests on one connection, never reading", via, attacks.never_reading, 100_000,
                      after=cut)
        for via in ("nginx", "directly"):
            self.case("a waiting turn with 50 requests behind it, 50 times", via, attacks.behind_a_turn, 50)

    def descriptors(self):
        self.case("descriptors used up (ulimit -n 256)", "directly", attacks.descriptors, 600, descriptors=256)

    def agents(self):
        for via in ("nginx", "directly"):
            self._each([
                ("an agent that " + kind, via, lambda row, via=via, kind=kind: self._agent(row, via, kind))
                for kind in attacks.HOSTILE_AGENTS
            ], light=True)

    def _agent(self, row, via, kind):
        """The agent is the attacker; turns must be told so in time, and nobody else may notice."""
        heartbeat = 2
        world = self.world(via, settings={"HEARTBEAT_SECS": str(heartbeat)})
        gone_within = 2 * heartbeat + 1 + 1
        seconds = gone_within + 1.0 if attacks.HOSTILE_AGENTS[kind] == "cut" else 5.0
        probe = Probe(world.address, with_agent=False, told_is_fine=True)
        try:
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the attack")
            before = world.figures()
            begun = time.monotonic()
            task = Task(attacks.hostile_agent, world.address, kind, seconds, 1_000_000)
            measured = task.wait()
            # It is gone now in any case, and that must be known.
            connected = b'"agent_connected":true'
            known = time.monotonic()
            while connected in exchange(world.address, GET, 5)[1] and time.monotonic() < known + gone_within:
                time.sleep(0.02)
            if connected in exchange(world.address, GET, 5)[1]:
                row.judge(["the agent is gone, but agent_connected stays true"])
            probe.wait_until_calm(6, in_a_row=60)
            seen = Seen(probe.stop(), begun)
        except BaseException:
            probe.process.kill()
            world.stop()
            raise
        row.take(seen)
        row.judge([f"{len(world.exits)} exits"] if world.exits else [])
        own = kind.startswith("answers twice")
        row.judge([p for p in seen.is_calm() if "told" not in p or own and "own" not in p and not self._only_gone(seen)])
        slowest = max((entry[1] for entry in seen.turns), default=0)
        if slowest > 4.5:
            row.judge([f"a turn waited {slowest:.1f} s"])
        if own and not seen.count("own"):
            row.judge(["no turn got the right answer"])
        if measured["end"] == "closed" or measured["end"] != attacks.HOSTILE_AGENTS[kind]:
            if not (measured["end"] == "closed" and attacks.HOSTILE_AGENTS[kind] == "cut"):
                row.judge([f"the link is {measured['end']}, not {attacks.HOSTILE_AGENTS[kind]}"])
        if attacks.HOSTILE_AGENTS[kind] == "cut" and measured["took"] > gone_within:
            row.judge([f"known to be gone only after {measured['took']:.1f} s"])
        row.notes.append(f"link {measured['end']}, slowest turn {slowest:.1f} s")
        self._let_rest(row, world, before, 12)

    @staticmethod
    def _only_gone(seen):
        """Whether turns were told only that there is no agent, which is so before it came and once it went."""
        return all(entry[3].startswith(("Компьютер не на связи", "Связь")) for entry in seen.turns if entry[2] == "told")

    def vanishing(self):
        """Runs in network namespaces of its own: the driver starts itself again there."""
        name = "an agent that vanishes without FIN (veth taken down)"
        self._each([(name, via, lambda row, via=via: self._vanishing(row, via)) for via in ("nginx", "directly")])

    def _vanishing(self, row, via):
        done = subprocess.run(
            ["unshare", "--net", sys.executable, __file__, "--program", self.program, "--inside", via],
            stdout=subprocess.PIPE, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        result = json.loads(done.stdout)
        row.must, row.notes, row.cells = result["must"], result["notes"], result["cells"]
        self._tell(row)

    def asleep(self):
        """A PC that falls asleep and wakes: in CI once each way, at full size at two heartbeats, for three times."""
        name = "a PC asleep for {} s, heartbeat {} s"
        sizes = [(seconds, heartbeat) for heartbeat in (2, 20) for seconds in (20, 60, 75)]
        self._each([
            (name.format(seconds, heartbeat), via,
             lambda row, via=via, seconds=seconds, heartbeat=heartbeat: self._asleep(row, via, seconds, heartbeat))
            for seconds, heartbeat in (sizes if self.full else [(20, 20)]) for via in ("nginx", "directly")])

    def _asleep(self, row, via, seconds, heartbeat):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asleep.py")
        done = subprocess.run(
            ["unshare", "--net", sys.executable, script, self.program, via, str(heartbeat), str(seconds)],
            stdout=subprocess.PIPE, text=True, timeout=600, check=True)
        result = json.loads(done.stdout)
        row.judge(result["must"])
        row.notes += result["notes"]
        self._tell(row)

    def storm(self):
        count = self.size(10_000)
        for key, what in ((KEY, "the right key"), ("wrong-" + KEY, "a wrong key")):
            for via in ("nginx", "directly"):
                name = f"{count:,} agents one after another, {what}"
                if self.wanted(name):
                    self._guarded(name, via, lambda row: self._storm(row, via, key, count))

    def _storm(self, row, via, key, count):
        world = self.world(via)
        probe = Probe(world.address, with_agent=False, told_is_fine=True)
        try:
            # What the first ones make it allocate stays allocated; from then on nothing may come on top.
            Task(attacks.agents, world.address, count // 10, key).wait()
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the attack")
            before = world.figures()
            begun = time.monotonic()
            measured = Task(attacks.agents, world.address, count, key).wait()
            seen = Seen(probe.stop(), begun)
        except BaseException:
            probe.process.kill()
            world.stop()
            raise
        row.take(seen)
        row.judge([problem for problem in seen.is_calm() if "told" not in problem])
        if measured["let in"] != (count if key == KEY else 0):
            row.judge([f"{measured['let in']} of {count} let in"])
        took = world.at_rest(before, 12)
        after = world.figures()
        row.figures(before, world.peak, after)
        more = {name: after[name] - before[name] for name in ("threads", "descriptors")}
        if took is None or after["memory"] > before["memory"] + 256:
            row.judge([f"left over: {more}, {after['memory'] - before['memory']} kB"])
        row.notes.append(f"{after['memory'] - before['memory']:+} kB")
        world.stop()
        self._tell(row)

    def corpus(self):
        for via in ("nginx", "directly"):
            self.case("the JSON corpus as bodies", via, attacks.json_corpus, self.size(10))

    def million(self):
        turns = self.size(1_000_000)
        for via in ("nginx", "directly"):
            name = f"{turns:,} turns from 64 clients, agents coming and going"
            if self.wanted(name):
                self._guarded(name, via, lambda row: self._million(row, via, turns))

    def _million(self, row, via, turns):
        world = self.world(via)
        over = FORK.Event()
        coming = Task(attacks.coming_and_going, world.address, over)
        probe = Probe(world.address, with_agent=False, told_is_fine=True)
        try:
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the load")
            begun = time.monotonic()
            first = Task(attacks.load, world.address, 64, turns // 10).wait()
            before = world.figures()
            second = Task(attacks.load, world.address, 64, turns - turns // 10).wait()
            after = world.figures()
            seen = Seen(probe.stop(), begun)
            over.set()
            agents = coming.wait()["agents"]
        except BaseException:
            probe.process.kill()
            coming.process.kill()
            world.stop()
            raise
        kinds = {name: first[name] + second[name] for name in
                 ("own", "told", "crossed", "lost", "refused", "unanswered")}
        row.take(seen)
        row.judge([problem for problem in seen.is_calm() if "told" not in problem])
        row.judge([f"{len(world.exits)} exits"] if world.exits else [])
        for name in ("crossed", "lost", "refused", "unanswered"):
            row.judge([f"{kinds[name]} turns {name}"] if kinds[name] else [])
        if kinds["own"] + kinds["told"] != turns:
            row.judge([f"{kinds['own'] + kinds['told']} answers for {turns} turns"])
        if kinds["own"] < turns * 9 // 10:
            row.judge([f"only {kinds['own']} turns got their own answer"])
        if after["memory"] > before["memory"] + 1024:
            row.judge([f"{after['memory'] - before['memory']} kB more than after the first tenth"])
        row.figures(before, world.peak, after)
        row.notes.append(f"own {kinds['own']}, told {kinds['told']}, {agents} agents, {second['a second']} a second, "
                         f"{after['memory'] - before['memory']:+} kB since the first tenth")
        world.stop()
        self._tell(row)

    def several(self):
        """Sixteen PCs: turns to any of them while agents come and go."""
        turns = self.size(1_000_000)
        for via in ("nginx", "directly"):
            name = f"{turns:,} turns from 64 clients to 16 PCs, agents coming and going"
            if self.wanted(name):
                self._guarded(name, via, lambda row, via=via: self._several(row, via, turns))

    def _several(self, row, via, turns):
        world = self.world(via, settings={"AGENTS": AGENTS})
        try:
            alone = world.figures()["memory"]
            over = FORK.Event()
            # At first all are there, and nothing else is under way.
            coming = Task(attacks.household, world.address, over)
            connected = lambda: world.log_text().count(" connected from ") >= len(PCS)
            end = time.monotonic() + 20
            while not connected():
                if time.monotonic() > end:
                    raise RuntimeError("not all PCs have come")
                time.sleep(0.01)
            each = (world.figures()["memory"] - alone) / len(PCS)
            kinds = Task(attacks.load, world.address, 64, turns, 600, PCS).wait()
            before = world.figures()
            over.set()
            agents = coming.wait()["agents"]
        except BaseException:
            world.stop()
            raise
        row.judge([f"{len(world.exits)} exits"] if world.exits else [])
        for name in ("crossed", "lost", "refused", "unanswered"):
            row.judge([f"{kinds[name]} turns {name}"] if kinds[name] else [])
        if kinds["own"] + kinds["told"] != turns:
            row.judge([f"{kinds['own'] + kinds['told']} answers for {turns} turns"])
        if kinds["own"] < turns * 9 // 10:
            row.judge([f"only {kinds['own']} turns got their own answer"])
        row.cells["turns"] = f"{kinds['own']} / {kinds['told']} / {kinds['lost']} / {kinds['crossed']}"
        row.figures(before, world.peak, world.figures())
        row.notes.append(f"{agents} agents, {kinds['a second']} a second, {each:.0f} kB for each PC")
        world.stop()
        self._tell(row)

    def smart_home(self):
        """Smart Home: who guesses, who forges, and actions while the agent dies."""
        count = self.size(10_000)
        guessed, forged = f"{count:,} wrong pairing codes", f"{count:,} forged tokens"
        all_told = lambda name: lambda row, world, _seen, measured: (
            row.judge([] if measured[name] == count else [f"{measured[name]} of {count} {name}"]),
            smart_home.works(row, world, smart_home.link(world)))
        for via in ("nginx", "directly"):
            self.case(guessed, via, smart_home.wrong_codes, count,
                      after=all_told("told"), settings=smart_home.SETTINGS)
        if self.wanted(forged):
            # Good for any relay with this secret: nothing is stored.
            world = self.world("directly", settings=smart_home.SETTINGS)
            try:
                tokens = smart_home.link(world)
            finally:
                world.stop()
            for via in ("nginx", "directly"):
                self.case(forged, via, smart_home.forged_tokens, count, tokens,
                          after=all_told("refused"), settings=smart_home.SETTINGS)
        count = self.size(40_000)
        name = f"{count:,} actions from 64 clients among turns, an agent that dies"
        for via in ("nginx", "directly"):
            if self.wanted(name):
                self._guarded(name, via, lambda row, via=via: self._actions(row, via, 64, count // 64 * 64))

    def _actions(self, row, via, clients, count):
        devices = smart_home.devices_file(clients)
        try:
            world = self.world(via, settings={**smart_home.SETTINGS, "SMART_HOME_DEVICES": devices})
            over = FORK.Event()
            dying = Task(smart_home.dying, world.address, over)
            probe = Probe(world.address, with_agent=False, told_is_fine=True)
        finally:
            # The relay has read it, since it listens.
            os.unlink(devices)
        try:
            token = smart_home.link(world)["access_token"]
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the load")
            before, begun = world.figures(), time.monotonic()
            came = Task(smart_home.actions, world.address, clients, count, token).wait()
            seen = Seen(probe.stop(), begun)
            over.set()
            agents = dying.wait()
        except BaseException:
            probe.process.kill()
            dying.process.kill()
            world.stop()
            raise
        row.take(seen)
        row.judge([problem for problem in seen.is_calm() if "told" not in problem])
        row.judge([f"{len(world.exits)} exits"] if world.exits else [])
        row.judge(smart_home.problems(count, came, agents))
        kinds = came["kinds"]
        row.notes.append(f"{kinds.get('DONE', 0)} DONE, {kinds.get('DEVICE_UNREACHABLE', 0)} DEVICE_UNREACHABLE, "
                         f"slowest {came['slowest'] * 1000:.0f} ms, {agents['agents']} agents, {came['a second']} a second")
        self._let_rest(row, world, before, 8)

    def stdout(self):
        for what in ("closed", "a pipe that nobody reads"):
            self._each([(f"stdout {what}", via, lambda row, via=via: self._stdout(row, via, what))
                        for via in ("nginx", "directly")])

    def _stdout(self, row, via, what):
        reading, writing = os.pipe()
        if what == "closed":
            os.close(reading)
        world = self.world(via, settings={"LOG_LEVEL": "trace"}, stdout=writing)
        # Far more lines than a pipe and the queue behind it hold: one for each answer that nobody waits for.
        Task(attacks.hostile_agent, world.address, "floods 1,000,000 messages", 1, 20_000).wait()
        probe = Probe(world.address)
        try:
            if not probe.wait_until_calm(20):
                raise RuntimeError("not calm even before the load")
            before, begun = world.figures(), time.monotonic()
            Task(attacks.load, world.address, 8, 5000).wait()
            Task(attacks.agents, world.address, 300, "wrong-" + KEY).wait()
            probe.wait_until_calm(2, in_a_row=10**9)
            seen = Seen(probe.stop(), begun)
        except BaseException:
            probe.process.kill()
            world.stop()
            raise
        os.close(writing)
        row.take(seen)
        row.judge(seen.is_calm() + ([f"{len(world.exits)} exits"] if world.exits else []))
        if what != "closed":
            told = drain_pipe(reading, b"log lines were dropped")
            row.judge([] if told else ["nobody was told how many lines were dropped"])
            row.notes.append(told or "no count")
        self._let_rest(row, world, before, 8)

    def killed(self):
        for via in ("nginx", "directly"):
            self._each([("kill -9 and restart under load", via, lambda row: self._killed(row, via))])

    def _killed(self, row, via):
        # As soon as Docker restarts a container.
        with self._attacked(via, restart_after=0.1) as (world, probe, before, begun):
            task = Task(attacks.load, world.address, 16, 10**9, 12)
            probe.wait_until_calm(2, in_a_row=10**9)
            killed = world.kill()
            # The agent comes back after its 5 s.
            probe.wait_until_calm(8, in_a_row=10**9)
            load = task.wait()
            seen = Seen(probe.stop(), begun)
        row.take(seen)
        row.judge(seen.always())
        health, turns = seen.back_after(killed)
        if len(world.exits) != 1:
            row.judge([f"{len(world.exits)} exits"])
        if health > 1:
            row.judge([f"/health back only {health:.2f} s after"])
        if turns > RETURN + 1:
            row.judge([f"turns back only {turns:.1f} s after"])
        row.judge([f"{load['crossed']} turns crossed"] if load["crossed"] else [])
        if load["lost"] > 16:
            row.judge([f"{load['lost']} turns lost, more than were under way"])
        row.notes.append(f"/health back {health:.2f} s after, turns {turns:.1f} s; of the load own {load['own']}, "
                         f"told {load['told']}, lost {load['lost']}, refused while it was down {load['refused']}")
        self._let_rest(row, world, before, 8)


def drain_pipe(reading, wanted):
    """Reads a pipe until a line with `wanted` comes: the line's own words."""
    os.set_blocking(reading, False)
    end, text = time.monotonic() + 5, b""
    while time.monotonic() < end:
        try:
            text += os.read(reading, 65536)
        except BlockingIOError:
            time.sleep(0.01)
        for line in text.splitlines():
            if wanted in line:
                return line.split(b"] ")[-1].decode(errors="replace").split(":")[0]
    return None


def inside(program, via):
    """An agent in a namespace of its own whose only way to the relay is taken down: no FIN, no RST."""
    with pc() as there:
        heartbeat = 2
        world = World(program, via, settings={"HEARTBEAT_SECS": str(heartbeat)}, listen_everywhere=True)
        row = Row("", via)
        agent = subprocess.Popen([
            *there, sys.executable, "-c",
            "import sys; from honest import Agent\n"
            "agent = Agent(('10.77.0.1', int(sys.argv[1])))\n"
            "agent.socket.settimeout(60)\n"
            "while agent.echo(): pass", str(world.address[1])], cwd=os.path.dirname(os.path.abspath(__file__)))
        probe = Probe(world.address, with_agent=False, told_is_fine=True)
        try:
            state = lambda: b'"agent_connected":true' in exchange(world.address, GET, 5)[1]
            end = time.monotonic() + 20
            while not state():
                assert time.monotonic() < end, "the agent does not come"
                time.sleep(0.01)
            assert probe.wait_until_calm(20), "not calm even before the fault"
            before, begun = world.figures(), time.monotonic()
            ip("link", "set", "relay-side", "down")
            command = exchange_in_thread(world.address, "последняя")
            while state() and time.monotonic() < begun + 20:
                time.sleep(0.02)
            gone = time.monotonic() - begun
            text, took = command()
            seen = Seen(probe.stop(), begun)
        finally:
            probe.process.kill()
            agent.kill()
            agent.wait()
        row.take(seen)
        row.judge([problem for problem in seen.is_calm() if "told" not in problem])
        if gone > 2 * heartbeat + 1 + 1:
            row.judge([f"agent_connected false only after {gone:.1f} s"])
        if text != TOO_LATE and not text.startswith("Связь") or took > 4.5:
            row.judge([f"a turn was told {text!r} after {took:.1f} s"])
        row.notes.append(f"agent_connected false after {gone:.1f} s (heartbeat {heartbeat} s), a turn told so after "
                         f"{took:.1f} s")
        world.at_rest(before, 8)
        row.figures(before, world.peak, world.figures())
        world.stop()
        print(json.dumps({"must": row.must, "notes": row.notes, "cells": row.cells}))


def exchange_in_thread(address, command):
    """Says a command without waiting; what gives its answer and how long it took."""
    found = []

    def run():
        begun = time.monotonic()
        status, body = exchange(address, post(turn(command, 300)), 10)
        found.append((said(body) if status == 200 else str(status), time.monotonic() - begun))

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join()
        return found[0] if found else ("no answer", 10.0)
    return result


def main():
    driver = os.getpid()
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--inside", choices=["nginx", "directly"])
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Whatever ends the driver before its time ends all that it has started, too.
    if os.getpgrp() != os.getpid() and not options.inside:
        os.setpgrp()
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(end, lambda *_: os.killpg(0, signal.SIGKILL) if os.getpid() == driver else os._exit(1))
    signal.alarm(LONGEST_RUN[options.full])
    Task.longest = LONGEST[options.full]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.inside:
        return inside(options.program, options.inside)
    soak = Soak(options)
    begun = time.monotonic()
    print(HEAD, flush=True)
    for part in (soak.bodies, soak.heads, soak.slow, soak.bursts, soak.floods, soak.pipelining, soak.descriptors,
                 soak.agents, soak.vanishing, soak.asleep, soak.storm, soak.corpus, soak.million, soak.several, soak.smart_home,
                 soak.stdout, soak.killed):
        part()
    for thread in soak.resting:
        thread.join()
    rows = [row for row in soak.rows if not row.replaced]
    missed = [row for row in rows if row.must]
    print(f"soak: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"{len(rows) - len(missed)} passed, {len(missed)} failed", flush=True)
    sys.exit(1 if missed or not rows else 0)


if __name__ == "__main__":
    main()
