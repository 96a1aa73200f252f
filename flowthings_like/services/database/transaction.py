"""What an interaction gets: a cursor and a connection whose every call is one exchange of the session.

A call of a blocking driver runs in an OS thread and the interaction goes on in its own green thread. So the
function of an interaction may use whatever is green, and its context variables are its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...green.calls.thunk import unwrap
from ...telemetry.event import Family
from ...telemetry.observers import begin, end, observers
from .placeholders import translate, translate_many
from .rows import convert_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from ...telemetry.event import CallEvent
    from ...transport.database.drivers.base import Driver
    from ...transport.database.session import Session
    from .connections import Checkout
    from .options import PoolOptions

__all__ = ["Connection", "PooledConnection", "Statement", "Transaction", "TransactionBlock"]

_log = logging.getLogger("flowthings_like.database")
CHUNK = 100
"""How many rows one exchange brings where a cursor is iterated."""


class Statement:
    """A statement and its parameters, as the driver takes them.

    Args:
        options: of the pool.
        driver: the DB-API driver.
        args: the statement, and the parameters if there are any. GreenThunks among them are waited for.
        kwargs: what else the driver's `execute` takes.
    """

    __slots__ = ("args", "kwargs")

    def __init__(
        self, options: PoolOptions, driver: Driver, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        args = unwrap(args)
        if options.placeholders and args:
            parameters = args[1] if len(args) > 1 else None
            text, parameters = translate(args[0], parameters, driver.paramstyle, driver.name)
            args = (text,) if parameters is None else (text, parameters, *args[2:])
        self._set(options, args, unwrap(kwargs))

    @classmethod
    def written_here(
        cls, options: PoolOptions, driver: Driver, text: str, values: tuple[Any, ...]
    ) -> Statement:
        """A statement with `?` for each of some plain values, for a driver of any paramstyle."""
        made = cls.__new__(cls)
        if driver.paramstyle == "qmark":
            made._set(options, (text, values) if values else (text,), {})
            return made
        text, parameters = translate(text, values, driver.paramstyle, driver.name)
        made._set(options, (text,) if parameters is None else (text, parameters), {})
        return made

    def _set(self, options: PoolOptions, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs
        if options.noisy and args:
            _log.info("%s: %s", options.name or "pool", args[0])


class Transaction:
    """A cursor in a transaction. It has the methods and attributes of the driver's own cursor.

    Rows are tuples, or what `rows_as` makes of them. The pool commits when the interaction returns, and rolls
    back when it raises.

    Args:
        session: whose transaction it is.
        options: of the pool.
        rows_as: see `rows.row_maker`.
        args, kwargs: for the driver's `cursor`.
    """

    def __init__(
        self,
        session: Session,
        options: PoolOptions,
        rows_as: Any = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._session = session
        self._loan = session.loan
        self._options = options
        self._rows_as = rows_as
        self._args = args
        self._kwargs = kwargs or {}
        self._cursor: Any = None

    def execute(self, *args: Any, **kwargs: Any) -> Transaction:
        """Run a statement, with its parameters if it has any. Returns this cursor."""
        statement = Statement(self._options, self._session.driver, args, kwargs)
        self._exchange("execute", statement.args, statement.kwargs)
        return self

    def executemany(self, statement: Any, parameters: Any, **kwargs: Any) -> Transaction:
        """Run a statement once for each set of parameters. Returns this cursor."""
        driver = self._session.driver
        rows = [unwrap(row) for row in unwrap(parameters)]
        if self._options.placeholders:
            statement, rows = translate_many(statement, rows, driver.paramstyle, driver.name)
        self._exchange("executemany", (statement, rows), kwargs)
        return self

    def fetchone(self) -> Any:
        """The next row; None after the last one."""
        row = self._exchange("fetchone", (), {})
        return None if row is None else self._made([row])[0]

    def fetchmany(self, *args: Any, **kwargs: Any) -> list[Any]:
        """The next rows, as many as the driver's `fetchmany` gives."""
        return self._made(self._exchange("fetchmany", args, kwargs))

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        return self._made(self._exchange("fetchall", (), {}))

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(cursor, *args)` with the driver's own cursor, as one exchange.

        It is for what has methods of its own, such as psycopg's `copy`, and for many small calls: with a
        driver that blocks all of them need one change of OS threads.
        """
        return _exchange(self._session, self._loan, self._with_cursor, function, args)

    def close(self) -> None:
        """Close the cursor. The transaction goes on, and the next statement opens a new one."""
        if self._cursor is not None:
            _exchange(self._session, self._loan, self._close)

    def _close(self, connection: Any) -> None:
        cursor, self._cursor = self._cursor, None
        self._session.cursors.remove(cursor)
        self._session.driver.close_cursor(cursor)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(CHUNK):
            yield from rows

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        cursor = self._cursor
        if cursor is None:
            cursor = self.call(lambda cursor: cursor)
        value = getattr(cursor, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self._exchange(name, unwrap(args), unwrap(kwargs))

    def _exchange(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        def call(cursor: Any) -> Any:
            return getattr(cursor, method)(*args, **kwargs)

        return self.call(call)

    def _with_cursor(self, connection: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        cursor = self._cursor
        if cursor is None:
            cursor = self._session.driver.cursor(connection, *self._args, **self._kwargs)
            self._session.cursors.append(cursor)
            self._cursor = cursor
        return function(cursor, *args)

    def _made(self, rows: Any) -> list[Any]:
        return convert_rows(self._rows_as, self._cursor.description, rows)


class Connection:
    """A connection in an interaction. It has the methods and attributes of the driver's own connection.

    Cursors that the interaction leaves open are closed at its end.

    Args:
        session: the connection.
        options: of the pool.
    """

    def __init__(self, session: Session, options: PoolOptions) -> None:
        self._session = session
        self._loan = session.loan
        self._options = options

    def cursor(self, *args: Any, rows_as: Any = None, **kwargs: Any) -> Transaction:
        """A new cursor. The other arguments are for the driver's `cursor`, such as psycopg's `name`."""
        _check_loan(self._session, self._loan)
        return Transaction(self._session, self._options, rows_as, args, kwargs)

    def commit(self) -> None:
        """Commit what was done so far."""
        _check_loan(self._session, self._loan)
        self._session.finish(self._session.driver.commit)

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        _check_loan(self._session, self._loan)
        self._session.undo()

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(connection, *args)` with the driver's own connection, as one exchange."""
        return _exchange(self._session, self._loan, function, *args)

    def finish(self) -> None:
        """Close the cursors, and commit. If nothing was sent, nothing is."""
        if self._session.exchanges:
            self.commit()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _check_loan(self._session, self._loan)
        value = self._session.attribute(name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self.call(lambda _: value(*unwrap(args), **unwrap(kwargs)))

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.call(setattr, name, value)


def _exchange(session: Session, loan: int, function: Callable[..., Any], *args: Any) -> Any:
    _check_loan(session, loan)
    return session.exchange(function, *args)


def _check_loan(session: Session, loan: int) -> None:
    if session.loan != loan:
        raise InvalidInput(
            "the transaction of this cursor has ended, and its connection may serve another one; "
            "use cursors only within the interaction or block that they were made for"
        )


class PooledConnection(Connection):
    """A connection that its holder gives back by `close()`, as DB-API connections are closed."""

    def __init__(self, checkout: Checkout, session: Session, options: PoolOptions) -> None:
        super().__init__(session, options)
        self._checkout = checkout

    def close(self) -> None:
        """Roll back what was not committed, and give the connection back. Closing again does nothing."""
        self._checkout.__exit__(None, None, None)

    def __enter__(self) -> PooledConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _leave(self._checkout, self, kind, error, traceback)


class TransactionBlock:
    """A transaction for the length of a `with` block, which gets its cursor."""

    def __init__(self, checkout: Checkout, options: PoolOptions, rows_as: Any) -> None:
        self._checkout = checkout
        self._options = options
        self._rows_as = rows_as
        self._connection: Connection | None = None
        self._event: CallEvent | None = None

    def __enter__(self) -> Transaction:
        if observers:
            self._event = begin(Family.DATABASE, "transaction", self._checkout.host, is_block=True)
        try:
            connection = self._connection = Connection(self._checkout.__enter__(), self._options)
        except BaseException as failure:
            self._tell_end(failure)
            raise
        return connection.cursor(rows_as=self._rows_as)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        failure = error
        try:
            _leave(self._checkout, connection, kind, error, traceback)
        except BaseException as own:
            failure = own
            raise
        finally:
            self._tell_end(failure)
            del failure  # its frames refer to this one

    def _tell_end(self, failure: BaseException | None) -> None:
        event, self._event = self._event, None
        if event is not None:
            end(event, failure)


def _leave(
    checkout: Checkout,
    connection: Connection | None,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    """Commit if no exception has ended the block, and give the connection back."""
    try:
        if kind is None and connection is not None:
            connection.finish()
    except BaseException as failure:
        kind, error, traceback = type(failure), failure, failure.__traceback__
        raise
    finally:
        checkout.__exit__(kind, error, traceback)
