"""Driver: what the pool needs to know of a DB-API module. The base class serves for unknown modules."""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ....errors import ConnectionLost
from ..sockets import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Driver", "Memory", "caused_by_socket"]


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
            or caused_by_socket(error, handled)
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

    def drop(self, connection: Any) -> None:
        """Let go of a connection that was abandoned. Most drivers close what nothing refers to any more."""

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


def caused_by_socket(error: BaseException, handled: BaseException | None) -> bool:
    """Whether an OSError, or an interrupt, is behind an error of the driver."""
    seen = 0
    cause: BaseException | None = error
    while cause is not None and cause is not handled and seen < 20:
        if isinstance(cause, OSError) or not isinstance(cause, Exception):
            return True
        cause = cause.__cause__ or cause.__context__
        seen += 1
    return False
