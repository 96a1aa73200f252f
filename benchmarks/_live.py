"""Follows flows of the platform that serves a run, and a Redis beside it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks._platform import platform
from benchmarks._processes import on_last_core

REDIS_SOCKET = "redis.sock"


@contextmanager
def platform_and_redis(folder: Path) -> Iterator[str]:
    """The platform, and redis-server if it is installed, on the same core."""
    with ExitStack() as running:
        told = running.enter_context(platform(folder))
        server = shutil.which("redis-server")
        if server is not None:
            command = [server, "--port", "0", "--unixsocket", str(folder / REDIS_SOCKET), "--save", ""]
            running.enter_context(on_last_core(command, stdout=subprocess.DEVNULL))
            while not (folder / REDIS_SOCKET).exists():
                time.sleep(0.01)
        yield told


class Redis:
    """One connection, as far as publishing and subscribing need it."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(place))
        self.lines = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> None:
        head = b"*%d\r\n" % len(parts)
        self.socket.sendall(head + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))

    def reply(self) -> bytes | int | list[bytes | int]:
        """The next reply: an integer, a bulk string, or a list of them."""
        line = self.lines.readline()
        if line.startswith(b"*"):
            return [self.reply() for _ in range(int(line[1:]))]  # type: ignore[misc]
        if line.startswith(b"$"):
            return self.lines.read(int(line[1:]) + 2)[:-2]
        return int(line[1:])
