"""A client that sees every package."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from flowthings_like.platform.embedded import Platform
from flowthings_like.wire.things.packages import EVENT_ID, Kind, Package, PackageParser, package
from flowthings_like.wire.things.values import pack, unpack

PATIENCE = 60.0
STUFF = "@collection:stuff"


class Peer:
    """A connection to a node, its packages sent and read by hand."""

    def __init__(self, host: str, port: int) -> None:
        self.sock = socket.create_connection((host, port), timeout=PATIENCE)
        self.parser = PackageParser()
        self.unread: list[Package] = []

    @classmethod
    def of(cls, platform: Platform, account: str = "") -> Peer:
        """A connection that has logged in to the platform's node."""
        host, port, user, password = platform.things_address()
        peer = cls(host, port)
        assert peer.ask(Kind.AUTH, [account or user, password]) == (Kind.OK, None)
        return peer

    def say(self, kind: int, body: Any = None, id: int = 1) -> None:
        self.sock.sendall(package(kind, id, b"" if body is None else pack(body)))

    def next(self) -> Package:
        while not self.unread:
            data = self.sock.recv(65_536)
            if not data:
                raise EOFError
            self.unread += self.parser.feed(data)
        return self.unread.pop(0)

    def read(self) -> tuple[Kind, Any]:
        """Read the next package."""
        found = self.next()
        if found.kind < 16:
            assert found.id == EVENT_ID
        return Kind(found.kind), unpack(found.body) if found.body else None

    def ask(self, kind: int, body: Any = None, id: int = 1) -> tuple[Kind, Any]:
        """Send a request and read the next package, which has to be its answer."""
        self.say(kind, body, id)
        found = self.next()
        assert found.id == id, found
        return Kind(found.kind), unpack(found.body) if found.body else None

    def query(self, code: str, scope: str = "//stuff", **variables: Any) -> Any:
        """Run code and return its result."""
        kind, body = self.ask(Kind.QUERY, [scope, code, variables])
        assert kind == Kind.DATA, body
        return body

    def error(self, kind: int, body: Any) -> int:
        """Send a request and return the code of the error that answers it."""
        found, said = self.ask(kind, body)
        assert found == Kind.ERROR, said
        assert list(said) == ["error_code", "error_msg"]
        code: int = said["error_code"]
        return code

    def nothing_more(self) -> bool:
        """Whether nothing else was sent: the next package is the answer to a ping."""
        return self.ask(Kind.PING, id=77) == (Kind.PONG, None)

    def gone(self) -> bool:
        """Whether the node has closed the connection."""
        try:
            while True:
                self.next()
        except (EOFError, ConnectionError):
            return True

    def close(self) -> None:
        self.sock.close()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
