"""Several PCs: the block that adds one, joining each by the lines that `setup` names, and a turn to it by name."""

import json
import re

from harness import DOMAIN, RELAY, docker, log_of
from world import World


def another_pc(world: World, proxy):
    env = world.clone / ".env"
    before = env.read_text()
    world.do("another pc", timeout=120)
    key = re.search("^AGENTS=ноутбук=([0-9a-f]{64})$", env.read_text(), re.M)[1]
    # A second time it changes nothing.
    changed = env.read_text()
    world.do("another pc", timeout=120)
    assert env.read_text() == changed

    for pc, right in (("компьютер", world.key), ("ноутбук", key)):
        assert joined(world, proxy, pc) == right, pc
    desktop, notebook = world.agent(proxy), world.agent(proxy, key)
    for agent in (desktop, notebook):
        agent.expect("connected", 20)
    for phrase, agent in (("громче", desktop), ("ноутбук громче", notebook), ("громче на ноутбуке", notebook)):
        seen = len(agent.seen)
        status, said, outcome = proxy.turn(phrase)
        assert (status, said, outcome) == (200, "Сделано: громче", "answered"), (phrase, status, said, outcome)
        assert agent.wait(lambda one: one.get("text") == "громче", 5, seen), (phrase, agent.seen)
    notebook.end()
    log = log_of("home-alice-relay")
    assert "Agent ноутбук connected from" in log and "(ноутбук): answered after" in log, log
    world.document.row_is_seen("Ноутбук: не на связи.", wait_for(proxy, "Ноутбук: не на связи."))
    desktop.end()
    env.write_text(before)
    world.up()


def joined(world: World, proxy, pc: str) -> str:
    """The key that an agent on this PC gets: by the command that `setup` prints, and through the proxy."""
    end = "" if pc == "компьютер" else f" {pc}"
    command = f"docker exec {RELAY} /{RELAY} invite --domain {DOMAIN}{end}"
    printed = world.do("setup").stdout.splitlines()
    assert f"    {command}" in printed, printed
    printed = world.do("invite", told=True).stdout if not end else docker(*command.split()[1:])
    line = printed.splitlines()[0]
    code = re.fullmatch(f"home-alice-agent join {DOMAIN} ((?:[0-9A-Z]{{4}}-){{2}}[0-9A-Z]{{4}})", line)[1]
    body = json.dumps({"code": code.lower(), "id": "0123456789abcdef"})
    answers = [proxy.request("POST", "/ws/join", body) for _ in range(2)]
    for status, _, text in answers:
        assert (status, json.loads(text)["name"]) == (200, pc), (status, text)
    assert answers[0][2] == answers[1][2], "an equal request hears the same"
    status, _, text = proxy.request("POST", "/ws/join", json.dumps({"code": code}))
    assert status == 401 and "run `invite` again" in text, (status, text)
    for log in (log_of(RELAY), log_of(proxy.name)):
        assert code not in log and world.key not in log, log
    return json.loads(answers[0][2])["key"]


def wait_for(proxy, words: str) -> str:
    """What a name alone is told, once the relay knows that the link is over."""
    for _ in range(100):
        _, said, _ = proxy.turn("ноутбук")
        if said == words:
            return said
    raise AssertionError(f"still {said!r}")
