"""A server that answers every request with two megabytes of real weather, packed for paths that end in
"packed".

    python -m benchmarks._bodies

It prints its port, and runs until it is killed. Its answers are ready before the first request, so that it
takes next to nothing of the machine.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from benchmarks._weather import drops

SIZE = 2_000_000


def body() -> bytes:
    """The platform's answer to a find of so many drops that it is two megabytes."""
    found = [
        {**model, "id": f"d{number:024x}", "flowId": "f" + "0" * 24, "path": "/acme/weather", "version": 0}
        for number, model in enumerate(drops())
    ]
    each = len(orjson.dumps(found)) / len(found)
    head = {"ok": True, "status": 200, "errors": [], "messages": [], "references": {}}
    return orjson.dumps({"head": head, "body": found[: round(SIZE / each)]})


def answers() -> tuple[bytes, bytes]:
    """The whole answer, plain and packed."""
    plain = body()
    packed = gzip.compress(plain)
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    return (
        start % len(plain) + b"\r\n" + plain,
        start % len(packed) + b"Content-Encoding: gzip\r\n\r\n" + packed,
    )


def serve() -> None:
    plain, packed = answers()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(listener.getsockname()[1], flush=True)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            while first := lines.readline():
                while lines.readline().strip():
                    pass
                target = first.split()[1].partition(b"?")[0]
                connection.sendall(packed if target.endswith(b"packed") else plain)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The server in a process of its own, on the last core; yields its host and port."""
    command = [sys.executable, "-m", "benchmarks._bodies"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


if __name__ == "__main__":
    serve()
