"""Several PCs: the block that adds one, and a turn to it by name."""

import re

from harness import log_of
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


def wait_for(proxy, words: str) -> str:
    """What a name alone is told, once the relay knows that the link is over."""
    for _ in range(100):
        _, said, _ = proxy.turn("ноутбук")
        if said == words:
            return said
    raise AssertionError(f"still {said!r}")
