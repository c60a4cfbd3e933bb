"""A logind that is made up, for Debian's Python with dbus and gi: logind.py [no]. Says what it was asked."""

import pathlib
import sys
import time

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

MANAGER = "org.freedesktop.login1.Manager"
MAY = "no" if "no" in sys.argv else "yes"


class Manager(dbus.service.Object):
    scheduled = None

    @dbus.service.method(MANAGER, out_signature="s")
    def CanSuspend(self):
        return MAY

    @dbus.service.method(MANAGER, out_signature="s")
    def CanHibernate(self):
        return "na"

    @dbus.service.method(MANAGER, out_signature="s")
    def CanPowerOff(self):
        return MAY

    @dbus.service.method(MANAGER, out_signature="s")
    def CanReboot(self):
        return MAY

    @dbus.service.method(MANAGER, in_signature="b")
    def Suspend(self, interactive):
        print("suspend", bool(interactive), flush=True)

    @dbus.service.method(MANAGER, in_signature="st")
    def ScheduleShutdown(self, what, at):
        self.scheduled = what
        # A time gone by powers a real one off at once.
        print(what, round(at / 1e6 - time.time()), flush=True)

    @dbus.service.method(MANAGER, out_signature="b")
    def CancelScheduledShutdown(self):
        if MAY == "no":
            raise dbus.exceptions.DBusException("no", name="org.freedesktop.DBus.Error.AccessDenied")
        was, self.scheduled = self.scheduled is not None, None
        print("cancel", was, flush=True)
        return was


class Session(dbus.service.Object):
    @dbus.service.method("org.freedesktop.login1.Session")
    def Lock(self):
        print("lock", flush=True)

    @dbus.service.method("org.freedesktop.login1.Session")
    def Terminate(self):
        print("terminate", flush=True)

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, _, name):
        return {"State": "active"}[name]

    @dbus.service.method("org.freedesktop.login1.Session", in_signature="ssu")
    def SetBrightness(self, subsystem, name, value):
        print("brightness", subsystem, name, value, flush=True)
        if MAY == "no":
            raise dbus.exceptions.DBusException("no", name="org.freedesktop.DBus.Error.AccessDenied")
        pathlib.Path(__file__).with_name("class").joinpath(subsystem, name, "brightness").write_text(f"{value}\n")


DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName("org.freedesktop.login1", bus)
objects = Manager(bus, "/org/freedesktop/login1"), Session(bus, "/org/freedesktop/login1/session/auto")
print("ready", flush=True)
GLib.MainLoop().run()
