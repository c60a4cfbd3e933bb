"""The exe under Wine, in a tree of Debian 13 with a screen and a sound server: against the real relay and a made-up one. Its
user's name has Cyrillic letters and a space. Needs root: wine.py TREE EXE, with RELAY and AGENT, the one for Linux, in the environment."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "world"))
TREE, EXE = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
from fake import Relay  # noqa: E402: only now can it be found
from world import RELAY, Process, check, main, run, until  # noqa: E402

USER, NAME, KEY = 1000, "Иван Петров", "a0" * 32
RUN = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run"
INSIDE = 'mount -t proc proc "$0/proc"; exec chroot "$0" setpriv --reuid=1000 --regid=1000 --clear-groups env -i "$@"'


class Pc:
    """A user's Windows, with a screen and sound."""

    def __init__(self):
        self.running = []
        # Below the tree: it is what the user sees.
        self.home = pathlib.Path(tempfile.mkdtemp(dir=TREE / "home"))
        self.logs = pathlib.Path(tempfile.mkdtemp())
        users = TREE / "etc/passwd"
        lines = [line for line in users.read_text().splitlines() if not line.startswith(NAME)]
        users.write_text("\n".join([*lines, f"{NAME}:x:{USER}:{USER}::{self.inner(self.home)}:/bin/sh", ""]))
        runtime = self.home / "run"
        runtime.mkdir(mode=0o700)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": self.inner(self.home), "USER": NAME, "LANG": "C.UTF-8",
                            "WINEDEBUG": "-all", "XDG_RUNTIME_DIR": self.inner(runtime)}
        for path in [self.home, runtime]:
            os.chown(path, USER, USER)
        self.home.chmod(0o755)

    @staticmethod
    def inner(path):
        """A path as the tree sees it."""
        return "/" + str(pathlib.Path(path).relative_to(TREE))

    def command(self, *arguments):
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        return ["unshare", "-m", "sh", "-eu", "-c", INSIDE, TREE, *environment, *arguments]

    def run(self, *arguments, expect=0):
        # Into files: what Wine starts beside it would hold a pipe open.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = [str(argument) for argument in self.command(*arguments)]
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=120).returncode
            out.seek(0), err.seek(0)
            done = subprocess.CompletedProcess(command, code, out.read(), err.read())
        check(expect in (None, code), arguments, "ended with", code, done.stdout, done.stderr)
        return done

    def service(self, log, *arguments, **options):
        process = Process(self.logs / f"{log}.log", self.command(*arguments), start_new_session=True, **options)
        self.running.append(process)
        return process

    def __enter__(self):
        try:
            read, write = os.pipe()
            server = self.service("screen", "Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp",
                                  pass_fds=[write])
            os.close(write)
            with open(read) as number:
                self.display = f":{number.readline().strip()}"
            check(self.display != ":", server.text())
            self.environment["DISPLAY"] = self.display
            self.service("manager", "openbox")
            self.service("sound", "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
                         "--load=module-native-protocol-unix", "--load=module-null-sink sink_name=out")
            self.run("wineboot", "-i")
            # Something has to keep it running, or each start takes seconds.
            self.service("wine", "wineserver", "-f", "-p")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.run("wineserver", "-k", expect=None)
        for process in reversed(self.running):
            with contextlib.suppress(Exception):
                os.killpg(process.popen.pid, signal.SIGKILL)
                process.popen.wait(20)
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.logs)

    @property
    def profile(self):
        return self.home / ".wine/drive_c/users" / NAME

    @property
    def folder(self):
        """The agent's."""
        return self.profile / "AppData/Local/Home Alice"

    def agent(self, *arguments, expect=0):
        return self.run("wine", EXE, *arguments, expect=expect)

    def write(self, text, encoding="utf-8-sig"):
        """Writes the config as Notepad does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / "new.tmp"
        new.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        for path in [new, *new.parents]:
            if self.profile in path.parents:
                os.chown(path, USER, USER)
        new.rename(self.folder / "agent.toml")

    def programs(self):
        """Returns what runs."""
        return self.run("wine", "tasklist").stdout

    def autostart(self):
        # The console's code page is none that Cyrillic survives here; the end of the path is enough.
        return self.run("wine", "reg", "query", RUN, expect=None).stdout

    def keys(self, *arguments):
        return run("xdotool", *arguments, env={"DISPLAY": self.display, "PATH": os.environ["PATH"]}, expect=None).stdout

    def window(self, title):
        return until(lambda: self.keys("search", "--name", title).split()[-1:], 30, f"a window of {title}")[0]

    def titles(self):
        return [self.keys("getwindowname", one).strip() for one in self.keys("search", "--onlyvisible", "--name", ".").split()]

    def log(self):
        return self.read("agent.log").decode("utf-8-sig")

    def read(self, name):
        """Returns what is in a file of the agent's, which may be about to be replaced."""
        with contextlib.suppress(OSError):
            return (self.folder / name).read_bytes()
        return b""

    def told(self, what):
        """Returns something of what the agent has told last."""
        with contextlib.suppress(ValueError):
            return json.loads(self.read("agent.json"))[what]
        return None

    def is_linked(self):
        return self.told("linked")


