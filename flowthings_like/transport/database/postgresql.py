"""What PostgreSQL can do and pg8000 has no function for: server-side cursors, and cancelling a statement."""

from __future__ import annotations

import _socket
from collections.abc import Callable
from itertools import count
from struct import pack
from typing import Any

__all__ = ["DeclaredCursor", "cancel_request"]

_numbers = count(1)
CANCEL_CODE = 80877102
CANCEL_TIMEOUT = 10.0
"""Seconds for connecting, and for the server to close the connection."""


class DeclaredCursor:
    """A server-side cursor of PostgreSQL, by SQL, for a driver that has none."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._name = f"flowthings_{next(_numbers)}"

    @property
    def description(self) -> Any:
        """The columns of the last rows that were fetched."""
        return self._cursor.description

    def execute(self, statement: str, *args: Any, **kwargs: Any) -> None:
        """Declare the cursor for a statement."""
        self._cursor.execute(f"declare {self._name} no scroll cursor for {statement}", *args, **kwargs)

    def fetchmany(self, size: int) -> Any:
        """The next rows, at most `size`."""
        self._cursor.execute(f"fetch forward {size:d} from {self._name}")
        return self._cursor.fetchall()

    def close(self) -> None:
        """Close it. The transaction's end closes it on the server."""
        self._cursor.close()


def cancel_request(address: Any, key: bytes) -> Callable[[], None]:
    """A function that asks the server to cancel what a connection is doing. It blocks, for a short time.

    The request goes over a connection of its own, without TLS and without a password, as PostgreSQL's
    protocol wants it. It holds nothing but the connection's secret key, which is of no use afterwards.

    Args:
        address: of the server, as `getpeername()` gives it.
        key: what the server sent as BackendKeyData: process id and secret key.
    """

    def cancel() -> None:
        family = _socket.AF_INET if len(address) == 2 else _socket.AF_INET6
        if isinstance(address, str | bytes):
            family = _socket.AF_UNIX
        sock = _socket.socket(family, _socket.SOCK_STREAM)  # not a green one: this runs in an OS thread
        try:
            sock.settimeout(CANCEL_TIMEOUT)
            sock.connect(address)
            sock.sendall(pack("!ii", 8 + len(key), CANCEL_CODE) + key)
            sock.recv(1)  # the server closes the connection when it has passed the request on
        finally:
            sock.close()

    return cancel
