"""What needs a screen, on X servers of the tests' own with windows of real programs. All is read back by others' means."""

import json
import os
import pathlib
import re
import signal
import stat
import struct
import time

from desktop import AS_USER, Desktop
from world import USER, check, main, run, until

ALL = "Привет, Ёж test 12 «ёлка» — É naïve 😀 №5 (a+b)=c; \"Є\" ї\\/? ю"


class Desk(Desktop):
    """A home with a screen. Its manager and its windows are started by the tests."""

    def __enter__(self):
        super().__enter__()
        self.environment |= {"NO_AT_BRIDGE": "1", "GTK_IM_MODULE": "gtk-im-context-simple"}
        return self

    def screen(self, *options, size="800x600x24", manager=True, layouts="us,ru"):
        server = self.service("server", "Xvfb", "-displayfd", "1", "-screen", "0", size, "-noreset", "-nolisten", "tcp", *options)
        self.number = until(lambda: re.search(r"^(\d+)\n", server.text(), re.M), 20, server.text)[1]
        self.environment["DISPLAY"] = f":{self.number}"
        if manager:
            self.service("manager", "openbox", "--sm-disable")
            until(lambda: "0x" in self.tool("xprop", "-root", "_NET_SUPPORTING_WM_CHECK", expect=None), 20, "the manager is there")
            self.tool("setxkbmap", layouts)
        return server

    def __exit__(self, *_):
        # A manager takes its time to end, but for the lack of a screen.
        for process in self.running:
            if process.log.name == "server.log":
                process.stop()
        super().__exit__()

    def tool(self, *command, expect=0, **options):
        return run(*AS_USER, *command, env=self.environment, cwd="/", expect=expect, **options).stdout

    def python(self, text):
        return self.tool("/usr/bin/python3", "-c", text)

    def window(self, title, *manners):
        """Opens a window, which is then in use. Returns the file of its text."""
        file = Text(self.home / f"{len(self.running)}.txt")
        process = self.script("window.py", title, str(file), *manners, log=title)
        until(lambda: self.title() == title, 20, self.title)
        file.log = process
        return file

    def title(self):
        """Returns that of the window that is in use."""
        return self.tool("xdotool", "getactivewindow", "getwindowname", expect=None).strip()

    def state(self, title, name="WM_STATE"):
        id = self.tool("xdotool", "search", "--name", f"^{title}$").split()[-1]
        return self.tool("xprop", "-id", id, name)

    def ask(self, phrase, expect=True, **environment):
        """Says it to the agent. Returns what it answers."""
        said = self.run("say", "--do", phrase, expect=0 if expect else 1, environment=environment).stdout.strip()
        return said.partition(f"{'Сделано' if expect else 'Не сделано'}: ")[2] or said


class Text(pathlib.PosixPath):
    """The file of a window's text, and the window's own process."""

    log = None

    def holds(self, text, seconds=5):
        until(lambda: self.read_text() == text, seconds, lambda: f"{self.read_text()!r} is {text!r}")


def keyboard(desk):
    """What a text must leave as it was: the layout, Caps Lock, and what each key means."""
    lights = desk.tool("xset", "q")
    return [re.search(f"{name}: *([a-z]+)", lights)[1] for name in ["Caps Lock", "Group 2"]], desk.tool("xmodmap", "-pke")


def test_windows_are_gone_to_minimised_and_brought_back():
    with Desk() as desk:
        desk.screen()
        desk.window("Рецепты")
        desk.window("Смета")
        desk.service("terminal", "xterm", "-T", "Terminal")
        until(lambda: desk.title() == "Terminal", 20, desk.title)
        desk.ask("переключись на рецепты")
        check(desk.title() == "Рецепты", desk.title())
        desk.ask("переключись на терминал")
        check(desk.title() == "Terminal", desk.title())
        desk.ask("закрой терминал")
        until(lambda: desk.title() == "Рецепты", 5, desk.title)
        desk.ask("сверни рецепты")
        check("Iconic" in desk.state("Рецепты") and desk.title() == "Смета", desk.state("Рецепты"))
        desk.ask("переключись на рецепты")
        check("Normal" in desk.state("Рецепты") and desk.title() == "Рецепты")
        desk.ask("сверни все окна")
        check(desk.title() == "" and " = 1" in desk.tool("xprop", "-root", "_NET_SHOWING_DESKTOP"), desk.title())
        check("ни одно окно" in desk.ask("напечатай никуда", expect=False))
        desk.ask("разверни все окна")
        check(" = 0" in desk.tool("xprop", "-root", "_NET_SHOWING_DESKTOP"))
        for title in ["рецепты", "смета"]:
            desk.ask(f"сверни {title}")
        desk.ask("разверни все окна")
        check("Normal" in desk.state("Рецепты") and "Normal" in desk.state("Смета"))
        desk.ask("переключись на смета")
        desk.ask("разверни окно")
        check(desk.state("Смета", "_NET_WM_STATE").count("MAXIMIZED") == 2, desk.state("Смета", "_NET_WM_STATE"))
        desk.ask("разверни окно на весь экран")
        check("FULLSCREEN" in desk.state("Смета", "_NET_WM_STATE"))
        desk.ask("сверни окно")
        check("Iconic" in desk.state("Смета"))


