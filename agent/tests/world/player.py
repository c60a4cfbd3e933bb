"""A player of music that is made up, by MPRIS 2.2, for Debian's Python with dbus and gi: player.py NAME STATUS [slow] [stubborn]."""

import sys

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

PLAYER = "org.mpris.MediaPlayer2.Player"
TRACKS = ["Первая", "Вторая", "Третья"]
NAME, STATUS, *MANNERS = sys.argv[1:]


class Player(dbus.service.Object):
    def __init__(self, bus):
        self.status, self.track = STATUS, 0
        super().__init__(bus, "/org/mpris/MediaPlayer2")

    def state(self):
        return dbus.Dictionary({"PlaybackStatus": self.status,
                                "Metadata": dbus.Dictionary({"xesam:title": TRACKS[self.track]}, signature="sv")}, signature="sv")

    def become(self, **state):
        def change():
            self.__dict__.update(state)
            print(self.status, TRACKS[self.track], flush=True)
            self.PropertiesChanged(PLAYER, self.state(), [])
        if "stubborn" not in MANNERS:
            GLib.timeout_add(300, change) if "slow" in MANNERS else change()

    @dbus.service.method(PLAYER)
    def Pause(self):
        self.become(status="Paused")

    @dbus.service.method(PLAYER)
    def Play(self):
        self.become(status="Playing")

    @dbus.service.method(PLAYER)
    def Next(self):
        self.become(track=min(self.track + 1, len(TRACKS) - 1))

    @dbus.service.method(PLAYER)
    def Previous(self):
        self.become(track=max(self.track - 1, 0))

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, _, name):
        return self.state()[name]

    @dbus.service.signal(dbus.PROPERTIES_IFACE, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, gone):
        pass


DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName(f"org.mpris.MediaPlayer2.{NAME}", bus)
player = Player(bus)
print("ready", flush=True)
GLib.MainLoop().run()
