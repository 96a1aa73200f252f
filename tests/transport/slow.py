"""A server that sends its answers in small pieces.

Run as a program, `slow.py [certificate key]`, it prints its port.

A connection whose first byte is "?" is a control connection: each "?" is answered with the number of other
connections. On the rest it speaks HTTP/1.1. It ends when its input does.
"""

import json
import socket
import ssl
import sys
import threading
import time

PIECE = 23
PAUSE = 0.0002

open_connections: set[int] = set()


def answer(number: int) -> bytes:
    head = {"ok": True, "status": 200, "errors": []}
    body = json.dumps({"head": head, "body": {"number": number, "padding": "x" * 40}}).encode()
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    if number % 2:
        middle = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (7, body[:7], len(body) - 7, body[7:])
        return start + b"Transfer-Encoding: chunked\r\n\r\n" + middle
    return start + b"Content-Length: %d\r\n\r\n" % len(body) + body


def serve(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = id(connection)
    try:
        if connection.recv(1, socket.MSG_PEEK) == b"?":
            while connection.recv(1):
                connection.sendall(b"%d" % len(open_connections))
            return
        open_connections.add(key)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        request = b""
        while True:
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            head, _, request = request.partition(b"\r\n\r\n")
            quick, _, number = head.split()[1].rpartition(b"/")
            text = answer(int(number))
            if quick.endswith(b"quick"):
                connection.sendall(text)
                continue
            for start in range(0, len(text), PIECE):
                time.sleep(PAUSE)
                connection.sendall(text[start : start + PIECE])
    except OSError:
        pass
    finally:
        connection.close()
        open_connections.discard(key)


def main() -> None:
    context = None
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


main()
