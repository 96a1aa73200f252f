"""A platform that sends a flood of pushes to every subscriber: the same bytes again and again.

    python -m benchmarks._canned_live

It prints its port. `POST /session` grants a session. After the reply to a subscription come PUSHES pushes,
of which the last has another resource, so that a client sees the end.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks._processes import on_last_core

PUSHES = 200_000
LAST = "last"
DROP = {
    "id": "d51e6a3c01f40a3b9c27d41e0",
    "flowId": "f51e6a3c01f40a3b9c27d41e0",
    "path": "/acme/weather/jfk",
    "creationDate": 1764245000000,
    "creatorId": "i51e6a3c01f40a3b9c27d41e0",
    "elems": {"temp": 39.02, "wind_speed": 10.4, "station": "jfk"},
    "version": 0,
}


def canned() -> Callable[[Path], AbstractContextManager[str]]:
    """A `SERVER` of a benchmark: its address is host:port."""

    @contextmanager
    def serving(_: Path) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks._canned_live"]
        with on_last_core(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            yield f"127.0.0.1:{server.stdout.readline().strip()}"

    return serving


def _flood() -> list[bytes]:
    from flowthings_like.wire.live import Cursor, push
    from flowthings_like.wire.websocket import TEXT, server_frame

    value = json.dumps(DROP, separators=(",", ":")).encode()
    frames = [
        server_frame(TEXT, push(b'"/acme/weather/jfk"', value, Cursor(n + 1, 1764245000000)))
        for n in range(PUSHES - 1)
    ]
    frames.append(server_frame(TEXT, push(json.dumps(LAST).encode(), value, Cursor(PUSHES, 1764245000000))))
    return [b"".join(frames[start : start + 200]) for start in range(0, PUSHES, 200)]


def _serve(connection: socket.socket, flood: list[bytes]) -> None:
    from flowthings_like.wire.live import reply
    from flowthings_like.wire.websocket import TEXT, accept_key, server_frame

    with connection:
        head = connection.recv(65536).decode()
        if head.startswith("POST"):
            body = json.dumps({"head": {"status": 201, "ok": True, "errors": []}, "body": {"id": "s"}})
            connection.sendall(f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            return
        key = re.search(r"sec-websocket-key: *(\S+)", head, re.IGNORECASE)
        assert key is not None
        connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key[1])}\r\n\r\n".encode()
        )
        connection.recv(65536)  # the subscription
        connection.sendall(server_frame(TEXT, reply(0, {"cursor": "0.1764245000000"})))
        for part in flood:
            connection.sendall(part)
        connection.recv(65536)


def main() -> None:
    flood = _flood()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, flood), daemon=True).start()


if __name__ == "__main__":
    main()