def test_a_window_is_closed_and_one_that_asks_is_told_of():
    with Desk() as desk:
        desk.screen()
        closed, asks = desk.window("Рецепты"), desk.window("Смета", "asks")
        desk.ask("закрой рецепты")
        check(closed.log.popen.wait(10) == 0)
        check("спрашивает" in desk.ask("закрой это окно", expect=False) and asks.log.popen.poll() is None)


def test_a_text_arrives_whatever_the_keyboard_is_set_to():
    for layouts in ["us,ru", "ru,us", "us", "ru"]:
        with Desk() as desk:
            desk.screen(layouts=layouts)
            window = desk.window("Окно")
            typed = ""
            for before in [(), ("key", "ISO_Next_Group"), ("key", "Caps_Lock"), ("keydown", "shift"), ("keydown", "ctrl")]:
                desk.tool("setxkbmap", layouts, "-option", "grp:alt_shift_toggle")
                if before == ("key", "ISO_Next_Group"):
                    desk.ask("смени раскладку", expect="," in layouts)
                elif before:
                    desk.tool("xdotool", *before)
                was = keyboard(desk)
                desk.ask(f"напечатай {ALL}")
                typed += ALL
                window.holds(typed)
                check(keyboard(desk) == was, layouts, before)


def test_a_long_text_and_more_letters_than_keys_arrive_whole():
    with Desk() as desk:
        desk.screen()
        window = desk.window("Окно")
        was = keyboard(desk)
        text = "".join(chr(0x4E00 + number) for number in range(100)) + "Съешь ещё этих French булок. " * 40
        text = text[:990]
        desk.ask(f"напечатай {text}")
        window.holds(text)
        check(keyboard(desk) == was)


def test_a_window_that_is_late_gets_the_same_text():
    with Desk() as desk:
        desk.screen()
        window = desk.window("Окно", "late")
        was = keyboard(desk)
        begun = time.monotonic()
        desk.ask(f"напечатай {ALL}")
        check(time.monotonic() - begun > 1, "it is waited for")
        window.holds(ALL)
        check(keyboard(desk) == was)
        window.log.popen.send_signal(signal.SIGSTOP)
        try:
            check("не отвечает" in desk.ask("напечатай а", expect=False))
        finally:
            window.log.popen.send_signal(signal.SIGCONT)


def test_a_window_that_tells_nothing_gets_it_too():
    with Desk() as desk:
        desk.screen()
        file = desk.home / "typed"
        desk.service("terminal", "xterm", "-T", "Terminal", "-e", "sh", "-c", f"head -n 1 > {file}")
        until(lambda: desk.title() == "Terminal", 20, desk.title)
        desk.ask(f"напечатай {ALL}")
        desk.ask("нажми энтер")
        until(lambda: file.exists() and file.read_text() == ALL + "\n", 5, lambda: file.read_text())


def test_keys_mean_the_same_in_either_layout():
    with Desk() as desk:
        desk.screen()
        desk.window("Рецепты")
        window = desk.window("Смета", "keys")
        for layout in ["английская", "русская"]:
            desk.ask(f"{layout} раскладка")
            was, place = keyboard(desk), len(window.log.text())
            for keys, told in [("контрол це", "key <Primary>c"), ("ф5", "key F5"), ("контрол шифт влево", "Left"), ("2", "key 2"),
                               ("альт икс", "key <Alt>x"), ("энтер", "key Return"), ("пейдж даун", "key Page_Down"), ("контрол зет", "key <Primary>z")]:
                desk.ask(f"нажми {keys}")
                place = window.log.says(told, behind=place)
            check(keyboard(desk) == was)
            for title in ["Рецепты", "Смета"]:
                desk.ask("нажми альт таб")
                until(lambda: desk.title() == title, 5, desk.title)


