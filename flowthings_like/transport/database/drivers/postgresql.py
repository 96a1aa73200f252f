"""The drivers of PostgreSQL: psycopg 3, psycopg2 and pg8000."""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .base import Driver, caused_by_socket
from .postgresql_protocol import DeclaredCursor, LibpqCancel, cancel_request

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PG8000", "Psycopg", "Psycopg2", "psycopg2_waits_in_c", "psycopg_waits_in_c"]

_numbers = count(1)


class Psycopg(Driver):
    """psycopg 3. It warns of server-side cursors that are garbage and were not closed.

    Behind a PgBouncer before 1.22 in transaction mode give `prepare_threshold=None` to `connect`, or in the
    URL leave prepared statements off: they belong to a server connection that the next transaction may not
    get, and fail with "prepared statement … does not exist" or "already exists".
    """

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module)
        self._streams: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def blocks_green_threads(self) -> bool:
        return psycopg_waits_in_c()

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        cursor = self._streams[connection] = connection.cursor(name=f"flowthings_{next(_numbers)}")
        cursor.itersize = size
        return cursor

    def is_foreign(self, connection: Any, error: Exception) -> bool:
        return connection.info.transaction_status.name == "ACTIVE"  # type: ignore[no-any-return]

    def commit(self, connection: Any) -> None:
        super().commit(connection)
        self._close_stream(connection)

    def rollback(self, connection: Any) -> None:
        super().rollback(connection)
        self._close_stream(connection)

    def abort(self, connection: Any) -> None:
        super().abort(connection)
        self._close_stream(connection)

    def _close_stream(self, connection: Any) -> None:
        """Close a server-side cursor whose transaction has ended. The server is not asked for that."""
        cursor = self._streams.pop(connection, None)
        if cursor is not None:
            cursor.close()

    def is_closed(self, connection: Any) -> bool:
        return bool(connection.closed)

    def descriptor(self, connection: Any) -> int:
        return -1 if connection.closed else connection.fileno()

    def canceller(self, connection: Any) -> Callable[[], object] | None:
        if connection.closed:
            return None
        implementation = type(connection.pgconn).__module__
        if implementation.startswith("psycopg."):  # in Python: it calls libpq through ctypes
            return connection.pgconn.get_cancel().cancel  # type: ignore[no-any-return]
        return LibpqCancel(implementation, connection.pgconn.pgconn_ptr)


class Psycopg2(Driver):
    """psycopg2, which waits in place if a wait callback is installed, as psycogreen and eventlet do.

    If such a callback is interrupted, the driver closes the connection itself, and the statement cannot be
    cancelled any more: it goes on at the server to its end.
    """

    def blocks_green_threads(self) -> bool:
        return psycopg2_waits_in_c()

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        cursor = connection.cursor(f"flowthings_{next(_numbers)}")
        cursor.itersize = size
        return cursor

    def is_closed(self, connection: Any) -> bool:
        return bool(connection.closed)

    def descriptor(self, connection: Any) -> int:
        return -1 if connection.closed else connection.fileno()

    def canceller(self, connection: Any) -> Callable[[], object] | None:
        return None if connection.closed else LibpqCancel("psycopg2._psycopg", connection.pgconn_ptr)


class PG8000(Driver):
    """pg8000. An interrupted connection would go on with the previous answer."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module)
        self.name = "pg8000"

    def blocks_green_threads(self) -> bool:
        return False

    def connect(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # What the driver's `connect` does. If it is interrupted, its connection may stay half open: it refers
        # to itself, so only the garbage collector ends it, and the server waits a minute for the rest.
        made = self.module.Connection.__new__(self.module.Connection)
        try:
            made.__init__(*args, **kwargs)
        except BaseException:
            for opened in (getattr(made, "_sock", None), getattr(made, "_usock", None)):
                if opened is not None:
                    with suppress(OSError, ValueError):
                        opened.close()
            raise
        return made

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        return DeclaredCursor(connection.cursor())

    def is_foreign(self, connection: Any, error: Exception) -> bool:
        from_server = bool(error.args) and isinstance(error.args[0], dict)
        return not (from_server or isinstance(error, self.interface_error) or caused_by_socket(error, None))

    def is_closed(self, connection: Any) -> bool:
        return connection._usock is None

    def descriptor(self, connection: Any) -> int:
        sock = connection._usock
        return -1 if sock is None else sock.fileno()

    def close(self, connection: Any) -> None:
        file = connection._sock
        super().close(connection)
        if file is not None:  # the driver leaves it, and the socket with it, to the garbage collector
            with suppress(OSError, ValueError):
                file.close()

    def canceller(self, connection: Any) -> Callable[[], object] | None:
        sock, key = connection._usock, connection._backend_key_data
        return None if sock is None or not key else cancel_request(sock.getpeername(), key)


def psycopg_waits_in_c() -> bool:
    """Whether psycopg 3 is imported and waits in C code, which blocks all green threads."""
    waiting = sys.modules.get("psycopg.waiting")
    in_c = getattr(waiting, "wait_c", None)
    return in_c is not None and getattr(waiting, "wait", None) is in_c


def psycopg2_waits_in_c() -> bool:
    """Whether psycopg2 is imported and has no wait callback, so that it blocks all green threads."""
    asked = getattr(sys.modules.get("psycopg2.extensions"), "get_wait_callback", None)
    return asked is not None and asked() is None
