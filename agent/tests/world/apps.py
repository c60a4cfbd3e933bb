"""Programs, files, folders, the bin and what the PC tells of itself: with desktop files of the tests' own, read by the
desktop's own library too, and a real upowerd."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import time

from desktop import AS_USER, Desktop
from power import Desk as Power
from world import check, main, run, until

# Writes its arguments, each with an end.
WRITES = r'''for a; do printf '%s\0' "$a"; done > "$HOME/written.new"; mv "$HOME/written.new" "$HOME/written"'''

BATTERY = """P: /devices/LNXSYSTM:00/BAT0/power_supply/BAT0
E: SUBSYSTEM=power_supply
E: POWER_SUPPLY_NAME=BAT0
A: type=Battery
A: present=1
A: status={status}
A: energy_full=60000000
A: energy_full_design=80000000
A: energy_now={now}
A: power_now={power}
A: voltage_now=12000000
"""


def ask(home, phrase):
    """Returns whether it was done, and what Alice would say."""
    lines = home.run("say", phrase, "--do", expect=None).stdout.strip().splitlines() or [""]
    return lines[-1].startswith("Сделано: "), lines[-1].partition(": ")[2]


class Desk(Desktop):
    """A home that sees no programs of the machine's, with a folder of data for all users."""

    def __enter__(self):
        super().__enter__()
        (self.home / "system/applications").mkdir(parents=True)
        (self.home / "etc").mkdir()
        self.environment |= {"XDG_DATA_DIRS": f"{self.home}/system", "XDG_CONFIG_DIRS": f"{self.home}/etc", "DISPLAY": ":none"}
        return self

    def file(self, path, text):
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.own()
        return path

    def with_types(self):
        """Lets it see which names of files are of which type."""
        (self.home / "system/mime").symlink_to("/usr/share/mime")

    def opens(self, *paths):
        """Has «вещь N» open each of these."""
        self.write("".join(f"[[command]]\nsay = 'вещь {number}'\nopen = {json.dumps(str(path), ensure_ascii=False)}\n"
                           for number, path in enumerate(paths)))

    def written(self):
        """Returns the arguments of the program that has written them."""
        file = self.home / "written"
        until(file.exists, 5, "it has written its arguments")
        arguments = file.read_text().split("\0")[:-1]
        file.unlink()
        return arguments

    def started(self, program):
        """Returns the processes of this home that run a program."""
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if bytes(self.home) in (process / "environ").read_bytes() and program in (process / "cmdline").read_text().split("\0"):
                    yield int(process.name)

    def end(self, program):
        for process in self.started(program):
            os.kill(process, signal.SIGKILL)
        until(lambda: not list(self.started(program)), 5, "it has ended")

    def glib(self, script, *arguments):
        """Runs a script with GLib's view of this desktop."""
        script = f"import sys\nfrom gi.repository import Gio, GioUnix\n{script}"
        if run("/usr/bin/python3", "-c", "from gi.repository import GioUnix", expect=None).returncode:
            script = script.replace(", GioUnix", "\nGioUnix = Gio")
        return run(*AS_USER, "/usr/bin/python3", "-c", script, *arguments, env=self.environment, cwd="/").stdout.strip()


def test_a_program_is_started_by_any_of_its_names():
    with Desk() as desk:
        state = 'read -r a b c d group rest < /proc/$$/stat; [ "$group" = $$ ] && printf "%s\\n" "$#" "$PWD" > "$HOME/state"'
        desk.program("org.x.Count", state, "Name=Calculator", "Name[ru]=Калькулятор", "GenericName[ru]=Счёты")
        for name in ["калькулятор", "calculator", "счёты", "count"]:
            check(ask(desk, f"запусти {name}") == (True, "Открываю Калькулятор."), name)
            state = until(lambda: (desk.home / "state").exists() and (desk.home / "state").read_text(), 5, "it has run")
            check(state.split() == ["0", str(desk.home)], name, state)
            (desk.home / "state").unlink()
        check(not ask(desk, "запусти пасьянс")[0])


