"""What the agent costs: its size, its memory and time at rest over TLS, and the time from a message to its answer. Figures,
and no test: the machines are noisy. The bounds are those that a person would notice."""

import os
import pathlib
import statistics
import time

from own import Home
from sound import Desk
from world import AGENT, World, check, main

REST = 30


def times(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_size_and_what_it_takes_at_rest():
    size = AGENT.stat().st_size
    print(f"      size: {size / 1e6:.2f} MB (aim 5)")
    with World("z") as world:
        pc = world.pc("pc")
        # The roots of a whole system.
        roots = pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text() + (world.dir / "ca.pem").read_text()
        (world.dir / "all.pem").write_text(roots)
        pc.environment["SSL_CERT_FILE"] = str(world.dir / "all.pem")
        pc.write(pc.head())
        agent = pc.start()
        agent.says("Связь есть")
        world.ask("проверка связи")
        before = times(agent.pid)
        time.sleep(REST)
        share = (times(agent.pid) - before) / REST * 100
        resident = memory(agent.pid)
        print(f"      at rest: {resident / 1e3:.2f} MB resident (aim 6), {share:.3f} % of a core (aim 0.1)")
        check(resident < 12_000 and share < 1, resident, share)


def test_from_a_message_to_its_answer():
    with Home() as home:
        home.write('[[command]]\nsay = "запусти"\nrun = ["true"]\n')
        link = home.start()
        for said in ["проверка связи", "запусти"]:
            took = []
            for _ in range(200):
                begun = time.perf_counter()
                link.ask(said)
                took.append((time.perf_counter() - begun) * 1e3)
            took.sort()
            print(f"      «{said}»: {statistics.median(took):.2f} ms, 95th {took[189]:.2f} ms from the message to the answer")


def test_the_volume_takes_no_longer_than_a_person_would_notice():
    with Desk() as desk:
        desk.serve()
        desk.write("")
        link = desk.start()
        took = []
        for number in range(100):
            begun = time.perf_counter()
            check(link.ask(f"громкость {30 + number % 2}")["ok"])
            took.append((time.perf_counter() - begun) * 1e3)
        took.sort()
        print(f"      «громкость 30»: {statistics.median(took):.2f} ms, 95th {took[94]:.2f} ms (aim 20)")


if __name__ == "__main__":
    main(globals())
