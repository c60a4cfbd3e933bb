"""A relay that is made up: whatever a test wants to send, and what the agent answers. RFC 6455 by hand."""

import base64
import hashlib
import json
import socket
import struct
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Relay:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(40)
        self.port = self.listener.getsockname()[1]

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    def accept(self, protocol="home-alice.v2", status="101 Switching Protocols", fields=""):
        """Takes the next connection and answers its handshake. Returns the link."""
        stream, _ = self.listener.accept()
        stream.settimeout(40)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = stream.recv(1)
            if not byte:
                return None
            head += byte
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
        named = {name.lower(): value for name, value in lines.items()}
        accept = base64.b64encode(hashlib.sha1((named["sec-websocket-key"] + GUID).encode()).digest()).decode()
        offer = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        answer = f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n" \
                 f"{offer}{fields}\r\n"
        stream.sendall(answer.encode())
        return Link(stream, named)

    def linked(self):
        """A link whose hello was read, and which was told the time."""
        link = self.accept()
        link.hello = json.loads(link.text())
        link.send({"now": link.now()})
        return link

    def close(self):
        self.listener.close()


class Link:
    def __init__(self, stream, head):
        self.stream, self.head, self.number = stream, head, 0

    @staticmethod
    def now():
        return int(time.time() * 1000)

    def frame(self, opcode, payload=b"", final=True):
        length = len(payload)
        head = bytes([opcode | (0x80 if final else 0)])
        if length < 126:
            head += bytes([length])
        elif length < 65536:
            head += b"\x7e" + struct.pack(">H", length)
        else:
            head += b"\x7f" + struct.pack(">Q", length)
        self.stream.sendall(head + payload)

    def send(self, message):
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        self.frame(1, text.encode())

    def command(self, text, wait=4000, **more):
        self.number += 1
        identity = f"5f2a9c01-{self.number}"
        self.send({"id": identity, "text": text, "screen": False, "now": self.now(), "until": self.now() + wait, **more})
        return identity

    def exact(self, length):
        data = b""
        while len(data) < length:
            some = self.stream.recv(length - len(data))
            if not some:
                raise EOFError("the agent has ended the connection")
            data += some
        return data

    def read(self):
        """Returns opcode and payload of the next frame."""
        first, second = self.exact(2)
        length = second & 0x7F
        if length == 126:
            length, = struct.unpack(">H", self.exact(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.exact(8))
        mask = self.exact(4)
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.exact(length)))
        return first & 0x0F, payload

    def text(self):
        while True:
            opcode, payload = self.read()
            if opcode == 1:
                return payload.decode()
            if opcode == 8:
                raise EOFError(f"the agent has closed the link: {payload!r}")
            if opcode == 9:
                self.frame(10, payload)

    def answer(self):
        return json.loads(self.text())

    def ask(self, text, **more):
        identity = self.command(text, **more)
        answer = self.answer()
        assert answer["id"] == identity, answer
        return answer

    def close(self):
        self.stream.close()
