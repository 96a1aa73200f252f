"""What this library knows of each DB-API driver: which block, how they fail, how they are interrupted.

    driver                  gevent                         eventlet                       threads
    sqlite3, duckdb         native                         native                         in place
    psycopg 3               in place, if patched first     native                         in place
    psycopg2                native                         native                         in place
    psycopg2, psycogreen    in place                       in place                       in place
    pg8000, PyMySQL         in place                       in place                       in place
    any other               native                         native                         in place

"Native" calls run in OS threads of the pool's own, because the driver's C code would block all green threads.
What runs in place waits by green sockets. psycopg 3 chooses how it waits when it is imported: it detects
gevent, and PSYCOPG_WAIT_FUNC=wait_selector or PSYCOPG_IMPL=python makes it wait in place under eventlet, too.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...errors import ConfigurationError, ConnectionLost, InvalidInput
from .postgresql import DeclaredCursor, LibpqCancel, cancel_request
from .sockets import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Driver", "Memory", "find_driver", "psycopg2_waits_in_c", "psycopg_waits_in_c"]

_numbers = count(1)


class Driver:
    """One DB-API 2.0 module. The base class is for drivers that nothing is known of.

    Attributes:
        module: the DB-API module.
        name: the module's name, such as "sqlite3".
        errors: what a lost connection raises: the driver's own errors, those of a socket, and ConnectionLost.
        is_embedded: whether the database is in this process, and no server.
        begins: whether `begin` has to be called: the driver does not begin transactions by itself.
    """

    is_embedded = False
    begins = False

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.name = module.__name__
        self.error: type[Exception] = module.Error
        # Drivers written in Python let the socket's own errors through now and then, as pg8000 does.
        self.errors: tuple[type[Exception], ...] = (module.Error, ConnectionError, ConnectionLost)
        self.interface_error: type[Exception] = getattr(module, "InterfaceError", module.Error)
        self.operational_error: type[Exception] = getattr(module, "OperationalError", module.Error)
        self.paramstyle: str = module.paramstyle

    def blocks_green_threads(self) -> bool:
        """Whether a call blocks all green threads of its OS thread."""
        return True

    def shared_memory(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Memory | None:
        """The database in memory that these arguments of `connect` stand for, if it lives as long as its
        connections: the pool then holds one more connection, which is not used."""
        return None

    def connect(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Open a connection."""
        return self.module.connect(*args, **kwargs)

    def begin(self, connection: Any) -> None:
        """Begin a transaction; only called if `begins`."""

    def cursor(self, connection: Any, *args: Any, **kwargs: Any) -> Any:
        """A new cursor. The arguments are the driver's own."""
        return connection.cursor(*args, **kwargs)

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        """A new cursor that does not hold all rows in memory, if the driver has such a cursor."""
        return self.cursor(connection)

    def close_cursor(self, cursor: Any) -> None:
        """Close a cursor. It may be closed already."""
        cursor.close()

    def commit(self, connection: Any) -> None:
        """Commit the transaction."""
        connection.commit()

    def rollback(self, connection: Any) -> None:
        """Roll the transaction back."""
        connection.rollback()

    def is_lost(self, connection: Any, error: Exception, handled: BaseException | None) -> bool:
        """Whether a connection is of no more use after this error of the driver.

        An error that the server sent leaves the connection as it was. After an error of the socket nobody
        knows what was sent and what will still arrive.

        Args:
            handled: the exception that the caller was handling when it called the driver. It is the context
                of the error, and has nothing to do with the connection.
        """
        return (
            self.is_closed(connection)
            or isinstance(error, self.interface_error)
            or _caused_by_socket(error, handled)
        )

    def is_foreign(self, connection: Any, error: Exception) -> bool:
        """Whether an error of the driver's class was raised by something else, while it waited in place.

        `gevent.Timeout(1, OperationalError("too slow"))` does that. The answer is still to come then.
        """
        return False

    def is_closed(self, connection: Any) -> bool:
        """Whether the driver has noticed that the connection is closed."""
        return False

    def descriptor(self, connection: Any) -> int:
        """The file descriptor of the connection's socket; -1 if there is none, or it is not known."""
        return -1

    def canceller(self, connection: Any) -> Callable[[], object] | None:
        """A function that interrupts the statement that is running, in this process or on the server.

        It is called in another OS thread, perhaps after the connection was closed.
        """
        return None

    def close(self, connection: Any) -> None:
        """End a connection whose last exchange is complete. It may be closed already."""
        with suppress(self.error):
            connection.close()

    def abort(self, connection: Any) -> None:
        """End a connection in the middle of anything. Waits for nothing."""
        shut_down(self.descriptor(connection))
        self.close(connection)

    def __repr__(self) -> str:
        return f"<Driver {self.name}>"


class Memory:
    """A database in memory that several connections share.

    Attributes:
        args, kwargs: what each connection is made with.
    """

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs


