"""An X server whose monitor can be turned off (DPMS 1.2), as far as a program sees: energy.py SOCKET REAL [disabled]. Passes
all else on to the server at REAL, which lacks this as Xvfb does. Says what the monitor does."""

import atexit
import pathlib
import signal
import socket
import struct
import sys
import threading

OPCODE = 200
NO_OPERATION, GET_INPUT_FOCUS, QUERY_EXTENSION = 127, 43, 98


class Monitor:
    level, is_enabled = 0, "disabled" not in sys.argv

    def asked(self, minor, body):
        """Returns the answer's bytes from the eighth on; none for what has no answer."""
        if minor == 1:
            return b"\1"
        if minor == 7:
            return struct.pack("<HB", self.level, self.is_enabled)
        if minor == 3:
            print("timeouts", *struct.unpack_from("<HHH", body), flush=True)
        elif minor == 4:
            self.is_enabled = True
            print("enabled", flush=True)
        elif minor == 6 and self.is_enabled:
            self.level, = struct.unpack_from("<H", body)
            print("level", self.level, flush=True)
        return None


class Client:
    def __init__(self, near, monitor):
        self.near, self.monitor, self.answers, self.number = near, monitor, {}, 0
        self.far = socket.socket(socket.AF_UNIX)
        self.far.connect(sys.argv[2])
        for pump in [self.requests, self.replies]:
            threading.Thread(target=self.run, args=[pump], daemon=True).start()

    def run(self, pump):
        try:
            pump()
        except (EOFError, OSError):
            for end in [self.near, self.far]:
                end.close()

    @staticmethod
    def read(end, length):
        data = b""
        while len(data) < length:
            some = end.recv(length - len(data))
            if not some:
                raise EOFError
            data += some
        return data

    def requests(self):
        head = self.read(self.near, 12)
        name, key = struct.unpack_from("<HH", head, 6)
        self.far.sendall(head + self.read(self.near, (name + 3) // 4 * 4 + (key + 3) // 4 * 4))
        while True:
            head = self.read(self.near, 4)
            opcode, minor, length = struct.unpack("<BBH", head)
            if length == 0:
                # A long one (BIG-REQUESTS).
                head += self.read(self.near, 4)
                length, = struct.unpack_from("<I", head, 4)
            body = self.read(self.near, length * 4 - len(head))
            self.number = (self.number + 1) % 65536
            if opcode == QUERY_EXTENSION and body[4:8] == b"DPMS":
                self.answers[self.number] = struct.pack("<BBBB", 1, OPCODE, 0, 0)
            elif opcode == OPCODE:
                # In its place goes one that is answered or not, as it is itself.
                answer = self.monitor.asked(minor, body)
                head, body = struct.pack("<BBH", NO_OPERATION if answer is None else GET_INPUT_FOCUS, 0, 1), b""
                if answer is not None:
                    self.answers[self.number] = answer
            self.far.sendall(head + body)

    def replies(self):
        head = self.read(self.far, 8)
        self.near.sendall(head + self.read(self.far, struct.unpack_from("<H", head, 6)[0] * 4))
        while True:
            packet = self.read(self.far, 32)
            kind, number, length = struct.unpack_from("<BxHI", packet)
            if kind in (1, 35):
                packet += self.read(self.far, length * 4)
            if kind == 1 and number in self.answers:
                packet = (packet[:8] + self.answers.pop(number)).ljust(32, b"\0")
            self.near.sendall(packet)


listener = socket.socket(socket.AF_UNIX)
pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
listener.bind(sys.argv[1])
atexit.register(pathlib.Path(sys.argv[1]).unlink)
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
listener.listen()
print("ready", flush=True)
monitor = Monitor()
while True:
    Client(listener.accept()[0], monitor)