def test_a_key_copies_and_the_clipboard_is_told():
    with Desk() as desk:
        desk.screen()
        check("нет текста" in desk.ask("что в буфере обмена", expect=False))
        window = desk.window("Окно")
        desk.ask("русская раскладка")
        desk.ask(f"напечатай {ALL}")
        desk.ask("выдели все")
        desk.ask("скопируй")
        check(desk.ask("что в буфере обмена") == ALL, desk.ask("что в буфере обмена"))
        window.log.popen.send_signal(signal.SIGSTOP)
        try:
            check("не отвечает" in desk.ask("что в буфере обмена", expect=False))
        finally:
            window.log.popen.send_signal(signal.SIGCONT)
        for text, told in [("я" * 100_000, "я" * 100_000), ("я" * 2_000_000, None)]:
            owner = desk.home / "text"
            owner.write_text(text)
            desk.own()
            desk.service("owner", "xclip", "-selection", "clipboard", "-quiet", str(owner))
            until(lambda: desk.tool("xclip", "-selection", "clipboard", "-o", expect=None) == text, 10, "it is copied")
            said = desk.ask("что в буфере обмена", expect=told is not None)
            check(said == told if told else "слишком много" in said, len(said))


def test_the_layout_is_the_next_or_the_one_that_is_named():
    with Desk() as desk:
        desk.screen()
        for asked, told, second in [("смени раскладку", "Раскладка русская.", "on"), ("смени раскладку", "Раскладка английская.", "off"),
                                    ("русская раскладка", "Раскладка русская.", "on"), ("русская раскладка", "Раскладка русская.", "on"),
                                    ("английская раскладка", "Раскладка английская.", "off")]:
            check(desk.ask(asked) == told, asked)
            check(keyboard(desk)[0][1] == second, asked, keyboard(desk)[0])
        desk.tool("setxkbmap", "us")
        check(desk.ask("смени раскладку", expect=False) == "Раскладка здесь одна.")
        check("Русской раскладки" in desk.ask("русская раскладка", expect=False))


def test_a_screenshot_is_what_the_screen_shows():
    for depth in [24, 16]:
        with Desk() as desk:
            desk.screen(size=f"1021x1500x{depth}", manager=False)
            (desk.home / "Изображения").mkdir()
            desk.own()
            desk.python("""
from Xlib import X, display
d = display.Display()
for x, y, color in [(0, 0, "#ff0000"), (1011, 0, "#00ff00"), (0, 1490, "#0000ff"), (1011, 1490, "#ffffff"), (500, 700, "#204080")]:
    pixel = d.screen().default_colormap.alloc_named_color(color).pixel
    d.screen().root.create_window(x, y, 10, 10, 0, X.CopyFromParent, background_pixel=pixel, override_redirect=1).map()
d.sync()
d.close_down_mode = 1
d.set_close_down_mode(X.RetainPermanent)
d.sync()
""")
            for _ in range(3):
                check(desk.ask("сделай скриншот") == "Снимок экрана сохранён.")
            names = set((desk.home / "Изображения").iterdir())
            check(len(names) == 3, names)
            check(all(stat.S_IMODE(name.stat().st_mode) == 0o600 for name in names))
            check(all(re.fullmatch(r"Снимок \d{4}-\d\d-\d\d \d\d-\d\d-\d\d( \(\d\))?\.png", name.name) for name in names), names)
            seen = json.loads(desk.python(f"""
import gi, json
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf
p = GdkPixbuf.Pixbuf.new_from_file({str(min(names))!r})
bytes, row = p.get_pixels(), p.get_rowstride()
at = lambda x, y: list(bytes[y * row + x * 3:][:3])
print(json.dumps([p.get_width(), p.get_height()] + [at(*place) for place in
      [(0, 0), (9, 9), (10, 10), (1011, 9), (1020, 0), (9, 1490), (0, 1499), (1020, 1499), (500, 700), (509, 709), (510, 709)]]))
"""))
            red, green, blue, white, black = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255] * 3, [0] * 3
            check(seen[:-3] == [1021, 1500, red, red, black, green, green, blue, blue, white] and seen[-1] == black, seen)
            check(seen[-2] == seen[-3] and all(abs(a - b) < 8 for a, b in zip(seen[-2], [0x20, 0x40, 0x80])), seen)


