"""The command line, as its owner types it."""

import os
import pty
import re
import subprocess

from own import KEY, Home
from world import AGENT, check, main, run

OWN = '''
[[command]]
say = ["открой почту", "почта"]
open = "https://mail.example/"
[[command]]
say = "найди фильм *"
run = ["sh", "-c", "touch found; echo $1", "sh", "*"]
answer = "output"
[[command]]
say = "включи сервер"
wake = "01:23:45:67:89:ab"
'''


def test_root_is_refused_in_all_but_help_and_version():
    check(os.geteuid() == 0, "this test is root's")
    with Home() as home:
        environment = {"HOME": str(home.home), "PATH": "/usr/bin:/bin"}
        for arguments in [[], ["join", "a.b", "x"], ["say", "громче"], ["commands"], ["scenarios"], ["status"],
                          ["autostart", "on"], ["selftest"], ["uninstall", "--yes"], ["say", "x", "--as-root"]]:
            done = run(AGENT, *arguments, expect=2, env=environment)
            check("--as-root" in done.stderr and "без sudo" in done.stderr, arguments, done.stderr)
        for help in [["--help"], ["--as-root", "--help"]]:
            check("join" in run(AGENT, *help, env=environment).stdout)
        version = run(AGENT, "--version", env=environment).stdout
        check(re.fullmatch(r"home-alice-agent \d+\.\d+\.\d+\n", version), version)
        check("Встроенные" in run(AGENT, "--as-root", "commands", env=environment).stdout)


def test_help_is_in_both_languages_and_names_every_command():
    with Home() as home:
        text = home.run("--help").stdout
        for command in ["join", "say", "commands", "scenarios", "status", "autostart on | off", "selftest", "uninstall",
                        "--version | --help"]:
            check(text.count(f"  home-alice-agent {command}") == 2, command)
        for odd in [["нет"], ["say"], ["autostart"], ["join", "a.b"], ["scenarios", "--skill"]]:
            check("Такой команды нет" in home.run(*odd, expect=2).stderr, odd)


def test_say_tells_what_would_be_done_and_does_it_only_when_asked_to():
    with Home() as home:
        home.write(OWN)
        said = home.run("say", "найди фильм ёлки").stdout
        check("запустить" in said and "«ёлки»" in said and "первая строка" in said, said)
        check(not (home.config.parent / "found").exists(), "nothing is done")
        said = home.run("say", "найди фильм ёлки", "--do").stdout
        check("Сделано: ёлки" in said and (home.config.parent / "found").exists(), said)
        check("Открываю." in home.run("say", "почта").stdout)
        check("Не знаю такой команды" in home.run("say", "громыхни", expect=1).stderr)


def test_commands_lists_all_that_is_understood():
    with Home() as home:
        home.write(OWN)
        listed = home.run("commands").stdout
        for words in ["открой почту | почта", "https://mail.example/", "найди фильм *", "01:23:45:67:89:ab", "отмена"]:
            check(words in listed, words, listed)
        for example in re.findall(r"^  (\S[^|*]*?)  +\S", listed.split("Встроенные")[1], re.MULTILINE):
            said = home.run("say", example, expect=None)
            # Or what it names isn't here.
            check("Понято" in said.stdout or "Не знаю" not in said.stderr, example, said)


def test_scenarios_are_one_line_a_phrase_with_warnings_beside_them():
    with Home() as home:
        home.write(OWN + '[[command]]\nsay = ["открой steam", "открой почту!"]\nopen = "steam://x"\n')
        done = home.run("scenarios", "--skill", "Домашний компьютер")
        lines = done.stdout.splitlines()
        check("открой почту на компе — попроси Домашний компьютер открой почту" in lines, lines)
        for warning in ["латинские", "похожи", "остаток"]:
            check(warning in done.stderr, warning, done.stderr)
        check("попроси Мой дом почта" in home.run("scenarios", "--skill", "Мой дом").stdout)


def test_a_broken_config_is_told_with_its_line():
    with Home() as home:
        home.write("[[command]]\nsay = 5\n")
        for arguments in [["say", "x"], ["commands"], ["scenarios"], []]:
            check("строка 4" in home.run(*arguments, expect=2).stderr, arguments)
        check("строка 4" in home.run("status", expect=1).stdout)


def test_without_a_config_it_says_what_to_do():
    with Home() as home:
        check("invite" in home.run(expect=2).stderr)
        check("отмена" in home.run("commands").stdout)


def test_a_config_that_others_may_read_is_warned_of():
    with Home() as home:
        home.write(OWN)
        home.config.chmod(0o644)
        home.start()
        home.agent.says(f"chmod 600 {home.config}")


def test_selftest_tells_what_works_and_undoes_it():
    with Home() as home:
        home.write(OWN)
        home.start()
        home.agent.says("Связь есть")
        before = sorted(path.name for path in home.home.rglob("*"))
        report = home.run("selftest", expect=None).stdout
        for words in ["✔ настройки: своих команд 3", "✔ файлы агента", "✔ своя программа", "✔ зависшая программа", "✔ связь"]:
            check(words in report, words, report)
        check(KEY not in report and str(home.home) not in report and "127.0.0.1" not in report, report)
        check(before == sorted(path.name for path in home.home.rglob("*")), "each thing is undone")


def test_selftest_tells_what_does_not():
    with Home() as home:
        report = home.run("selftest", expect=1).stdout
        check("✘ настройки" in report and "✘ связь" in report, report)


def test_autostart_is_a_unit_of_the_users_systemd():
    with Home() as home:
        home.write(OWN)
        unit = home.home / ".config/systemd/user/home-alice-agent.service"
        wanted = home.home / ".config/systemd/user/default.target.wants/home-alice-agent.service"
        # A machine that was started by systemd, and has no session of it here.
        booted = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"', "sh"]
        done = run(*booted, *home.command("autostart", "on"), env=home.environment)
        check("со следующего" in done.stdout, done)
        check(wanted.resolve() == unit and str(AGENT) in unit.read_text(), unit.read_text())
        run("systemd-analyze", "verify", "--user", unit, env=os.environ | {"XDG_RUNTIME_DIR": str(home.home)})
        check("выключен" in run(*booted, *home.command("autostart", "off"), env=home.environment).stdout)
        check(not unit.exists() and not wanted.is_symlink())
        check("не был" in home.run("autostart", "off").stdout)
        no_systemd = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
        done = run(*no_systemd, *home.command("autostart", "on"), env=home.environment, expect=1)
        check("нет systemd" in done.stderr and not unit.exists(), done)


def test_uninstall_leaves_nothing():
    with Home() as home:
        home.write(OWN)
        home.start()
        home.agent.says("Связь есть")
        check("--yes" in home.run("uninstall", expect=2).stderr, "nobody is there to be asked")
        home.run("uninstall", "--yes")
        check(home.agent.popen.wait(10) == 0, "the agent that ran has ended")
        home.agent.log.unlink()
        home.agent = None
        left = [path for path in home.home.rglob("*") if path.is_file() or path.is_symlink()]
        check(not left and not home.config.parent.exists(), left)


def test_a_terminal_is_asked_before_anything_is_removed():
    with Home() as home:
        home.write(OWN)
        for answer, is_left in [(b"\n", True), ("нет\n".encode(), True), ("да\n".encode(), False)]:
            parent, child = pty.openpty()
            process = subprocess.Popen(home.command("uninstall"), stdin=child, stdout=child, stderr=child, env=home.environment)
            os.close(child)
            os.write(parent, answer)
            process.wait(20)
            os.close(parent)
            check(home.config.exists() == is_left, answer)


if __name__ == "__main__":
    main(globals())
