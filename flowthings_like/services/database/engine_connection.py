"""What SQLAlchemy takes for a DB-API connection and its cursors: each call is one exchange of a Session."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionLost, DeadlineExceeded
from ...green.calls.thunk import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transport.database.session import Session
    from .connections import Checkout

__all__ = ["EngineConnection", "EngineCursor"]

CHUNK = 100
"""How many rows one exchange brings where they are fetched one by one."""


class EngineConnection:
    """A connection of the pool, with the attributes and methods of the driver's own one.

    Methods, and setting an attribute, are exchanges. If the connection was lost they raise the driver's
    OperationalError, which SQLAlchemy understands. DeadlineExceeded and CallCancelled are as they are.

    SQLAlchemy keeps this object as long as the connection lives. While the connection is idle, or is somebody
    else's, it is empty.
    """

    __slots__ = ("_checkout", "_session")
    _checkout: Checkout | None
    _session: Session | None

    def __init__(self, checkout: Checkout, session: Session) -> None:
        self._checkout = checkout
        self._session = session

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            ConnectionLost: it was closed or given back.
        """
        if self._session is None:
            raise ConnectionLost("this connection was closed")
        return self._session

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._session is None or self._session.is_lost()

    def take_over(self, other: EngineConnection) -> None:
        """Have what the other one has."""
        self._checkout, self._session = other._checkout, other._session

    def give_back(self, note: object) -> None:
        """Give the connection back to its pool if it is in order, and else close it.

        Args:
            note: what the Session keeps for the next user of the connection.
        """
        checkout, session = self._checkout, self._session
        self._checkout = self._session = None
        if checkout is not None and session is not None:
            session.note = note  # this object is in it, and does not refer to the session any more
            checkout.__exit__(None, None, None)

    def close(self) -> None:
        """Close the connection itself, without waiting. Closing again does nothing."""
        checkout = self._checkout
        if checkout is not None:
            checkout.discard()
        self._checkout = self._session = None

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(connection, *args)` with the driver's own connection, as one exchange."""
        return self._exchanged(self.session.exchange, function, *args)

    def commit(self) -> None:
        """Commit the transaction."""
        self._exchanged(self.session.finish, self.session.driver.commit)

    def rollback(self) -> None:
        """Roll the transaction back. If the connection was lost, that is done already."""
        if not self.closed:
            self._exchanged(self.session.undo)

    def cursor(self, *args: Any, **kwargs: Any) -> EngineCursor:
        """A new cursor; the arguments are for the driver's `cursor`."""
        return EngineCursor(self, args, kwargs)

    def _exchanged(self, exchange: Callable[..., Any], *args: Any) -> Any:
        try:
            return exchange(*args)
        except DeadlineExceeded:  # an OSError, but no loss of the connection
            raise
        except (ConnectionLost, OSError) as error:
            if not self.closed:
                raise
            raise self.session.driver.operational_error(str(error)) from error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.session.attribute(name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self.call(lambda _: value(*args, **kwargs))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in EngineConnection.__slots__:
            object.__setattr__(self, name, value)
        else:
            self.call(setattr, name, value)


class EngineCursor:
    """A cursor with the attributes and methods of the driver's own one.

    Args:
        connection: what made it.
        args, kwargs: for the driver's `cursor`.
    """

    __slots__ = ("_args", "_connection", "_cursor", "_kwargs", "_rows")

    def __init__(self, connection: EngineConnection, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._connection = connection
        self._args = args
        self._kwargs = kwargs
        self._cursor: Any = None  # made within the first exchange
        self._rows: deque[Any] = deque()  # fetched, and not yet asked for

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run a statement. GreenThunks among its parameters are waited for."""
        return self._call("execute", *unwrap(args), **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> Any:
        """Run a statement once for each set of parameters."""
        return self._call("executemany", *unwrap(args), **kwargs)

    def fetchone(self) -> Any:
        """The next row; None after the last one."""
        if not self._rows:
            self._rows.extend(self._exchange("fetchmany", CHUNK))
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        size = self.arraysize if size is None else size
        found = list(islice(self._rows, size))
        if len(found) < size:
            found += self._exchange("fetchmany", size - len(found))
        for _ in range(min(size, len(self._rows))):
            self._rows.popleft()
        return found

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        found = [*self._rows, *self._exchange("fetchall")]
        self._rows.clear()
        return found

    def close(self) -> None:
        """Close the cursor. If the connection was lost there is nothing to close."""
        if self._cursor is not None and not self._connection.closed:
            self._exchange("close")

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self._rows.clear()
        return self._exchange(method, *args, **kwargs)

    def _exchange(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._connection.call(self._within, method, args, kwargs)

    def _within(self, connection: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return getattr(self._open(connection), method)(*args, **kwargs)

    def _open(self, connection: Any) -> Any:
        if self._cursor is None:
            self._cursor = connection.cursor(*self._args, **self._kwargs)
        return self._cursor

    def _opened(self) -> Any:
        return self._connection.call(self._open) if self._cursor is None else self._cursor

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._opened(), name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self._call(name, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in EngineCursor.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._opened(), name, value)