def test_a_screenshot_that_cant_be_kept_says_so():
    with Desk() as desk:
        desk.screen(manager=False)
        folder = desk.home / "Pictures"
        folder.mkdir()
        folder.chmod(0o555)
        check("не сохраняется" in desk.ask("сделай скриншот", expect=False) and not list(folder.iterdir()))


def test_the_monitor_goes_off_and_on():
    for manners in [(), ("disabled",)]:
        with Desk() as desk:
            desk.screen(manager=False)
            check("DPMS" in desk.ask("погаси монитор", expect=False))
            # A number that no server takes by itself.
            display = f":{5000 + int(desk.number)}"
            sockets = [f"/tmp/.X11-unix/X{number[1:]}" for number in [display, desk.environment["DISPLAY"]]]
            monitor = desk.script("energy.py", *sockets, *manners, log="monitor")
            check(desk.ask("погаси монитор", DISPLAY=display))
            check(monitor.text() == "ready\n" + ("timeouts 0 0 0\nenabled\n" if manners else "") + "level 3\n", monitor.text())
            check(desk.ask("включи монитор", DISPLAY=display) and monitor.text().endswith("level 0\n"), monitor.text())


class Laptop(Desk):
    """A home whose system bus and backlights are its own."""

    def __enter__(self):
        super().__enter__()
        for folder in ["dbus", "class"]:
            (self.home / folder).mkdir()
        self.own()
        self.bus(self.home / "dbus/system_bus_socket")
        return self

    def command(self, *arguments):
        where = f'mkdir -p /run/dbus && mount --bind {self.home}/dbus /run/dbus && mount --bind {self.home}/class /sys/class && exec "$@"'
        return ["unshare", "-m", "sh", "-c", where, "sh", *super().command(*arguments)]

    def backlight(self, name, kind, now, most):
        folder = self.home / "class/backlight" / name
        folder.mkdir(parents=True)
        for file, text in [("type", kind), ("brightness", now), ("max_brightness", most)]:
            (folder / file).write_text(f"{text}\n")
        self.own()
        return folder / "brightness"


def test_the_brightness_is_what_was_said():
    with Laptop() as desk:
        logind = desk.script("logind.py", log="logind")
        raw, firmware = desk.backlight("a_raw", "raw", 10, 100), desk.backlight("intel", "firmware", 468, 937)
        for asked, told, value in [
            ("яркость 60", "Яркость 60.", 562), ("прибавь яркость на 20", "Яркость 80.", 750), ("прибавь яркость на 30", "Яркость 100.", 937),
            ("ярче", "Яркость уже 100.", 937), ("убавь яркость на 95", "Яркость 5.", 47), ("темнее", "Яркость 1.", 9),
            ("яркость 0", "Яркость уже 1.", 9),
        ]:
            check(desk.ask(asked) == told, asked)
            check(firmware.read_text() == f"{value}\n", asked, firmware.read_text())
        check(raw.read_text() == "10\n" and "brightness backlight intel 562" in logind.text(), logind.text())


def test_a_brightness_that_stays_is_told():
    with Laptop() as desk:
        value = desk.backlight("intel", "raw", 50, 100)
        check("не разрешает" in desk.ask("яркость 60", expect=False))
        desk.script("logind.py", "no", log="logind")
        check("не разрешает" in desk.ask("яркость 60", expect=False) and value.read_text() == "50\n")


def test_a_monitor_whose_driver_has_the_backlight_is_changed_there():
    with Laptop() as desk:
        desk.screen(manager=False)
        check("кнопками" in desk.ask("яркость 60", expect=False))
        desk.python("""
from Xlib import X, Xatom, display
from Xlib.ext import randr
d = display.Display()
output = randr.get_screen_resources(d.screen().root).outputs[0]
name = d.intern_atom("Backlight")
randr.ConfigureOutputProperty(display=d.display, opcode=d.display.get_extension_major("RANDR"), output=output, property=name,
                              pending=False, range=True, valid_values=[0, 200])
randr.change_output_property(d, output, name, Xatom.INTEGER, X.PropModeReplace, (32, [100]))
d.sync()
""")
        for asked, told, value in [("яркость 60", "Яркость 60.", 120), ("прибавь яркость на 50", "Яркость 100.", 200),
                                   ("ярче", "Яркость уже 100.", 200)]:
            check(desk.ask(asked) == told, asked)
            check(f"Backlight: {value}" in desk.tool("xrandr", "--prop"), desk.tool("xrandr", "--prop"))