class Server:
    """The real relay, on this machine."""

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.folder = tempfile.mkdtemp()
        self.environment = {"API_KEY": KEY, "WEBHOOK_SECRET": "b1" * 32, "LISTEN_ADDR": f"127.0.0.1:{port}", "PATH": "/usr/bin"}
        self.start()
        return self

    def start(self):
        log = pathlib.Path(tempfile.mkstemp(dir=self.folder)[1])
        self.process = Process(log, [RELAY], env=self.environment)
        self.process.says("Relay started on")

    def run(self, *arguments):
        return run(RELAY, *arguments, env=self.environment, expect=None).stdout

    def __exit__(self, *_):
        self.process.stop()
        shutil.rmtree(self.folder)


def test_a_double_click_joins_installs_and_goes_on_without_a_window():
    with Pc() as pc, Server() as server:
        line = re.search(r"home-alice-agent join .*", server.run("invite"))[0]
        pc.service("console", "wine", "wineconsole", EXE)
        pc.keys("windowactivate", "--sync", pc.window("home-alice-agent"))
        pc.keys("type", "--delay", "20", line)
        pc.keys("key", "Return")
        until((pc.folder / "agent.toml").exists, 30, "the config")
        # What is asked then: whether to start with Windows. An empty answer is the default.
        time_to_ask = (pc.folder / "agent.toml").stat().st_mtime
        until(lambda: time.time() > time_to_ask + 1, 5, "the question")
        pc.keys("key", "Return")
        until(pc.is_linked, 40, "the link")
        check("Связь есть" in pc.log(), pc.log())
        check("home-alice-agentw.exe" in pc.autostart(), pc.autostart())
        check("home-alice-agentw.exe" in pc.programs(), pc.programs())
        check("Связь есть" in server.run("ask", "проверка связи"))
        # A second start is told of, and one is enough.
        check("уже работает" in pc.agent(expect=2).stderr)
        check("Связь есть" in pc.agent("status").stdout)
        # The relay is restarted, and the agent comes back.
        server.process.stop()
        server.start()
        until(lambda: "Связь есть" in server.run("ask", "проверка связи"), 60, "it is back")
        # The log has a bound.
        with open(pc.folder / "agent.log", "ab") as log:
            log.write(b"x" * 300_000)
        server.process.stop()
        until((pc.folder / "agent.old.log").exists, 60, "a new log")
        until(lambda: "Связи нет" in pc.log() and len(pc.log()) < 10_000, 60, pc.log)
        # A newer one takes the place of the one that runs.
        server.start()
        until(pc.is_linked, 60, "the link")
        newer = pc.home / "newer.exe"
        newer.write_bytes((TREE / EXE[1:]).read_bytes() + b" ")
        newer.chmod(0o755)
        before = pc.told("process")
        pc.service("console2", "wine", "wineconsole", pc.inner(newer))
        until(lambda: pc.read("home-alice-agent.exe") == newer.read_bytes(), 30, "it is installed")
        until(lambda: pc.is_linked() and pc.told("process") != before, 30, pc.programs)
        pc.keys("key", "Return")
        pc.agent("autostart", "off")
        check("home-alice-agentw.exe" not in pc.autostart() and "home-alice-agentw.exe" not in pc.programs())
        # It leaves nothing.
        pc.agent("autostart", "on")
        pc.agent("uninstall", "--yes")
        until(lambda: not pc.folder.exists(), 20, lambda: list(pc.folder.iterdir()))
        check("Home Alice" not in pc.autostart())


