"""The whole deployment on one Docker engine, from a fresh clone to torn down again. Started by `run`."""

import signal
import sys
from pathlib import Path

import design
import from_nothing
import old_machines
import option3
import owner
import several
import smart_home
import systemd
import trouble
from world import NEWEST, OLD, World


def checks(world: World, tools: Path, agent_binary: Path):
    report = world.report
    with report.check("a server with nothing on it"):
        from_nothing.server(world)
    with report.check("the compose file is sound, and says what is missing"):
        option3.compose_file(world, str(tools / "check-jsonschema"))
    with report.check("from nothing to a running relay"):
        option3.build(world)
    with report.check("what is in the image"):
        option3.image(world)
    proxy = world.proxy("proxy")
    with report.check("an image from another machine"):
        option3.image_from_elsewhere(world, proxy)
    with report.check("up to the first healthy answer"):
        begun = option3.first_answer(world, proxy)
    idle = option3.idle_begins(world)
    with report.check("what the process may do"):
        option3.hardening(world)
    with report.check("turns are answered through https and wss"):
        option3.answers(world, proxy, agent_binary)
    with report.check("healthy at the first probe"):
        option3.first_probe(world, begun)
    with report.check("docker stop"):
        option3.stopping(world, proxy)
    with report.check("it can't serve any more, and is back"):
        option3.fault(world, proxy)
    with report.check("nginx reloaded and restarted"):
        option3.proxy_restarts(world, proxy)
    for compose in (NEWEST, OLD):
        with report.check(f"the design's commands, on {compose}"):
            design.commands(world, proxy, compose)
        with report.check(f"over from the service's former name, on {compose}"):
            design.former_name(world, proxy, compose)
    with report.check("the main deployment again"):
        world.up(build=True)
        proxy.healthy(connected=False)
    with report.check("updating and rolling back under load"):
        option3.update(world, proxy)
    with report.check("only the owner"):
        option3.only_the_owner(world, proxy)
    with report.check("the key is changed under a connected agent"):
        option3.key_change(world, proxy)
    with report.check("a proxy on the server itself"):
        from_nothing.host_port(world)
    with report.check("another PC, by its name"):
        several.another_pc(world, proxy)
    with report.check("Smart Home, linked and commanded"):
        smart_home.one_phrase(world, proxy)
    with report.check("the owner's page"):
        owner.page(world, proxy)
    with report.check("the secrets in files of their own; backup and restore"):
        option3.secret_files(world, proxy)
    with report.check("the table of errors"):
        trouble.table(world, proxy)
    with report.check("old and odd machines"):
        old_machines.calls_taken_away(world)
    with report.check("a machine with systemd"):
        systemd.boot(world)
    with report.check("without Docker: built on the server, run by systemd"):
        systemd.built_there(world)
    with report.check("without Docker: a static binary, copied"):
        systemd.built_elsewhere(world)
    with report.check("five minutes without a command"):
        option3.idle_ends(world, idle)
    with report.check("removed again"):
        option3.remove(world)
        option3.cache_is_emptied(world)
    with report.check("all that DEPLOYMENT.md and the pages behind it say was run or seen"):
        never = world.document.never_seen()
        assert not never, never


def today(world: World, tools: Path):
    """What an engine of today, with the containerd image store and BuildKit, does otherwise than Debian 12's."""
    report = world.report
    with report.check("the compose file is sound, and says what is missing"):
        option3.compose_file(world, str(tools / "check-jsonschema"))
    with report.check("from nothing to a running relay"):
        option3.start(world)
    with report.check("what is in the image"):
        option3.image(world)
    proxy = world.proxy("proxy")
    with report.check(f"the design's commands, on {NEWEST}"):
        design.commands(world, proxy, NEWEST)
    with report.check(f"over from the service's former name, on {NEWEST}"):
        design.former_name(world, proxy, NEWEST)
    with report.check("updating and rolling back under load"):
        world.up(build=True)
        option3.update(world, proxy)
    with report.check("Compose 1.29 on an engine that it does not know"):
        trouble.old_compose_on_a_new_engine(world, stand_in=False)
    with report.check("removed again, with BuildKit's cache"):
        option3.remove(world)
        option3.cache_is_emptied(world)


def main() -> int:
    work, tools, agent_binary, newest = (Path(argument) for argument in sys.argv[1:5])
    # The time limit of `run` ends this with what has been made taken away again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the time is over"))
    world = World(work, str(tools / "python"), str(newest))
    try:
        with world.report.check("the machine image, the network, an authority"):
            world.prepare()
            from_nothing.npm(world)
        if not world.report.failed:
            if sys.argv[5:] == ["--today"]:
                today(world, tools)
            else:
                checks(world, tools, agent_binary)
    finally:
        with world.report.check("torn down: no container, network or image is left"):
            left = world.clean()
            assert not left, left
    return world.report.end()


if __name__ == "__main__":
    sys.exit(main())
