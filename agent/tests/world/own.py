"""Own commands and the config, without a network: a made-up relay on the loopback."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import time

from fake import Relay
from world import AGENT, USER, Process, check, main, run, until

KEY = "a0" * 32


class Home:
    """A user's home on this machine, and the agent there."""

    def __init__(self, relay=None):
        self.home = pathlib.Path(tempfile.mkdtemp())
        self.relay = relay or Relay()
        self.environment = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        self.config = self.home / ".config/home-alice/agent.toml"
        self.config.parent.mkdir(parents=True)
        self.own()
        self.agent = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.agent:
            with contextlib.suppress(Exception):
                self.agent.stop(signal.SIGKILL)
        self.relay.close()
        shutil.rmtree(self.home)

    def own(self):
        for path in [self.home, *self.home.rglob("*")]:
            os.chown(path, USER, USER, follow_symlinks=False)

    def command(self, *arguments):
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", AGENT, *arguments]

    def run(self, *arguments, expect=0, environment=None):
        return run(*self.command(*arguments), expect=expect, env=self.environment | (environment or {}), cwd="/")

    def write(self, commands, head=None):
        head = f'server = "{self.relay.url}"\nkey = "{KEY}"\n' if head is None else head
        text = commands if isinstance(commands, bytes) else (head + commands).encode()
        new = self.config.with_suffix(".tmp")
        new.write_bytes(text)
        new.chmod(0o600)
        self.own()
        new.rename(self.config)

    def program(self, name, lines, *keys):
        """Installs a program of this user's: a script of these lines, and its desktop file `name`.desktop."""
        script = self.home / "programs" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{lines}\n")
        script.chmod(0o755)
        file = self.home / f".local/share/applications/{name}.desktop"
        file.parent.mkdir(parents=True, exist_ok=True)
        keys = [key.replace("SCRIPT", str(script)) for key in (f"Name={name}", "Exec=SCRIPT %U", *keys)]
        file.write_text("\n".join(["[Desktop Entry]", "Type=Application", *keys, ""]))
        self.environment.setdefault("DISPLAY", ":none")
        self.own()
        return script

    def start(self):
        self.agent = Process(self.home / "agent.log", self.command(), env=self.environment, cwd="/")
        self.link = self.relay.linked()
        return self.link

    def children(self):
        """Returns the programs of the user, but for the agent."""
        mine = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if process.stat().st_uid == USER and (process / "environ").read_bytes().find(bytes(self.home)) >= 0 \
                        and int(process.name) != self.agent.popen.pid and (process / "cmdline").read_bytes():
                    mine.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return mine


def test_the_first_line_a_text_or_that_it_is_done_is_said():
    with Home() as home:
        home.write('''
            [[command]]
            say = "найди фильм *"
            run = ["sh", "-c", "printf '\\\\n%s\\\\nвторая\\\\n' \\"Фильм $1\\"", "sh", "*"]
            answer = "output"
            [[command]]
            say = ["открой почту", "почта"]
            run = ["true"]
            answer = "Почта открыта."
            [[command]]
            say = "тихо"
            run = "true"
            [[command]]
            say = "сломай"
            run = ["sh", "-c", "exit 3"]
            [[command]]
            say = "нет её"
            run = ["no-such-program"]
            [[command]]
            say = "*"
            run = ["echo", "Не понял: *"]
            answer = "output"
        ''')
        link = home.start()
        for said, ok, text in [("найди фильм ёлки 2", True, "Фильм ёлки 2"), ("почта", True, "Почта открыта."),
                               ("тихо", True, "Готово."), ("сломай", False, "Программа закончилась с ошибкой 3."),
                               ("нет её", False, "Нет программы no-such-program."),
                               ("проверка связи", True, "Связь есть."), ("что угодно", True, "Не понял: что угодно")]:
            answer = link.ask(said)
            check((answer["ok"], answer["text"]) == (ok, text), said, answer)