def test_of_the_files_of_a_program_the_first_counts_also_below_a_folder():
    with Desk() as desk:
        script = desk.program("own", WRITES, "Name=Личный")
        for name, keys in [("own", "Name=Чужой"), ("kde/tool", "Name=Ножик"), ("gone", "Name=Ушёл"), ("broken", "Exec=\"")]:
            desk.file(f"system/applications/{name}.desktop", f"[Desktop Entry]\nType=Application\nExec={script} {name}\n{keys}\n")
        desk.file(".local/share/applications/gone.desktop", "[Desktop Entry]\nHidden=true\n")
        check(not ask(desk, "запусти чужой")[0] and not ask(desk, "запусти ушёл")[0])
        check(ask(desk, "запусти ножик")[0] and desk.written() == ["kde/tool"])
        check(ask(desk, "запусти личный")[0] and desk.written() == [])
        desk.file(".local/share/applications/kde-tool.desktop", "[Desktop Entry]\nHidden=true\n")
        check(not ask(desk, "запусти ножик")[0], "the id of a file below a folder has a dash")


def test_what_a_menu_would_not_show_is_not_started_by_name():
    with Desk() as desk:
        desk.environment["XDG_CURRENT_DESKTOP"] = "ubuntu:GNOME"
        for number, (keys, is_shown) in enumerate([
            ("NoDisplay=true", False), ("OnlyShowIn=KDE;", False), ("OnlyShowIn=GNOME;", True), ("NotShowIn=ubuntu;", False),
            ("TryExec=/no/such", False), ("TryExec=sh", True), ("Exec=no-such-program", False),
        ]):
            desk.program(f"p{number}", "true", keys)
            check(ask(desk, f"запусти p{number}")[0] == is_shown, keys)
            shown = desk.glib("print([a.get_id() for a in Gio.AppInfo.get_all() if a.should_show()])")
            check((f"p{number}.desktop" in shown) == is_shown, keys, shown)


def test_a_program_that_fails_at_its_start_is_told_and_none_is_left_behind():
    with Desk() as desk:
        desk.program("bad", "exit 3", "Name=Плохая", "MimeType=x-scheme-handler/bad;")
        desk.program("good", "sleep 1.5", "MimeType=x-scheme-handler/good;")
        desk.opens("bad:1", "good:1")
        link = desk.start()
        begun = time.monotonic()
        check(link.ask("вещь 0") | {"id": ""} == {"id": "", "ok": False, "text": "Плохая не запускается."})
        check(time.monotonic() - begun < 0.9, "a failure is told at once")
        check(link.ask("вещь 1")["ok"] and time.monotonic() - begun < 2, "what goes on isn't waited for")
        tasks = pathlib.Path(f"/proc/{desk.agent.popen.pid}/task")

        def children():
            return "".join((task / "children").read_text() for task in tasks.iterdir()).split()

        check(children(), "it runs on")
        until(lambda: not children(), 5, "and nothing is left of it when it has ended")


def test_without_a_screen_it_says_so():
    with Desk() as desk:
        desk.program("good", WRITES)
        del desk.environment["DISPLAY"]
        done, text = ask(desk, "запусти good")
        check(not done and "нет экрана" in text, text)
        desk.environment["WAYLAND_DISPLAY"] = "wayland-0"
        check(ask(desk, "запусти good")[0])


def test_what_wants_a_terminal_gets_one_or_it_is_said():
    with Desk() as desk:
        run(*AS_USER, "ln", "-s", "/usr/bin/setpriv", "/usr/bin/sh", desk.home)
        desk.environment["PATH"] = f"{desk.home}:{desk.home}/programs"
        desk.program("top", "true", "Name=Процессы", "Exec=SCRIPT --all %u", "Terminal=true")
        done, text = ask(desk, "запусти процессы")
        check(not done and "терминал" in text, text)
        top = f"{desk.home}/programs/top"
        writes = WRITES.replace("mv", "/bin/mv")
        desk.program("konsole", writes, "Categories=System;TerminalEmulator;")
        check(ask(desk, "запусти процессы")[0] and desk.written() == ["-e", top, "--all"])
        desk.program("konsole", writes, "Categories=TerminalEmulator;", "X-TerminalArgExec=--")
        check(ask(desk, "запусти процессы")[0] and desk.written() == ["--", top, "--all"])
        desk.program("x-terminal-emulator", "shift; " + writes, "Hidden=true")
        check(ask(desk, "запусти процессы")[0] and desk.written() == [top, "--all"])


