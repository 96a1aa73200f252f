"""A Redis."""

from __future__ import annotations

import socket
from urllib.parse import quote

from .address import new_password
from .programs import find_program
from .server import HOST, Server

__all__ = ["Redis"]

PACKAGE = "redis-server"


class Redis(Server):
    """A Redis with a password, which keeps nothing over `restart`."""

    def __init__(self) -> None:
        super().__init__()
        self.password = new_password()

    def url(self, database: int = 0) -> str:
        """For example redis://:password@127.0.0.1:20001/0."""
        return f"redis://:{quote(self.password, safe='')}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        lines = [f"bind {HOST}", f"port {self.port}", f'requirepass "{self.password}"', 'save ""']
        self.write_file("redis.conf", "\n".join([*lines, f"dir {self.folder}", "daemonize no"]) + "\n")

    def command(self) -> list[str]:
        return [find_program("redis-server", PACKAGE, "/usr/bin"), str(self.folder / "redis.conf")]

    def check(self) -> None:
        with socket.create_connection((HOST, self.port), 10) as sock:
            sock.sendall(b"PING\r\n")
            answer = sock.recv(64)
        assert answer.startswith(b"-NOAUTH"), answer