SHORTCUT = """
set shell = CreateObject("WScript.Shell")
set link = shell.CreateShortcut(WScript.Arguments(0))
link.TargetPath = WScript.Arguments(1)
link.Save
"""

OWN = """
[[command]]
say = "открой записки"
open = "записки.txt"
[[command]]
say = "скажи *"
run = ["скажи.bat", "*"]
answer = "output"
[[command]]
say = "тяни"
run = ["cmd", "/c", "ping", "-n", "600", "127.0.0.1"]
timeout = 2
"""


def test_phrases_have_their_effect():
    with Pc() as pc, contextlib.closing(Relay()) as relay:
        pc.write(f'server = "{relay.url}"\nkey = "{KEY}"\n' + OWN)
        (pc.folder / "записки.txt").write_bytes("\ufeff".encode())
        (pc.folder / "скажи.bat").write_bytes(b"@echo Said %1\r\n")
        menu = pc.profile / "AppData/Roaming/Microsoft/Windows/Start Menu/Programs"
        menu.mkdir(parents=True, exist_ok=True)
        script = pc.home / "shortcut.vbs"
        script.write_text(SHORTCUT)
        for path in [*pc.folder.iterdir(), menu, *menu.parents, script]:
            if pc.home in path.parents:
                os.chown(path, USER, USER)
        shortcut = f"C:\\users\\{NAME}\\AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\Счёты.lnk"
        pc.run("wine", "cscript", "Z:" + pc.inner(script).replace("/", "\\"), shortcut, "C:\\windows\\system32\\winemine.exe")
        check((menu / "Счёты.lnk").exists())
        pc.service("agent", "wine", EXE)
        link = relay.linked()
        asked = 0

        def say(words, text, ok=True, **more):
            nonlocal asked
            asked += 1
            answer = link.ask(words, **more)
            check(answer["ok"] == ok and text in answer["text"], words, answer)
            return answer
        say("проверка связи", "Связь есть.")
        say("выключи звук", "Звук выключен.")
        # Wine forgets it with the call's thread.
        say("верни звук", "Звук")
        say("какая громкость", "Громкость")
        say("пауза", "Нажата клавиша паузы.")
        # A program of the Start menu, by its shortcut.
        say("открой счеты", "Открываю")
        until(lambda: "winemine.exe" in pc.programs(), 20, pc.programs)
        say("какие программы запущены", "")
        say("переключись на счеты", "Открываю")
        say("закрой счеты", "Закрываю")
        until(lambda: "winemine.exe" not in pc.programs(), 20, pc.programs)
        # Text in Notepad, read from the file that it saves.
        say("открой записки", "Открываю")
        pc.window("Notepad|Блокнот")
        say("переключись на блокнот", "Открываю")
        say("напечатай Привет, Ёж и test 5", "Напечатано.")
        say("нажми контрол эс", "Нажато.")
        notes = pc.folder / "записки.txt"
        until(lambda: pc.read(notes.name).decode("utf-8-sig") == "Привет, Ёж и test 5", 20, notes.read_bytes)
        say("выдели всё", "Нажато.")

        def copied():
            # Wine's Notepad passes over the first one now and then.
            say("скопируй", "Нажато.")
            return "Ёж" in link.ask("что в буфере обмена")["text"]
        until(copied, 20, "the clipboard")
        say("сверни все окна", "Сворачиваю")
        say("разверни все окна", "Разворачиваю")
        say("сделай скриншот", "сохранён")
        pictures = [path for path in pc.profile.rglob("*.png") if "Снимок" in path.name]
        check(len(pictures) == 1 and pictures[0].read_bytes()[:4] == b"\x89PNG", pictures)
        say("закрой блокнот", "Закрываю")
        until(lambda: "notepad.exe" not in pc.programs(), 20, pc.programs)
        # What is told.
        say("сколько заряда", "Батареи здесь нет.", ok=False) if not link.ask("заряд")["ok"] else say("сколько заряда", "Батареи")
        say("системная информация", "Процессор занят")
        say("что ты умеешь", "Умею")
        say("очисти корзину", "Корзина и так пуста.")
        # What is its own, in a folder with Cyrillic letters and a space.
        say("скажи слово", "Said")
        say("скажи a%path%", "можно сказать только", ok=False)
        say("тяни", "не успела", ok=False)
        # Wine takes every shutdown back, also one that isn't there.
        say("отмена", "Отмен")
        # Near misses.
        for words in ["закрой дверь", "не выключай компьютер", "выключи свет", "открой рот"]:
            say(words, "Не знаю", ok=False)
        check(asked >= 30, asked)
        # The relay has gone, and comes back.
        link.close()
        relay.linked()