def test_a_program_gets_what_glib_would_give_it():
    with Desk() as desk:
        desk.with_types()
        path = desk.file("Мои файлы/a b%20'.txt", "x")
        lines = ["SCRIPT %f", "SCRIPT %F", "SCRIPT %u", "SCRIPT -x %U -y", "SCRIPT", "SCRIPT --file=%f", "SCRIPT %i %c %k %f",
                 'SCRIPT "a \\\\"b\\\\" \\\\$c \\\\\\\\" %f', "SCRIPT 'one $HOME' two\\\\ three %u", "SCRIPT 100%% %m %f",
                 'env A=b SCRIPT "" %U', "sh SCRIPT `x` $(y) ; z | %f"]
        desk.opens(path, "tg:x?a=%20&b=$(c)")
        link = desk.start()
        for line in lines:
            desk.program("p", WRITES, f"Exec={line}", "Name=Имя", "Icon=знак", "MimeType=text/plain;x-scheme-handler/tg;")
            for number, uri in [(0, path.as_uri()), (1, "tg:x?a=%20&b=$(c)")]:
                answer = link.ask(f"вещь {number}")
                check(answer["ok"], line, answer)
                ours = desk.written()
                desk.glib("app = GioUnix.DesktopAppInfo.new('p.desktop')\n"
                          "app.launch_uris(sys.argv[1:], None) if sys.argv[1:] else app.launch([], None)", uri)
                theirs = desk.written()
                # GLib has nothing for an address where a file is wanted.
                check(ours == theirs or number == 1 and "%u" not in line.lower(), line, ours, theirs)
            ask(desk, "запусти имя")
            ours = desk.written()
            desk.glib("GioUnix.DesktopAppInfo.new('p.desktop').launch([], None)")
            theirs = desk.written()
            check(ours == theirs, line, ours, theirs)


def test_the_default_program_is_the_one_of_the_desktop():
    with Desk() as desk:
        desk.with_types()
        desk.environment["XDG_CURRENT_DESKTOP"] = "ubuntu:GNOME"
        for name in ["first", "second", "third", "gone"]:
            desk.program(name, f'set -- {name}; {WRITES}', "MimeType=text/plain;text/html;video/mp4;")
        run("update-desktop-database", desk.home / ".local/share/applications")
        desk.opens(desk.file("a.txt", ""), desk.file("b.py", ""), desk.file("без расширения", "текст"), desk.file("c.MP4", ""))
        types = ["text/plain", "text/x-python", "text/plain", "video/mp4"]
        link = desk.start()
        first = "[Default Applications]\ntext/plain=first.desktop;\n"
        for path, text in [
            ("etc/mimeapps.list", first),
            (".config/mimeapps.list", "[Default Applications]\ntext/plain=nothere.desktop;second.desktop;\n"
                                      "video/mp4=third.desktop\n[Removed Associations]\nvideo/mp4=first.desktop;\n"),
            (".config/gnome-mimeapps.list", "[Default Applications]\ntext/plain=third.desktop\n"),
            (".config/ubuntu-mimeapps.list", first),
        ]:
            desk.file(path, text)
            for number, mime in enumerate(types):
                answer = link.ask(f"вещь {number}")
                check(answer["ok"], answer)
                ours = desk.written()
                theirs = desk.glib("print(Gio.AppInfo.get_default_for_type(sys.argv[1], False).get_id())", mime)
                check([theirs] == [f"{name}.desktop" for name in ours], path, mime, ours, theirs)


def test_what_nothing_opens_is_said_with_its_cure():
    with Desk() as desk:
        desk.with_types()
        desk.opens("https://a.example/", desk.home, desk.file("a.flac", ""), "steam://run/1", "~/нет")
        link = desk.start()
        for number, words in enumerate(["установите браузер", "файловый менеджер", "audio/flac", "steam", "Нет такого файла"]):
            answer = link.ask(f"вещь {number}")
            check(not answer["ok"] and words in answer["text"], answer)
            check(("Открыть нечем: " in answer["text"]) == (number < 4), answer)


def test_the_users_folders_are_where_their_file_says():
    with Desk() as desk:
        desk.program("files", WRITES, "Exec=SCRIPT %f", "MimeType=inode/directory;")
        check(not ask(desk, "открой загрузки")[0], "it is not there")
        (desk.home / "Downloads").mkdir()
        (desk.home / "Музыка").mkdir()
        check(ask(desk, "открой загрузки")[0] and desk.written() == [f"{desk.home}/Downloads"])
        check(ask(desk, "открой музыку")[0] and desk.written() == [f"{desk.home}/Музыка"])
        (desk.home / "Мои загрузки").mkdir()
        desk.file(".config/user-dirs.dirs", 'XDG_DOWNLOAD_DIR="$HOME/Мои загрузки"\nXDG_MUSIC_DIR="$HOME/нет"\n')
        check(ask(desk, "открой загрузки")[0] and desk.written() == [f"{desk.home}/Мои загрузки"])
        check(ask(desk, "открой музыку")[0] and desk.written() == [f"{desk.home}/Музыка"])