class SQLite(Driver):
    """sqlite3. A connection may be used in any OS thread, in one at a time."""

    is_embedded = True

    def shared_memory(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Memory | None:
        database = args[0] if args else kwargs.get("database")
        if database not in (":memory:", b":memory:", ""):
            return None
        if self.module.sqlite_version_info >= (3, 36):  # memdb locks as files do: writers wait for each other
            uri = f"file:/flowthings-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        else:
            uri = f"file:flowthings-{os.getpid()}-{next(_numbers)}?mode=memory&cache=shared"
        others = {name: value for name, value in kwargs.items() if name != "database"}
        return Memory((uri, *args[1:]), {**others, "uri": True})

    def connect(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.module.connect(*args, **{**kwargs, "check_same_thread": False})

    def is_lost(self, connection: Any, error: Exception, handled: BaseException | None) -> bool:
        # Its InterfaceError is about a parameter. What cannot be repaired, such as a file that is no
        # database, a new connection does not repair either.
        return False

    def canceller(self, connection: Any) -> Callable[[], object]:
        return connection.interrupt  # type: ignore[no-any-return]


class DuckDB(Driver):
    """duckdb. A cursor of its own is a connection of its own, so a connection serves as its cursor."""

    is_embedded = True
    begins = True

    def shared_memory(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Memory | None:
        database = args[0] if args else kwargs.get("database", ":memory:")
        if str(database) not in (":memory:", ""):
            return None
        others = {name: value for name, value in kwargs.items() if name != "database"}
        return Memory((f":memory:flowthings-{os.getpid()}-{next(_numbers)}", *args[1:]), others)

    def begin(self, connection: Any) -> None:
        connection.begin()

    def cursor(self, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return connection

    def close_cursor(self, cursor: Any) -> None:
        pass

    def is_lost(self, connection: Any, error: Exception, handled: BaseException | None) -> bool:
        return False

    def canceller(self, connection: Any) -> Callable[[], object]:
        return connection.interrupt  # type: ignore[no-any-return]


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
        import_module("psycopg2.extensions")
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

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        return DeclaredCursor(connection.cursor())

    def is_foreign(self, connection: Any, error: Exception) -> bool:
        from_server = bool(error.args) and isinstance(error.args[0], dict)
        return not (from_server or isinstance(error, self.interface_error) or _caused_by_socket(error, None))

    def is_closed(self, connection: Any) -> bool:
        return connection._usock is None

    def descriptor(self, connection: Any) -> int:
        sock = connection._usock
        return -1 if sock is None else sock.fileno()

    def canceller(self, connection: Any) -> Callable[[], object] | None:
        sock, key = connection._usock, connection._backend_key_data
        return None if sock is None or not key else cancel_request(sock.getpeername(), key)


class PyMySQL(Driver):
    """PyMySQL."""

    def blocks_green_threads(self) -> bool:
        return False

    def streaming_cursor(self, connection: Any, size: int) -> Any:
        return connection.cursor(import_module("pymysql.cursors").SSCursor)

    def is_closed(self, connection: Any) -> bool:
        return not connection.open

    def descriptor(self, connection: Any) -> int:
        sock = connection._sock
        return -1 if sock is None else sock.fileno()

    def abort(self, connection: Any) -> None:
        result = connection._result
        if result is not None:
            result.unbuffered_active = False  # else its __del__ reads the rest, and waits for it
        super().abort(connection)


_KNOWN: dict[str, type[Driver]] = {
    "sqlite3": SQLite,
    "duckdb": DuckDB,
    "psycopg": Psycopg,
    "psycopg2": Psycopg2,
    "pg8000": PG8000,
    "pg8000.dbapi": PG8000,
    "pg8000.legacy": PG8000,
    "pymysql": PyMySQL,
}


def find_driver(dbapi: str | ModuleType) -> Driver:
    """The driver that a DB-API 2.0 module, or its name, stands for.

    Raises:
        ConfigurationError: there is no such module, or it is no DB-API module.
    """
    if isinstance(dbapi, str):
        try:
            module = import_module(dbapi)
        except ModuleNotFoundError as error:
            if error.name != dbapi.partition(".")[0]:
                raise
            raise ConfigurationError(f"there is no module {dbapi!r}; install the driver's package") from None
    elif isinstance(dbapi, ModuleType):
        module = dbapi
    else:
        raise InvalidInput(f"the driver is a {type(dbapi).__name__}; give a DB-API module or its name")
    missing = [name for name in ("connect", "Error", "paramstyle") if not hasattr(module, name)]
    if missing:
        raise ConfigurationError(
            f"{module.__name__} has no {', '.join(missing)}, so it is no DB-API 2.0 module; "
            "some packages keep it in a submodule, as pg8000.dbapi"
        )
    return _KNOWN.get(module.__name__, Driver)(module)


def psycopg_waits_in_c() -> bool:
    """Whether psycopg 3 is imported and waits in C code, which blocks all green threads."""
    waiting = sys.modules.get("psycopg.waiting")
    in_c = getattr(waiting, "wait_c", None)
    return in_c is not None and getattr(waiting, "wait", None) is in_c


def psycopg2_waits_in_c() -> bool:
    """Whether psycopg2 is imported and has no wait callback, so that it blocks all green threads."""
    asked = getattr(sys.modules.get("psycopg2.extensions"), "get_wait_callback", None)
    return asked is not None and asked() is None


def _caused_by_socket(error: BaseException, handled: BaseException | None) -> bool:
    """Whether an OSError, or an interrupt, is behind an error of the driver."""
    seen = 0
    cause: BaseException | None = error
    while cause is not None and cause is not handled and seen < 20:
        if isinstance(cause, OSError) or not isinstance(cause, Exception):
            return True
        cause = cause.__cause__ or cause.__context__
        seen += 1
    return False