def test_phrases_mean_what_they_mean_on_linux():
    rows = (HERE.parent / "phrases.txt").read_text().splitlines()
    phrases = "\n".join(row.split(" | ")[0] for row in rows if " | " in row)
    with Pc() as pc:
        (pc.home / "phrases").write_text(phrases)
        understood = pc.run("sh", "-c", f'wine {EXE} say - < "$0"', pc.inner(pc.home / "phrases")).stdout
    linux = subprocess.run([os.environ["AGENT"], "--as-root", "say", "-"], input=phrases, text=True, capture_output=True,
                           env={"HOME": "/nonexistent"}).stdout
    check(len(linux.splitlines()) > 1500 and understood.splitlines() == linux.splitlines(), understood[:1000])


def test_what_its_owner_sees_in_a_console():
    with Pc() as pc:
        check("home-alice-agent" in pc.agent("--version").stdout)
        check("invite" in pc.agent(expect=2).stderr)
        # Saved by an older Notepad as ANSI.
        pc.write('server = "ws://127.0.0.1:1/ws"\nkey = "' + KEY + '"\n[[command]]\nsay = "Иди"\nrun = ["x"]\n', "cp1251")
        done = pc.agent("say", "громче", expect=2).stderr
        check("UTF-8" in done, done)
        pc.write('server = "ws://127.0.0.1:1/ws"\nkey = "' + KEY + '"\n')
        check("Понято: громкость +10" in pc.agent("say", "громче").stdout)
        check("Не знаю" in pc.agent("say", "закрой дверь", expect=1).stderr)
        report = pc.agent("selftest", expect=1).stdout
        for words in ["✔ файлы агента", "✔ своя программа", "✔ зависшая программа", "✔ звук", "✔ клавиатура", "✔ снимок экрана"]:
            check(words in report, words, report)


def twice(test):
    """Wine itself fails now and then, some one time in twenty: what fails is tried once more, and told of."""
    def tried():
        try:
            test()
        except Exception as error:  # noqa: BLE001: whatever it was, the second time counts
            print(f"      again, since: {error}", flush=True)
            test()
    return tried


if __name__ == "__main__":
    main({name: twice(test) for name, test in list(globals().items()) if name.startswith("test_")})