def test_what_is_missing_is_said_in_time():
    with Desk() as desk:
        check("нет экрана" in desk.ask("сверни все окна", expect=False))
        server = desk.screen(manager=False)
        check("оконного менеджера" in desk.ask("сверни все окна", expect=False))
        for way in [{"WAYLAND_DISPLAY": "wayland-0"}, {"XDG_SESSION_TYPE": "wayland"}]:
            check("Xorg" in desk.ask("сделай скриншот", expect=False, **way))
        for display in [":9999", "elsewhere:0", "what"]:
            check("нет экрана" in desk.ask("сверни все окна", expect=False, DISPLAY=display), display)
        server.popen.send_signal(signal.SIGSTOP)
        try:
            for what in ["сверни все окна", "напечатай а", "погаси монитор", "смени раскладку", "сделай скриншот", "что в буфере обмена"]:
                begun = time.monotonic()
                check("не отвечает" in desk.ask(what, expect=False), what)
                check(time.monotonic() - begun < 3, what)
        finally:
            server.popen.send_signal(signal.SIGCONT)


def test_a_screen_that_wants_a_key_gets_it_or_it_is_said():
    with Desk() as desk:
        cookie = os.urandom(16)
        parts = [b"", b"", b"MIT-MAGIC-COOKIE-1", cookie]
        key = desk.home / "key"
        key.write_bytes(struct.pack(">H", 65535) + b"".join(struct.pack(">H", len(part)) + part for part in parts))
        os.chown(key, USER, USER)
        desk.screen("-auth", str(key), manager=False)
        check("не пускает" in desk.ask("сделай скриншот", expect=False))
        desk.ask("сделай скриншот", XAUTHORITY=str(key))


def test_selftest_tries_the_screen_and_undoes_it():
    with Desk() as desk:
        desk.screen()
        desk.window("Тайна")
        desk.write("")
        desk.start()
        before = sorted(path.name for path in desk.home.rglob("*"))
        report = desk.run("selftest", expect=None).stdout
        for words in ["✔ окна: видно 1", "✔ клавиатура", "✔ снимок экрана: снят и удалён", "– яркость"]:
            check(words in report, words, report)
        check("Тайна" not in report and before == sorted(path.name for path in desk.home.rglob("*")), report)


def test_a_word_of_a_title_closes_no_window():
    with Desk() as desk:
        desk.screen()
        for title in ["Дверь в лето - YouTube - Обозреватель", "Свет в океане - Обозреватель"]:
            desk.window(title)
        for said in ["закрой дверь", "выключи свет", "закрой youtube на кухне", "сверни дверь"]:
            check("Не знаю" in desk.run("say", "--do", said, expect=1).stderr, said)
        check(desk.tool("xprop", "-root", "_NET_CLIENT_LIST").count("0x") == 2)
        desk.ask("закрой дверь в лето")
        until(lambda: desk.tool("xprop", "-root", "_NET_CLIENT_LIST").count("0x") == 1, 5, "the window is gone")


def test_two_windows_that_fit_are_asked_for():
    with Desk() as desk:
        desk.screen()
        for title in ["Рецепты супа", "Рецепты пирога"]:
            desk.window(title)
        desk.write("")
        link = desk.start()
        question = link.ask("переключись на рецепты")
        check("Рецепты супа" in question["text"] and len(question["buttons"]) == 2, question)
        check(link.ask("супа")["ok"] and desk.title() == "Рецепты супа", desk.title())


def test_nothing_of_the_screen_stays_with_the_agent():
    with Desk() as desk:
        desk.screen()
        window = desk.window("Рецепты")
        desk.write("")
        link = desk.start()
        process = pathlib.Path(f"/proc/{desk.agent.popen.pid}")

        def use():
            for phrase in ["напечатай я—", "переключись на рецепты", "сделай скриншот", "смени раскладку", "что в буфере обмена"]:
                link.ask(phrase)
            return len(list((process / "fd").iterdir())), int((process / "status").read_text().split("VmRSS:")[1].split()[0])
        begun = len(list((process / "fd").iterdir()))
        uses = [use() for _ in range(10)]
        check(uses[-1][0] == begun and uses[-1][1] < uses[2][1] + 500, begun, uses)
        window.holds("я—" * 10)


if __name__ == "__main__":
    main(globals())
