"""A ThingsDB node that does not think: its answers are ready before it is asked, so clients are measured.

    python -m benchmarks._canned_things [--as-a-node]

It prints its port. It answers all requests that came in one read with one write; with `--as-a-node` it writes
each package by itself and leaves Nagle's algorithm on, as a real node does: then the second of two small
packages waits until the first one is acknowledged.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from benchmarks._processes import on_last_core
from flowthings_like.wire.things.header import HEADER
from flowthings_like.wire.things.packages import EVENT_ID, Kind, package
from flowthings_like.wire.things.values import pack, unpack

SCOPE = "@collection:stuff"
ROOM = 1
EVENTS = 100_000
"""Events that follow the query `FLOOD`, before its own answer."""

SUM, THINGS, FLOOD = "1 + 1", "things", "flood"

_PER_WRITE = 1_000
_FRAME = struct.Struct("<IHBB")
_ABOUT = {"scope": SCOPE, "id": ROOM}
_JOINED = package(Kind.ROOM_JOIN, EVENT_ID, pack(_ABOUT))
_LEFT = package(Kind.ROOM_LEAVE, EVENT_ID, pack(_ABOUT))
_EMITTED = package(Kind.ROOM_EMIT, EVENT_ID, pack({**_ABOUT, "event": "msg", "args": ["hello"]}))
_MANY = [
    {"#": number, "name": f"thing {number}", "weight": number / 8, "tags": ["a", "b"]}
    for number in range(10_000)
]

# Before it, its kind and body, after it
Reply = tuple[bytes, int, bytes, bytes]


def _reply_to(kind: int, body: bytes) -> Reply:
    """What a request gets, but for the id."""
    if kind == Kind.PING:
        return b"", Kind.PONG, b"", b""
    if kind == Kind.EMIT:
        return _EMITTED, Kind.OK, b"", b""
    if kind == Kind.JOIN:
        return b"", Kind.DATA, pack([ROOM]), _JOINED
    if kind == Kind.LEAVE:
        return _LEFT, Kind.DATA, pack([ROOM]), b""
    if kind != Kind.QUERY:
        return b"", Kind.OK, b"", b""
    code = unpack(body)[1]
    if code == FLOOD:
        return _EMITTED * EVENTS, Kind.DATA, pack(None), b""
    return b"", Kind.DATA, pack(_MANY if code == THINGS else 2), b""


def _converse(connection: socket.socket, as_a_node: bool) -> None:
    replies: dict[tuple[int, bytes], Reply] = {}
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not as_a_node)
    rest = b""
    while data := connection.recv(65_536):
        data, start, answers = rest + data, 0, []
        while len(data) - start >= HEADER:
            size, id, kind, _ = _FRAME.unpack_from(data, start)
            stop = start + HEADER + size
            if stop > len(data):
                break
            request = kind, data[start + HEADER : stop]
            start = stop
            if request not in replies:
                replies[request] = _reply_to(*request)
            before, kind, body, after = replies[request]
            answer = _FRAME.pack(len(body), id, kind, kind ^ 0xFF) + body
            answers += [part for part in (before, answer, after) if part]
        rest = data[start:]
        for part in answers if as_a_node else [b"".join(answers)]:
            connection.sendall(part)


def main() -> None:
    as_a_node = "--as-a-node" in sys.argv
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, as_a_node), daemon=True).start()


def _serve(connection: socket.socket, as_a_node: bool) -> None:
    with closing(connection), suppress(ConnectionError):
        _converse(connection, as_a_node)


def canned(*options: str) -> Callable[[Path], object]:
    """What a benchmark's SERVER is: such a node on the last core, which takes any credentials."""

    @contextmanager
    def running(_folder: Path) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks._canned_things", *options]
        with on_last_core(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            yield f"admin:pass@127.0.0.1:{int(server.stdout.readline())}"

    return running


if __name__ == "__main__":
    main()
