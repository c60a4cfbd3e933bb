"""A home with a desktop's services around it: a bus, and programs of the tests' own on it."""

import pathlib
import shutil

from own import Home
from world import USER, Process

HERE = pathlib.Path(__file__).resolve().parent
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


class Desktop(Home):
    def __enter__(self):
        self.running = []
        return self

    def service(self, log, *command):
        process = Process(self.home / f"{log}.log", [*AS_USER, *command], env=self.environment, cwd="/")
        self.running.append(process)
        return process

    def bus(self, socket):
        """Starts a bus, which is the session's."""
        address = f"unix:path={socket}"
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        self.service("bus", "dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}").says("unix:path")

    def script(self, name, *arguments, log):
        """Starts a script of this folder, for Debian's Python with dbus and gi."""
        process = self.service(log, "/usr/bin/python3", shutil.copy(HERE / name, self.home), *arguments)
        process.says("ready")
        return process

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop()
        super().__exit__()