def test_shortcuts_to_games_are_not_the_program_that_starts_them():
    with Desk() as desk:
        script = desk.program("steam", WRITES, "Name=Steam", "GenericName=Internet Messenger")
        for game in ["Dota 2", "Terraria"]:
            desk.file(f".local/share/applications/{game}.desktop",
                      f"[Desktop Entry]\nType=Application\nName={game}\nExec={script} steam://rungameid/{game[0]}\n")
        for said, arguments in [("запусти стим", []), ("запусти дота 2", ["steam://rungameid/D"]), ("открой террарию", ["steam://rungameid/T"])]:
            check(ask(desk, said)[0] and desk.written() == arguments, said)
        for said in ["открой интернет", "открой кота", "закрой мессенджер", "открой дату"]:
            check(not ask(desk, said)[0], said)


def test_of_two_that_fit_the_next_turn_chooses():
    with Desk() as desk:
        for name in ["one", "two"]:
            desk.program(name, f"echo {name} > $HOME/written.new; mv $HOME/written.new $HOME/written", f"Name=Редактор {name}")
        desk.write('[[command]]\nsay = "*"\nrun = ["true"]\nanswer = "Модель отвечает."\n')
        link = desk.start()
        file = desk.home / "written"

        def chosen(phrase):
            answer = link.ask(phrase)
            check(answer["ok"] and answer["text"].startswith("Открываю Редактор"), phrase, answer)
            until(file.exists, 5, phrase)
            text = file.read_text().strip()
            file.unlink()
            return text
        answer = link.ask("открой редактор")
        check(answer["text"] == "Что открыть: Редактор one или Редактор two?" and not answer["ok"], answer)
        check([button["title"] for button in answer["buttons"]] == ["Редактор one", "Редактор two"], answer)
        check(chosen("второй") == "two")
        for said, name in [("Редактор one", "one"), ("давай последний", "two"), ("открой two", "two"), ("1", "one")]:
            link.ask("открой редактор")
            check(chosen(said) == name, said)
        link.ask("открой редактор")
        # Another conversation knows of no question.
        check(link.ask("второй", session={"id": "other", "new": True})["text"] == "Модель отвечает.")
        for said in ["отмена", "второй"]:
            answer = link.ask(said)
            check(answer["text"] == ("Хорошо, не буду." if said == "отмена" else "Модель отвечает."), said, answer)
        # Its deed may be said again, and no other.
        link.ask("открой редактор")
        check(link.ask("закрой two")["text"] == "Модель отвечает.")
        # Whatever else is said is carried out, and ends the question.
        link.ask("открой редактор")
        check(link.ask("проверка связи")["text"] == "Связь есть." and link.ask("первый")["text"] == "Модель отвечает.")
        # An action of Smart Home is nobody's answer.
        link.ask("открой редактор")
        link.ask("первый", action={"device": "pc", "capability": "devices.capabilities.mode", "instance": "program", "value": "one"})
        check(chosen("первый") == "one" and not file.exists())
        # What isn't here is the model's.
        check(link.ask("открой дверь")["text"] == "Модель отвечает.")


def test_the_bin_is_opened_and_emptied_and_nothing_beside_it():
    with Desk() as desk:
        desk.program("files", WRITES, "Exec=SCRIPT %f", "MimeType=inode/directory;")
        desk.write("")
        link = desk.start()
        check(link.ask("очисти корзину")["text"] == "Корзина и так пуста.")
        trash = desk.home / ".local/share/Trash"
        kept = desk.file("Дорогое/книга.txt", "x")
        for name in ["раз.txt", "папка/два.txt", "папка/глубже/три.txt"]:
            desk.file(f"старое/{name}", "x")
        (desk.home / "старое/ссылка").symlink_to(kept.parent)
        (desk.home / "старое/папка/ссылка").symlink_to(kept.parent)
        for name in ["раз.txt", "папка", "ссылка"]:
            desk.glib("Gio.File.new_for_path(sys.argv[1]).trash(None)", f"{desk.home}/старое/{name}")
        check(len(list((trash / "files").iterdir())) == len(list((trash / "info").iterdir())) == 3, "GLib has put them there")
        check(ask(desk, "открой корзину")[0] and desk.written() == [str(trash / "files")])
        question = link.ask("очисти корзину")["text"]
        check("3 файла" in question and len(list((trash / "files").iterdir())) == 3, "it is asked first:", question)
        answer = link.ask("да")
        check(answer["ok"], answer)
        left = [path for path in trash.rglob("*") if not path.is_dir()]
        check(not left and not list((trash / "files").iterdir()) and kept.exists(), left)
        # What can't be removed keeps its description.
        stubborn = desk.file(".local/share/Trash/files/папка/x", "x").parent
        info = desk.file(".local/share/Trash/info/папка.trashinfo", "[Trash Info]\n")
        stubborn.chmod(0o555)
        os.chown(stubborn, 0, 0)
        link.ask("очисти корзину")
        answer = link.ask("да")
        check(not answer["ok"] and "1 файл" in answer["text"] and info.exists(), answer)
        shutil.rmtree(trash)
        trash.symlink_to(kept.parent)
        (kept.parent / "files").mkdir()
        desk.file("Дорогое/files/x", "x")
        check(link.ask("очисти корзину")["text"] == "Корзина и так пуста.")
        check((kept.parent / "files/x").exists(), "a bin that is a link to elsewhere is left alone")


