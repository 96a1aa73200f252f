"""What PostgreSQL can do and drivers do not offer, or not so that other threads go on meanwhile."""

from __future__ import annotations

import _socket
import ctypes
import sys
from collections.abc import Callable
from itertools import count
from struct import pack
from typing import Any

__all__ = ["DeclaredCursor", "LibpqCancel", "cancel_request"]

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


class LibpqCancel:
    """Asks the server to cancel what a connection of libpq is doing. Calling it blocks its OS thread only.

    psycopg and psycopg2 have this function in C, and hold Python's lock in it: if the server cannot be
    reached, the whole process stands still for minutes. A call through ctypes does not hold the lock.

    Args:
        module: the name of a C module that is linked to libpq.
        pointer: the PGconn.

    Raises:
        OSError, AttributeError: libpq's functions are not found by way of that module.
    """

    def __init__(self, module: str, pointer: int) -> None:
        self._handle: int | None = None
        path = sys.modules[module].__file__
        assert path is not None
        self._libpq = library = ctypes.CDLL(path)
        library.PQgetCancel.argtypes = library.PQfreeCancel.argtypes = [ctypes.c_void_p]
        library.PQgetCancel.restype = ctypes.c_void_p
        library.PQcancel.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        self._handle = library.PQgetCancel(pointer)

    def __call__(self) -> None:
        message = ctypes.create_string_buffer(256)
        self._libpq.PQcancel(self._handle, message, len(message))

    def __del__(self) -> None:
        if self._handle is not None:
            self._libpq.PQfreeCancel(self._handle)


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
