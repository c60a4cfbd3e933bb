"""A relay that is not the relay: whatever it sends, the agent lives on, within its bounds."""

import json
import pathlib
import struct

from own import Home
from world import check, main


def memory(home):
    status = pathlib.Path(f"/proc/{home.agent.popen.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_what_is_none_of_the_relays_messages_is_passed_over():
    with Home() as home:
        home.write("")
        link = home.start()
        for odd in ["", "{", "[]", "5", "null", '{"id":5,"text":"x"}', '{"text":"громче"}', '{"now":"x"}', '{"now":1e400}',
                    '{"id":null,"now":null}', '{"id":"a","id":"b"}', "[" * 5000, '{"now":' + "9" * 300 + "}"]:
            link.send(odd)
        # What has an id is answered, whatever else is wrong with it.
        for odd in ['"text":5', '"text":null', '"until":"x"', '"until":1.5', '"wake":"x"', '"text":"a","text":"b"']:
            link.send('{"id":"a",' + odd + "}")
            answer = link.answer()
            check(answer["id"] == "a" and not answer["ok"], odd, answer)
        link.frame(2, b"\xff\x00")
        link.frame(9, b"x" * 125)
        check(link.ask("проверка связи")["ok"])


def test_what_breaks_the_protocol_ends_the_link_and_the_next_one_works():
    for opcode, payload in [(1, b"\xff"), (3, b""), (1, b"x" * (64 * 1024 + 1)), (8, b"\x00")]:
        with Home() as home:
            home.write("")
            link = home.start()
            link.frame(opcode, payload)
            link = home.relay.linked()
            check(link.ask("проверка связи")["ok"], opcode)


def test_a_message_of_64_kib_is_taken_and_one_without_an_end_is_not_kept():
    with Home() as home:
        home.write('[[command]]\nsay = "*"\nrun = ["echo", "*"]\nanswer = "output"\n')
        link = home.start()
        whole = json.dumps({"id": "a", "text": ""}).replace('""', '"' + "x" * (64 * 1024 - 23) + '"')
        check(len(whole) <= 64 * 1024, len(whole))
        link.send(whole)
        answer = link.answer()
        check(answer["id"] == "a" and not answer["ok"], "longer than anybody speaks:", answer)
        # A frame that announces 2 GB, and a message in pieces.
        link.stream.sendall(b"\x81\x7f" + struct.pack(">Q", 1 << 31) + b"x" * 1024)
        link = home.relay.linked()
        try:
            for piece in range(200):
                link.frame(1 if piece == 0 else 0, b"x" * 1024, final=False)
        except OSError:
            pass
        home.relay.linked()
        check(memory(home) < 16_000, memory(home), "KB")


def test_a_flood_of_commands_pings_and_wakes_is_answered_within_bounds():
    with Home() as home:
        home.write('[[command]]\nsay = "*"\nrun = ["true"]\n')
        link = home.start()
        asked = [link.command(f"раз {number}") for number in range(500)]
        for _ in range(500):
            link.frame(9, b"ping")
        answered = set()
        while len(answered) < len(asked):
            answered.add(link.answer()["id"])
        check(answered == set(asked), "each is answered once")
        check(not link.ask("x", wake=["zz"] * 5000)["ok"], "no card, and nothing to wake")
        check(memory(home) < 16_000, memory(home), "KB")


def test_an_answer_that_nobody_takes_delays_no_ping_for_ever():
    """A relay that reads nothing: the link is over once the relay says nothing either, and the next one works."""
    with Home() as home:
        home.write("")
        link = home.start()
        try:
            link.stream.settimeout(2)
            while True:
                link.command("нет такой команды " * 40)
        except OSError:
            pass
        link.stream.settimeout(60)
        home.relay.listener.settimeout(90)
        home.relay.linked()
        check(memory(home) < 20_000, memory(home), "KB")


def test_ids_come_back_exactly():
    with Home() as home:
        home.write("")
        link = home.start()
        for identity in ["5F2A9C01-007", "", "id с \"кавычками\"\n", "9" * 1000, "\u202e"]:
            link.send({"id": identity, "text": "проверка связи"})
            check(link.answer()["id"] == identity, identity)


if __name__ == "__main__":
    main(globals())
