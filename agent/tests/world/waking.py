"""Switching on: the magic packets that reach a PC that is away, by every way there is to ask for them."""

import contextlib
import sys

from world import Process, World, check, main, until
from yandex import Yandex

OTHER = "c2" * 32

SNIFF = """
import socket, sys
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
card.bind(("eth0", 0))
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
print("listens", flush=True)
while True:
    frame = card.recv(2048)
    # Ethernet, IPv4, UDP to port 9, and the card's address sixteen times.
    if frame[:6] == b"\\xff" * 6 and frame[23] == 17 and frame[36:38] == b"\\0\\x09" and frame[42:] == b"\\xff" * 6 + mac * 16:
        print("woken", flush=True)
"""


def sniff(world, pc):
    """Listens at the card of a PC that is away."""
    arguments = ["ip", "netns", "exec", pc.space, sys.executable, "-c", SNIFF, pc.mac()]
    card = world.keep(Process(world.dir / f"{pc.name}-card.log", arguments))
    card.says("listens")
    return card


@contextlib.contextmanager
def household(name):
    """Two PCs that are joined, the second of which was there and is away."""
    with World(name, AGENTS=f"ноутбук={OTHER}", SMART_HOME_SECRET="e4" * 32) as world:
        here, away = world.pc("pc"), world.pc("two", "10.77.0.3")
        here.write(here.head() + f'[[command]]\nsay = "подними ноутбук"\nwake = "{away.mac()}"\n')
        waker = here.start()
        waker.says("Связь есть")
        away.write(away.head(key=OTHER))
        agent = away.start()
        agent.says("Связь есть")
        world.ask("ноутбук проверка связи")
        agent.stop()
        until(lambda: "не на связи" in world.ask("ноутбук"), 20, "it is away")
        yield world, away, waker


def test_a_word_wakes_a_pc_and_so_does_an_own_command():
    with household("g") as (world, away, _):
        card, place = sniff(world, away), 0
        for phrase in ["включи ноутбук", "разбуди ноутбук", "ноутбук включись", "подними ноутбук"]:
            said = world.ask(phrase)
            check("сигнал на включение" in said.lower(), phrase, said)
            place = card.says("woken", behind=place)


def test_with_nobody_to_send_it_alice_says_so():
    with household("h") as (world, _, waker):
        waker.stop()
        until(lambda: "не на связи" in world.ask("компьютер"), 20, "nobody is there")
        said = world.ask("включи ноутбук")
        check("разбудить некому" in said.lower(), said)
        # After a restart the relay knows the cards no more.
        world.relay.stop()
        world.relay_start()
        world.pc("pc").start()
        until(lambda: "на связи уже" in world.ask("компьютер"), 20, "the first is there")
        said = world.ask("включи ноутбук")
        check("разбудить некому" in said.lower(), said)


def test_the_tile_of_smart_home_wakes_a_pc():
    with household("i") as (world, away, _):
        card = sniff(world, away)
        with Yandex(world, "http://127.0.0.1:8080", world.environment["SMART_HOME_SECRET"]) as yandex:
            yandex.link(world.relay_run("pair").stdout.split()[0])
            tile = next(device["id"] for device in yandex.devices() if device["id"] != "pc")
            check(yandex.act(tile, "on_off", "on", True) == "DONE")
        card.says("woken")


if __name__ == "__main__":
    main(globals())
