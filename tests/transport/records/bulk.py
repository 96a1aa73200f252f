"""A TStorage server in a process of its own that discards what is put, and has a long reply ready.

Run as a program, `bulk.py COUNT SIZES`, it prints its port. It answers each GET with COUNT records, whose
payloads have the SIZES in turn. It ends when its input does.
"""

import socket
import struct
import sys
import threading

HEADER = struct.Struct("<iQ")


def reply(count: int, sizes: list[int]) -> bytes:
    parts = [bytes(12)]
    for number in range(count):
        size = sizes[number % len(sizes)]
        parts.append(struct.pack("<iiqiqq", 32 + size, 1, number, 2, 3, 4) + bytes(size))
    return b"".join([*parts, struct.pack("<iiQq", 0, 0, 8, 77)])


def serve(connection: socket.socket, ready: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while True:
        while len(received) < 12:
            data = connection.recv(1 << 20)
            if not data:
                return
            received += data
        command, size = HEADER.unpack_from(received)
        if command == 1:
            while len(received) < 12 + size:
                received += connection.recv(1 << 20)
            received = received[12 + size :]
            connection.sendall(ready)
            continue
        received = discard(connection, received[12:])
        connection.sendall(struct.pack("<iQqq", 0, 16, 1, 1))


def discard(connection: socket.socket, received: bytes) -> bytes:
    """Read the batches of a put. Returns what came after them."""
    while True:
        while len(received) < 4 or (received[:4] != b"\xff\xff\xff\xff" and len(received) < 8):
            received += connection.recv(1 << 20)
        if received[:4] == b"\xff\xff\xff\xff":
            return received[4:]
        left = 8 + struct.unpack_from("<i", received, 4)[0]
        while left > len(received):
            left -= len(received)
            received = connection.recv(1 << 20)
        received = received[left:]


def main() -> None:
    ready = reply(int(sys.argv[1]), [int(size) for size in sys.argv[2].split(",")])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, ready), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


main()