def test_the_programs_that_run_are_named_each_once():
    with Desk() as desk:
        check(ask(desk, "какие программы запущены") == (True, "Из программ ничего не запущено."))
        name = f"films{os.getpid()}"
        binary = shutil.copy("/usr/bin/sleep", desk.home / name)
        desk.program("films", "true", "Name[ru]=Фильмы", f"Exec={binary} 60")
        desk.program("site", "true", "Name[ru]=Сайт", f"Exec={binary} 60 --app=1")
        desk.program("never", "true", "Name[ru]=Никогда")
        script = desk.program(f"script{os.getpid()}", "", "Name[ru]=Скрипт", "Exec=env A=b SCRIPT %U")
        script.write_text("#!/usr/bin/python3 -E\nimport time\ntime.sleep(60)\n")
        for said in ["фильмы", "фильмы", "скрипт"]:
            check(ask(desk, f"запусти {said}")[0], said)
        done, text = ask(desk, "какие программы запущены")
        check(done and text == "Запущены: Фильмы, Скрипт.", text)
        desk.end(str(script))
        check(ask(desk, "какие программы запущены")[1] == "Запущено: Фильмы.")
        desk.end(str(binary))


def test_the_pc_tells_of_its_load():
    with Desk() as desk:
        done, text = ask(desk, "системная информация")
        found = re.fullmatch(r"Процессор занят на (\d+) процент\S*, память на (\d+), на диске свободно (\d+) гигабайт\S*, "
                             r"компьютер работает (.+)\.", text)
        check(done and found, text)
        disk = os.statvfs(desk.home)
        memory = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
        whole, free = (int(memory[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
        check(int(found[1]) <= 100 and abs(int(found[2]) - (whole - free) * 100 / whole) < 10, text)
        check(abs(int(found[3]) - disk.f_bavail * disk.f_frsize / 1e9) < 3, text)
        seconds = float(pathlib.Path("/proc/uptime").read_text().split()[0])
        unit = "дн" if seconds > 2 * 86400 else "час" if 7200 < seconds < 80000 else ""
        check(unit in found[4], text)


def test_the_battery_is_told_as_upower_sees_it():
    for battery, words in [
        (None, r"Батареи здесь нет\."),
        (("Discharging", 48_000_000, 22_150_000), r"Заряд 80 процентов, хватит на 2 часа 1\d минут\S?\."),
        (("Charging", 46_200_000, 0), r"Заряд 77 процентов, заряжается\."),
        (("Charging", 30_000_000, 10_000_000), r"Заряд 50 процентов, заряжается, полный через 3 часа( 1 минуту)?\."),
        (("Full", 60_000_000, 0), r"Заряд 100 процентов, батарея полная\."),
    ]:
        with Power() as desk:
            check(ask(desk, "сколько заряда")[1] == "Заряда не видно: здесь нет службы UPower.")
            devices = []
            if battery:
                status, now, power = battery
                file = desk.home / "battery.umockdev"
                file.write_text(BATTERY.format(status=status, now=now, power=power))
                desk.own()
                devices = ["-d", file]
            desk.environment["DBUS_SYSTEM_BUS_ADDRESS"] = desk.environment["DBUS_SESSION_BUS_ADDRESS"]
            desk.service("upower", "umockdev-run", *devices, "--", "/usr/libexec/upowerd", "-v").says("daemon now not coldplug")
            done, text = until(lambda: (answer := ask(desk, "сколько заряда")) and "UPower" not in answer[1] and answer, 10, "it is there")
            check(done and re.fullmatch(words, text), battery, text)


if __name__ == "__main__":
    main(globals())
