"""The link: what becomes of it when the relay, the network or the PC stops, and that nothing runs late."""

import signal
import time

from world import World, check, main, run

MARK = '[[command]]\nsay = "отметь *"\nrun = ["touch", "*"]\n' \
       '[[command]]\nsay = "долго"\nrun = ["sleep", "120"]\ntimeout = 300\n'


def linked(world):
    pc = world.pc("pc")
    pc.write(pc.head() + MARK)
    agent = pc.start()
    agent.says("Связь есть")
    world.relay.says("connected from")
    return pc, agent


def marked(pc, name):
    return (pc.config.parent / name).exists()


def given_up(world, phrase):
    """Within 2 s of a sign of life a command is sent, and its loss is told with the link's; later it is not even sent."""
    said = world.ask(phrase)
    check("ещё выполняет" in said or "не отправлена" in said or "не на связи" in said, said)


def test_the_relay_is_restarted():
    with World("r") as world:
        pc, agent = linked(world)
        check(world.ask("отметь раз") == "Готово.")
        place = len(agent.text())
        check(world.relay.stop() == 0, "the relay ends well")
        place = agent.says("сервер остановился", behind=place)
        place = agent.says("прокси отвечает 502", behind=place)
        world.relay_start()
        agent.says("Связь есть", behind=place)
        check(world.ask("отметь два") == "Готово." and marked(pc, "два"))


def test_the_network_is_cut_at_the_pc_and_comes_back():
    """Its own cable: the agent hears of it, and is back as soon as the cable is."""
    with World("t") as world:
        pc, agent = linked(world)
        place = len(agent.text())
        ip(pc.space, "link", "set", "eth0", "down")
        given_up(world, "отметь раз")
        place = agent.says("Связи нет", behind=place, seconds=60)
        time.sleep(20)
        begun = time.monotonic()
        ip(pc.space, "link", "set", "eth0", "up")
        agent.says("Связь есть", behind=place, seconds=20)
        took = time.monotonic() - begun
        print(f"      back {took:.1f} s after the cable")
        check(world.ask("отметь два") == "Готово." and marked(pc, "два"))
        check(not marked(pc, "раз"), "what was given up did not happen")


def test_the_network_is_cut_on_the_way_for_60_s():
    """Somewhere behind the router: nobody is told, and nothing comes."""
    with World("u") as world:
        pc, agent = linked(world)
        place = len(agent.text())
        ip(world.space, "link", "set", pc.outer, "nomaster")
        begun = time.monotonic()
        given_up(world, "отметь раз")
        place = agent.says("от сервера ничего не приходит", behind=place, seconds=58)
        given_up(world, "отметь два")
        time.sleep(max(0, 60 - (time.monotonic() - begun)))
        ip(world.space, "link", "set", pc.outer, "master", "br0")
        agent.says("Связь есть", behind=place, seconds=60)
        check(world.ask("отметь три") == "Готово." and marked(pc, "три"))
        check(not marked(pc, "раз") and not marked(pc, "два"), "what was given up did not happen")


def test_a_pc_that_stops_for_70_s_does_nothing_late():
    with World("v") as world:
        pc, agent = linked(world)
        agent.popen.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        # The first is read when the PC goes on.
        given_up(world, "отметь раз")
        given_up(world, "отметь два")
        time.sleep(max(0, 70 - (time.monotonic() - begun)))
        place = len(agent.text())
        agent.popen.send_signal(signal.SIGCONT)
        agent.says("Связь есть", behind=place, seconds=20)
        check(world.ask("отметь три") == "Готово." and marked(pc, "три"))
        check(not marked(pc, "раз") and not marked(pc, "два"), "nothing runs late", agent.text())
        status = pc.run("status").stdout
        check("Связь есть" in status, status)


def test_what_waits_behind_another_command_is_forgotten_with_the_link():
    with World("w") as world:
        pc, agent = linked(world)
        check("ещё выполняет" in world.ask("долго"))
        said = world.ask("отметь раз")
        check("ещё выполняет" in said, said)
        place = len(agent.text())
        world.relay.stop(signal.SIGKILL)
        place = agent.says("Связи нет", behind=place)
        world.relay_start()
        agent.says("Связь есть", behind=place)
        check(world.ask("отмена") == "Останавливаю.", "it waits for nothing")
        check(world.ask("отметь два") == "Готово." and marked(pc, "два"))
        check(not marked(pc, "раз"), "the relay has forgotten it, and so has the agent")


def ip(space, *arguments):
    run("ip", "-n", space, *arguments)


if __name__ == "__main__":
    main(globals())
