"""A household's evening: one speaker, one PC with a desktop, a notebook that is away, and everything between them as it is
in a home: nginx with NPM's lines, TLS, the relay."""

import os
import shutil
import sys

from desktop import AS_USER, HERE
from waking import OTHER, sniff
from world import DOMAIN, SECRET, USER, Process, World, check, main, run, until
from yandex import Yandex

WEBHOOK = f"/alice/webhook/{SECRET}"
PLACES = ".local/share/applications"

COMMANDS = """
[[command]]
say = "собери отчёт"
run = ["sh", "-c", "read line < ../../report; echo $line"]
answer = "output"
timeout = 60
"""


class Evening(World):
    """A world whose PC has a screen, sound, a player, a logind and two programs."""

    def __enter__(self):
        super().__enter__()
        try:
            self.furnish(self.pc("pc"))
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def inside(*command):
        """A command of the PC's user. Networks of their own would give two servers the number of one display."""
        return [*AS_USER, *command]

    def service(self, log, *command):
        pc = self.pc("pc")
        return self.keep(Process(pc.home / f"{log}.log", self.inside(*command), env=pc.environment, cwd=pc.home))

    def furnish(self, pc):
        for folder in ["run", "dbus", PLACES, "Pictures"]:
            (pc.home / folder).mkdir(parents=True)
        (pc.home / "run").chmod(0o700)
        system = pc.home / "dbus/system_bus_socket"
        bus = f"unix:path={pc.home}/bus"
        # GTK asks for accessibility first, which is slow to start.
        pc.environment |= {"XDG_RUNTIME_DIR": f"{pc.home}/run", "DBUS_SESSION_BUS_ADDRESS": bus, "NO_AT_BRIDGE": "1",
                           "GTK_IM_MODULE": "gtk-im-context-simple"}
        os.mkfifo(pc.home / "report")
        programs = {"editor": ("Записки", f"/usr/bin/python3 {pc.home}/window.py Заметки {pc.home}/text"),
                    "browser": ("Обозреватель", f"sh {pc.home}/browser %u")}
        for name, (title, command) in programs.items():
            (pc.home / PLACES / f"{name}.desktop").write_text(
                f"[Desktop Entry]\nType=Application\nName={name}\nName[ru]={title}\nExec={command}\nMimeType=x-scheme-handler/https;\n"
                "StartupWMClass=Home-Window\n")
        (pc.home / ".local/share/applications/mimeapps.list").write_text(
            "[Default Applications]\nx-scheme-handler/https=browser.desktop\n")
        (pc.home / "browser").write_text(f'echo "$1" >> {pc.home}/visited\n')
        for script in ["window.py", "player.py", "logind.py"]:
            shutil.copy(HERE / script, pc.home)
        for path in [pc.home, *pc.home.rglob("*")]:
            os.chown(path, USER, USER)
        plain = pc.command
        where = f'mkdir -p /run/dbus && mount --bind {system.parent} /run/dbus && exec "$@"'
        pc.command = lambda *arguments: ["unshare", "-m", "sh", "-c", where, "sh", *plain(*arguments)]
        for name, address in [("session", bus), ("system", f"unix:path={system}")]:
            self.service(name, "dbus-daemon", "--session", "--nofork", "--print-address",
                         f"--address={address}").says("unix:path")
        pulse = self.service("pulse", "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
                             "--load=module-native-protocol-unix", "--load=module-null-sink sink_name=out channels=2")
        until(lambda: "out" in self.pactl("list", "short", "sinks", expect=None), 20, pulse.text)
        # The display's number, whichever is free.
        read, write = os.pipe()
        display = self.keep(Process(pc.home / "xvfb.log", self.inside("Xvfb", "-displayfd", str(write), "-noreset", "-screen",
                                                                     "0", "640x480x24", "-nolisten", "tcp"),
                                    env=pc.environment, pass_fds=[write]))
        os.close(write)
        with open(read) as number:
            pc.environment["DISPLAY"] = f":{number.readline().strip()}"
        check(pc.environment["DISPLAY"] != ":", display.text())
        openbox = self.service("openbox", "openbox")
        until(lambda: "window id" in self.xprop("-root", "_NET_SUPPORTING_WM_CHECK"), 20, openbox.text)
        self.player = self.service("player", "/usr/bin/python3", pc.home / "player.py", "music", "Playing")
        self.player.says("ready")
        session = pc.environment["DBUS_SESSION_BUS_ADDRESS"]
        pc.environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={system}"
        self.logind = self.service("logind", "/usr/bin/python3", pc.home / "logind.py")
        self.logind.says("ready")
        pc.environment["DBUS_SESSION_BUS_ADDRESS"] = session

    def pactl(self, *arguments, expect=0):
        return run(*self.inside("pactl", *arguments), expect=expect, env=self.pc("pc").environment | {"LC_ALL": "C"}).stdout

    def xprop(self, *arguments):
        return run(*self.inside("xprop", *arguments), expect=None, env=self.pc("pc").environment).stdout


