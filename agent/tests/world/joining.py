"""From «the relay runs» to a command that is heard and done: one line on the PC."""

import json
import stat

from world import AGENT, DOMAIN, KEY, SECRET, World, check, main


def line_of(world, *options):
    out = world.relay_run("invite", *options).stdout
    lines = [line for line in out.splitlines() if line.startswith("home-alice-agent join ")]
    check(len(lines) == 1, "invite prints one line for the PC:", out)
    return lines[0].split()[1:]


def test_one_line_joins_a_pc_and_it_does_what_is_said():
    with World("j") as world:
        pc = world.pc("pc")
        join = line_of(world, "--domain", DOMAIN)
        done = pc.run(*join)
        check("Связь есть." in done.stdout, done.stdout, done.stderr)
        check(KEY not in done.stdout + done.stderr, "the key is shown nowhere")
        check(stat.S_IMODE(pc.config.stat().st_mode) == 0o600, "only its owner reads the config")
        check(f'server = "wss://{DOMAIN}/ws"' in pc.config.read_text(), pc.config.read_text())
        pc.write(pc.config.read_text() + '[[command]]\nsay = "громче"\nrun = ["touch", "louder"]\nanswer = "Громче."\n')
        agent = pc.start()
        agent.says(f"Связь есть: wss://{DOMAIN}/ws")
        check(world.ask("громче") == "Громче.", world.relay.text())
        check((pc.config.parent / "louder").exists(), "it was done")
        arguments = open(f"/proc/{agent.pid}/cmdline").read() + open(f"/proc/{agent.pid}/environ").read()
        check(KEY not in arguments + agent.text() + world.relay.text(), "the key stands in no process list and no log")
        code = join[-1]
        check(code not in world.relay.text(), "nor does the code")


def test_a_code_counts_once_and_a_wrong_one_never():
    with World("k") as world:
        pc = world.pc("pc")
        join = line_of(world, "--domain", DOMAIN)
        pc.run(*join)
        before = pc.config.read_text()
        for code in [join[-1:], ["ABCD-EFGH-JKMN"], [""], ["код"], ["abcd", "efgh", "jkmn"]]:
            done = pc.run("join", DOMAIN, *code, expect=1)
            check("код неверный" in done.stderr and "invite" in done.stderr, done.stderr)
        check(pc.config.read_text() == before, "the config stays as it was")


def test_each_pc_gets_its_own_key_and_keeps_its_own_commands():
    with World("l", AGENTS="ноутбук=" + "c2" * 32) as world:
        pc = world.pc("pc")
        own = '\n# моё\n[[command]]\nsay = "почта"\nopen = "https://mail.example/"\n'
        pc.write(pc.head(key="d3" * 32) + own)
        done = pc.run(*line_of(world, "--domain", DOMAIN, "ноутбук"))
        check("«ноутбук»" in done.stdout, done.stdout)
        text = pc.config.read_text()
        check("c2" * 32 in text and "d3" * 32 not in text and own.strip() in text, text)


def test_a_config_behind_a_link_is_written_where_it_is():
    with World("q") as world:
        pc = world.pc("pc")
        pc.write(pc.head(key="wrong") + '[[command]]\nsay = "почта"\nopen = "https://mail.example/"\n')
        kept = pc.home / "dotfiles.toml"
        pc.config.rename(kept)
        pc.config.symlink_to(kept)
        pc.run(*line_of(world, "--domain", DOMAIN))
        check(pc.config.is_symlink() and KEY in kept.read_text() and "почта" in kept.read_text(), kept.read_text())
        agent = pc.start()
        agent.says("Связь есть")
        # The file itself is replaced, as an editor does.
        new = kept.with_suffix(".new")
        new.write_text(kept.read_text().replace("почта", "новая почта"))
        new.rename(kept)
        agent.says("Настройки прочитаны заново")


def test_a_key_that_no_agent_can_send_is_not_given():
    with World("s", API_KEY="ключ-" * 8) as world:
        done = world.relay_run("invite", "--domain", DOMAIN, expect=None)
        check(done.returncode != 0 and "API_KEY" in done.stderr, done)


def test_on_the_relays_own_machine_a_whole_address_joins():
    with World("m") as world:
        # Over the network the same is refused: the key would go in the clear.
        world.nginx_start(port=81, is_plain=True)
        done = world.pc("pc").run("join", f"ws://{DOMAIN}:81/ws", line_of(world)[2], expect=1)
        check("https" in done.stderr, done.stderr)
        join = line_of(world)
        check(join[1] == "ws://127.0.0.1:8080/ws", join)
        home = world.dir / "server-home"
        home.mkdir()
        done = world.on_server(AGENT, "--as-root", *join, env={"HOME": str(home), "PATH": "/usr/bin:/bin"})
        check("Связь есть." in done.stdout, done.stdout, done.stderr)


def test_with_the_webhook_open_nobody_is_invited():
    with World("n") as world:
        del world.environment["WEBHOOK_SECRET"]
        done = world.relay_run("invite", "--domain", DOMAIN, expect=None)
        check(done.returncode != 0 and "WEBHOOK_SECRET" in done.stderr, done)
        world.environment["WEBHOOK_SECRET"] = SECRET


def test_a_config_that_can_not_be_kept_costs_no_code():
    with World("o") as world:
        pc = world.pc("pc")
        pc.write(pc.head() + '[[command]]\nsay = "почта\n')
        join = line_of(world, "--domain", DOMAIN)
        done = pc.run(*join, expect=1)
        check("строка" in done.stderr and "код ещё действует" in done.stderr, done.stderr)
        pc.write(pc.head())
        check("Связь есть." in pc.run(*join).stdout)


def test_an_agent_that_runs_takes_the_new_key_by_itself():
    with World("p") as world:
        pc = world.pc("pc")
        pc.write(pc.head(key="wrong"))
        agent = pc.start()
        agent.says("ключ не подходит")
        done = pc.run(*line_of(world, "--domain", DOMAIN))
        check("Связь есть" in done.stdout, done.stdout)
        told = json.loads((pc.home / ".local/state/home-alice/agent.json").read_text())
        check(told["linked"] == f"wss://{DOMAIN}/ws", told)


if __name__ == "__main__":
    main(globals())
