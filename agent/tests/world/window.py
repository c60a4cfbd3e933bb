"""A window to type into, for Debian's Python with gi and Gtk 3: window.py TITLE FILE [late] [asks] [keys]. FILE holds its text."""

import pathlib
import sys
import time

import gi

for part in ["Gdk", "Gtk"]:
    gi.require_version(part, "3.0")
from gi.repository import Gdk, GLib, Gtk  # noqa: E402: only now that the version is said

TITLE, FILE, *MANNERS = sys.argv[1:]


class Window(Gtk.Window):
    def __init__(self):
        super().__init__(title=TITLE, default_width=300, default_height=200)
        self.view = Gtk.TextView()
        self.view.get_buffer().connect("changed", self.write)
        self.connect("key-press-event", self.pressed)
        self.connect("delete-event", lambda *_: "asks" in MANNERS)
        self.connect("destroy", Gtk.main_quit)
        self.add(self.view)
        self.write()

    def write(self, *_):
        buffer = self.view.get_buffer()
        new = pathlib.Path(FILE + ".new")
        new.write_text(buffer.get_text(*buffer.get_bounds(), True))
        new.rename(FILE)

    def pressed(self, _, event):
        if "late" in MANNERS:
            MANNERS.remove("late")
            time.sleep(1.2)
        if "keys" in MANNERS:
            print("key", Gtk.accelerator_name(event.keyval, event.state & Gtk.accelerator_get_default_mod_mask()), flush=True)
        return False


GLib.set_prgname("home-window")
Gdk.set_program_class("Home-Window")
Window().show_all()
print("ready", flush=True)
Gtk.main()