def test_an_evening():
    with Evening("e", AGENTS=f"ноутбук={OTHER}", SMART_HOME_SECRET="e4" * 32) as world, \
            Yandex(world, f"https://{DOMAIN}", "e4" * 32, world.pc("yandex", "10.77.0.9").space) as yandex:
        here, away = world.pc("pc"), world.pc("two", "10.77.0.3")
        here.write(here.head() + COMMANDS)
        here.start().says("Связь есть")
        away.write(away.head(key=OTHER))
        notebook = away.start()
        notebook.says("Связь есть")
        yandex.turn("ноутбук проверка связи", WEBHOOK)
        notebook.stop()
        until(lambda: "не на связи" in world.ask("ноутбук"), 20, "it is away")
        card = sniff(world, away)
        turns = 0

        def say(words, answer):
            nonlocal turns
            turns += 1
            response = yandex.turn(words, WEBHOOK, new=turns == 1)
            check(answer in response["text"], words, response)
            return response

        say("проверка связи", "Связь есть.")
        say("громкость 30", "Громкость 30.")
        say("погромче", "Громкость 40.")
        check("40%" in world.pactl("get-sink-volume", "out"))
        say("выключи звук", "Звук выключен.")
        say("верни звук", "Звук включён.")
        check("no" in world.pactl("get-sink-mute", "out"))
        say("поставь на паузу", "Пауза.")
        world.player.says("Paused")
        say("продолжи", "Играет.")
        say("следующий трек", "Играет Вторая.")
        say("что играет", "Играет Вторая.")
        say("открой записки", "Открываю Записки.")
        until(lambda: "0x" in world.xprop("-root", "_NET_ACTIVE_WINDOW").replace("0x0", ""), 20, "a window")
        say("переключись на записки", "Открываю Записки.")
        say("напечатай купить молоко", "Напечатано.")
        until(lambda: (here.home / "text").read_text() == "купить молоко", 20, lambda: (here.home / "text").read_text())
        say("сделай скриншот", "сохран")
        check([path.suffix for path in (here.home / "Pictures").iterdir()] == [".png"])
        say("закрой записки", "Закрываю Записки.")
        say("найди в интернете погоду", "Ищу: погоду.")
        until((here.home / "visited").exists, 20, "a browser")
        check("text=%D0%BF" in (here.home / "visited").read_text())
        say("сделай кофе", "Не знаю такой команды.")
        say("выключи компьютер через час", "Выключу компьютер через 1 час.")
        say("отмена", "Отменено")
        world.logind.says("cancel True")

        # Smart Home: two actions from the app.
        yandex.link(world.relay_run("pair").stdout.split()[0])
        check(yandex.act("pc", "range", "volume", 15, relative=True) == "DONE")
        check("55%" in world.pactl("get-sink-volume", "out"))
        check(yandex.act("pc", "toggle", "mute", True) == "DONE")
        check("yes" in world.pactl("get-sink-mute", "out"))

        # An answer that comes late, asked for by the next turn.
        later = yandex.turn("собери отчёт", WEBHOOK)
        check("отчёт готов" not in later["text"], later)
        # For reading too: it waits for nobody.
        report = os.open(here.home / "report", os.O_RDWR)
        os.write(report, "отчёт готов\n".encode())
        until(lambda: "отчёт готов" in yandex.turn("готово", WEBHOOK)["text"], 20, "the late answer")
        os.close(report)

        # And the other PC.
        say("включи ноутбук", "сигнал на включение")
        card.says("woken")
        say("усыпи компьютер", "Усыпляю компьютер.")
        world.logind.says("suspend")
        check(turns >= 20, turns)


if __name__ == "__main__":
    sys.exit(main(globals()))
