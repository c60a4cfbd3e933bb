"""Stands where the relay stands, and writes down what a proxy sends it: upstream.py FILE.

Prints its port. Each request is answered with 200 and closes its connection; its bytes are appended to FILE
before that, and its head with a line that holds `== end of request` behind it."""

import socket
import sys
import threading


def serve(connection: socket.socket, file: str, lock: threading.Lock):
    connection.settimeout(20)
    received = b""
    with connection:
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                break
            received += more
        if received:
            with lock, open(file, "ab") as record:
                record.write(received + b"\n== end of request\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    lock = threading.Lock()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, sys.argv[1], lock), daemon=True).start()


main()