def test_text_from_outside_reaches_no_shell_and_no_option():
    with Home() as home:
        home.write('[[command]]\nsay = "покажи *"\nrun = ["python3", "-c", "import sys; print(sys.argv[1:])", "*"]\n'
                   'answer = "output"\n')
        link = home.start()
        for said, argument in [("покажи $(touch x) `touch y` ; touch z", "$ touch x `touch y` touch z"),
                               ("покажи --help", "help"), ("покажи ../../etc/passwd", "etc passwd"),
                               ("покажи a\u0000b\nc", "a b c"), ("покажи '\"&|<>", "|<>")]:
            answer = link.ask(said)
            check(answer["text"] == str([argument]), said, answer)
        check(not list(home.config.parent.glob("[xyz]")), "no shell has seen it")


def test_a_program_that_hangs_prints_without_end_or_forks_is_ended_and_the_next_works():
    with Home() as home:
        (home.home / "stubborn").write_text("#!/bin/sh\ntrap '' TERM\nsleep 300 & sleep 301 & while :; do sleep 302; done\n")
        (home.home / "stubborn").chmod(0o755)
        home.write(f'''
            [[command]]
            say = "зависни"
            run = ["sleep", "303"]
            timeout = 1
            [[command]]
            say = "печатай"
            run = ["yes", "без конца"]
            answer = "output"
            timeout = 2
            [[command]]
            say = "размножайся"
            run = ["{home.home}/stubborn"]
            timeout = 1
            [[command]]
            say = "оставь"
            run = ["sh", "-c", "sleep 304 & echo оставил"]
            answer = "output"
        ''')
        link = home.start()
        for said in ["зависни", "печатай", "размножайся"]:
            answer = link.ask(said)
            check(not answer["ok"] and "не успела" in answer["text"], said, answer)
            check(link.ask("проверка связи")["ok"], "the next command works")
        until(lambda: not home.children(), 5, home.children)
        status = pathlib.Path(f"/proc/{home.agent.popen.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0])
        check(peak < 12_000, "what is printed without end is not kept:", peak, "KB")
        begun = time.monotonic()
        check(link.ask("оставь")["text"] == "оставил" and time.monotonic() - begun < 5, "what it leaves behind holds nobody")


def test_otmena_ends_what_runs_without_waiting_its_turn():
    with Home() as home:
        home.write('[[command]]\nsay = "долго"\nrun = ["sh", "-c", "trap \'\' TERM; sleep 305; sleep 306"]\ntimeout = 600\n'
                   '[[command]]\nsay = "недолго"\nrun = ["sleep", "307"]\ntimeout = 600\n')
        link = home.start()
        check(link.ask("отмена")["text"] == "Отменять нечего.")
        for said in ["недолго", "долго"]:
            first = link.command(said)
            until(home.children, 5, "it runs")
            second, begun = link.command("отмена"), time.monotonic()
            answers = {answer["id"]: answer for answer in [link.answer(), link.answer()]}
            took = time.monotonic() - begun
            check(answers[second]["text"] == "Останавливаю.", answers)
            check(not answers[first]["ok"] and answers[first]["text"] == "Остановлено.", answers)
            check((took >= 2) == (said == "долго"), "KILL comes 2 s behind TERM:", said, took)
            until(lambda: not home.children(), 5, home.children)


def test_commands_are_carried_out_in_their_order_and_too_many_are_refused_at_once():
    with Home() as home:
        home.write('[[command]]\nsay = "строка *"\nrun = ["sh", "-c", "echo $1 >> lines", "sh", "*"]\n'
                   '[[command]]\nsay = "подожди"\nrun = ["sleep", "1"]\n')
        link = home.start()
        link.command("подожди")
        # The one at work, and those that may wait.
        until(home.children, 5, "it runs")
        sent = [link.command(f"строка {number}") for number in range(70)]
        answers = [link.answer() for _ in range(71)]
        refused = [answer for answer in answers if "Слишком много" in answer["text"]]
        check([answer["id"] for answer in refused] == sent[64:], "those past the bound:", refused)
        lines = (home.config.parent / "lines").read_text().split()
        check(lines == [str(number) for number in range(64)], lines)


def test_a_late_command_is_not_carried_out():
    with Home() as home:
        home.write('[[command]]\nsay = "отметь *"\nrun = ["touch", "*"]\n[[command]]\nsay = "подожди"\nrun = ["sleep", "2"]\n')
        link = home.start()
        check(not link.ask("отметь раз", wait=-1)["ok"])
        # A word that waits behind another is promised; an action of Smart Home was told to have failed.
        link.command("подожди")
        word, action = link.command("отметь два", wait=500), link.command("отметь три", wait=500, action={"value": 1})
        answers = {answer["id"]: answer["ok"] for answer in [link.answer() for _ in range(3)]}
        check(answers[word] and not answers[action], answers)
        marks = {path.name for path in home.config.parent.iterdir()}
        check("два" in marks and not marks & {"раз", "три"}, marks)


def test_a_changed_config_counts_at_once_and_a_broken_one_keeps_the_old_state():
    with Home() as home:
        command = '[[command]]\nsay = "кто ты"\nrun = ["echo", "%s"]\nanswer = "output"\n'
        home.write(command % "первый")
        link = home.start()
        check(link.ask("кто ты")["text"] == "первый")
        for attempt, broken, told in [
            (1, command % "x" + "[[command]]\nsay = 5\n", "строка 8"),
            (2, command.encode("cp1251") % "И".encode("cp1251"), "UTF-8"),
            (3, "# " + "x" * 1_000_000, "больше 256 КБ"),
        ]:
            place = len(home.agent.text())
            home.write(broken)
            place = home.agent.says("Работают прежние настройки", behind=place)
            check(told in home.agent.text(), home.agent.text())
            check(link.ask("кто ты")["text"] == "первый", "the old state is kept")
            check(told in home.run("status").stdout, "status tells of it")
            home.write(command % f"снова {attempt}")
            home.agent.says("Настройки прочитаны заново", behind=place)
            check(link.ask("кто ты")["text"] == f"снова {attempt}")
            home.write(command % "первый")
            home.agent.says("Настройки прочитаны заново", behind=home.agent.says("заново", behind=place))
        # In place, as some editors write.
        place = len(home.agent.text())
        with open(home.config, "r+", encoding="utf-8") as file:
            text = file.read().replace("первый", "на месте")
            file.seek(0)
            file.write(text)
        home.agent.says("Настройки прочитаны заново", behind=place)
        check(link.ask("кто ты")["text"] == "на месте")
        # An empty file is one that an editor has yet to write.
        place = len(home.agent.text())
        home.config.write_text("")
        home.config.write_text(text)
        time.sleep(0.5)
        check("прежние" not in home.agent.text()[place:] and link.ask("кто ты")["text"] == "на месте")


def test_what_is_no_file_is_told_and_waited_for_by_nobody():
    for make in [os.mkfifo, os.mkdir]:
        with Home() as home:
            make(home.config)
            check("не файл" in home.run(expect=2).stderr, make)
            check("не файл" in home.run("status", expect=1).stdout, make)


def test_a_terminal_that_is_closed_ends_what_runs():
    with Home() as home:
        home.write('[[command]]\nsay = "долго"\nrun = ["sleep", "309"]\ntimeout = 600\n')
        home.start().command("долго")
        until(home.children, 5, "it runs")
        check(home.agent.stop(signal.SIGHUP) == 0 and not home.children(), home.children())


def test_own_words_count_where_the_relay_knows_no_card_and_the_relays_where_it_does():
    with Home() as home:
        home.write('[[command]]\nsay = "включи ноутбук"\nrun = ["echo", "сам"]\nanswer = "output"\n')
        link = home.start()
        check(link.ask("включи ноутбук", wake=[])["text"] == "сам")
        check("Разбудить некому" in link.ask("включи сервер", wake=[])["text"])
        check(link.ask("включи ноутбук", wake=["aa:bb:cc:dd:ee:ff"])["text"] != "сам")


def test_a_state_that_another_agent_has_left_is_not_believed():
    with Home() as home:
        home.write("")
        home.start()
        home.agent.says("Связь есть")
        state = home.home / ".local/state/home-alice/agent.json"
        told = json.loads(state.read_text())
        state.write_text(json.dumps(told | {"process": os.getpid()}))
        done = home.run("status", expect=1)
        check("не пишет" in done.stderr, done)
        home.run("uninstall", "--yes")
        check(home.agent.popen.wait(10) == 0, "the agent has ended, and nobody else")


def test_another_server_in_the_config_is_gone_to():
    with Home() as home, contextlib.closing(Relay()) as other:
        home.write("")
        link = home.start()
        home.write("", head=f'server = "{other.url}"\nkey = "{KEY}"\n')
        moved = other.linked()
        check(moved.ask("проверка связи")["ok"])
        try:
            while link.read()[0] != 8:
                pass
        except EOFError:
            raise AssertionError("the old link is closed with a word") from None


def test_the_agent_ends_well_and_ends_what_runs():
    with Home() as home:
        home.write('[[command]]\nsay = "долго"\nrun = ["sleep", "308"]\ntimeout = 600\n')
        link = home.start()
        link.command("долго")
        until(home.children, 5, "it runs")
        check("Связь есть" in home.run("status").stdout)
        check(home.agent.stop() == 0, "it ends well")
        check(not home.children(), home.children())
        done = home.run("status", expect=1)
        check("не работает" in done.stdout, done.stdout)
        home.agent = None


def test_a_killed_agent_is_told_to_be_gone():
    with Home() as home:
        home.write("")
        home.start()
        home.agent.says("Связь есть")
        home.agent.stop(signal.SIGKILL)
        done = home.run("status", expect=1)
        check("не работает" in done.stdout, done.stdout)


def test_there_is_one_agent_for_each_user():
    with Home() as home:
        home.write("")
        link = home.start()
        done = home.run(expect=2)
        check("уже работает" in done.stderr, done.stderr)
        check(link.ask("проверка связи")["ok"], "the first one stays")


def test_only_the_owner_reads_what_the_agent_writes():
    with Home() as home:
        home.write("")
        home.start()
        home.agent.says("Связь есть")
        for path in (home.home / ".local/state/home-alice").iterdir():
            check(stat.S_IMODE(path.stat().st_mode) == 0o600, path)
        check(KEY not in (home.home / ".local/state/home-alice/agent.json").read_text())


def test_the_agent_listens_on_no_port():
    with Home() as home:
        home.write("")
        home.start()
        home.agent.says("Связь есть")
        found = subprocess.run(["ss", "-Hlnp", "-A", "inet"], capture_output=True, text=True, check=True).stdout
        check(f"pid={home.agent.popen.pid}," not in found, found)


def test_the_hello_tells_version_and_cards():
    with Home() as home:
        home.write("")
        link = home.start()
        version = home.run("--version").stdout.strip()
        check(link.hello["agent"] == version, link.hello)
        check(all(len(card) == 17 for card in link.hello["macs"]), link.hello)
        check(link.head["authorization"] == f"Bearer {KEY}", "the key stands in no address")


def test_a_path_or_a_site_is_opened_by_the_desktop():
    with Home() as home:
        lines = f'printf "%s\\n" "$@" >> {home.home}/opened\n[ "$1" != https://bad.example/ ]'
        home.program("browser", lines)
        home.program("files", lines, "Exec=SCRIPT %f")
        (home.home / ".config/mimeapps.list").write_text(
            "[Default Applications]\nx-scheme-handler/https=browser.desktop\ninode/directory=files.desktop;\n")
        (home.home / "Моя музыка").mkdir()
        home.write('[[command]]\nsay = "почта"\nopen = "https://mail.example/"\n'
                   '[[command]]\nsay = "музыка"\nopen = "~/Моя музыка"\n'
                   '[[command]]\nsay = "найди *"\nopen = "https://find.example/?q=*&l=ru"\nanswer = "Ищу."\n'
                   '[[command]]\nsay = "нет"\nopen = "~/нет её"\n[[command]]\nsay = "плохо"\nopen = "https://bad.example/"\n')
        link = home.start()
        for said in ["почта", "музыка"]:
            answer = link.ask(said)
            check(answer["text"] == "Открываю.", answer)
        check(link.ask("найди кота и ёлку")["text"] == "Ищу.")
        check("Нет такого файла" in link.ask("нет")["text"] and not link.ask("плохо")["ok"])
        opened = (home.home / "opened").read_text().split("\n")
        query = "%D0%BA%D0%BE%D1%82%D0%B0%20%D0%B8%20%D1%91%D0%BB%D0%BA%D1%83"
        check(opened[:3] == ["https://mail.example/", f"{home.home}/Моя музыка", f"https://find.example/?q={query}&l=ru"],
              opened)


if __name__ == "__main__":
    main(globals())
