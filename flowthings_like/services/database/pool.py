"""ConnectionPool: Twisted's adbapi in blocking style, for any DB-API driver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...errors import ConfigurationError
from ...green.batching.bulk_marker import bulk
from ...green.calls.markers import plain
from ...telemetry.event import Family
from ...telemetry.observers import observed_items, observers
from ...transport.database.drivers.find import find_driver
from ...transport.database.urls import parse_url
from ..in_parallel import InParallel
from .attempts import run
from .connections import Checkout, Connections, PoolStatistics
from .finding import Finding
from .options import PoolOptions
from .query_batch import QueryBatch, fetch
from .rows import check_rows_as, convert_rows
from .transaction import Connection, PooledConnection, Statement, TransactionBlock

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ...transport.database.session import Session
    from .parallel import AsyncConnectionPool, LazyConnectionPool

__all__ = ["ConnectionPool"]

T = TypeVar("T")
DRAIN_TIMEOUT = 10.0
"""Seconds for which `close` waits for the calls that are under way."""


class ConnectionPool(Finding, InParallel):
    """A pool of connections to one database: Twisted's `adbapi.ConnectionPool` in blocking style.

    >>> pool = ConnectionPool("sqlite3", ":memory:")
    >>> pool.run_query("select 1 + 1")
    [(2,)]

    `pool.lazy().run_query(…)` returns a thunk and `pool.async_().run_query(…)` a green thread. adbapi's own
    names (runQuery, runOperation, runInteraction, runWithConnection) are the same methods.

    The SQL and its parameters go to the driver as they are, and its errors come back as they are. Nothing is
    connected before the first call. A connection that was interrupted in a call is closed.

    Args:
        dbapi: a DB-API 2.0 module or its name, such as "sqlite3", "psycopg" or "pymysql".
        args, kwargs: for the driver's `connect`. Arguments that begin with `cp_` are the pool's own; see
            PoolOptions.

    Raises:
        ConfigurationError: there is no such module, or it is not a DB-API module.
        InvalidInput: an option is unknown or cannot be used.
    """

    __api_family__ = Family.DATABASE

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncConnectionPool: ...
        def lazy(self, pool: Any = None) -> LazyConnectionPool: ...

    def __init__(self, dbapi: str | ModuleType, /, *args: Any, **kwargs: Any) -> None:
        self._options = PoolOptions.taken_from(kwargs)
        self._driver = find_driver(dbapi)
        self._connections = Connections(self._driver, args, kwargs, self._options)
        self._known_columns = {}

    @classmethod
    def from_url(cls, url: str, **options: Any) -> ConnectionPool:
        """A pool for a URL: `sqlite:///folder/file.db`, `postgresql://user:password@host/name`, `mysql://…`.

        Args:
            url: see `flowthings_like.transport.database.urls`.
            options: options of the pool and of the driver's `connect`. They come before those in the URL.

        Raises:
            InvalidInput: the URL cannot be read.
            ConfigurationError: no driver for it is installed.
        """
        parsed = parse_url(url)
        return cls(parsed.driver, *parsed.args, **{**parsed.kwargs, **parsed.options, **options})

    @overload
    def run_query(
        self, statement: Any, /, *args: Any, rows_as: None = None, idempotent: bool = False, **kwargs: Any
    ) -> list[tuple[Any, ...]]: ...
    @overload
    def run_query(
        self,
        statement: Any,
        /,
        *args: Any,
        rows_as: type[dict[str, Any]],
        idempotent: bool = False,
        **kwargs: Any,
    ) -> list[dict[str, Any]]: ...
    @overload
    def run_query(
        self,
        statement: Any,
        /,
        *args: Any,
        rows_as: Callable[..., T],
        idempotent: bool = False,
        **kwargs: Any,
    ) -> list[T]: ...
    @bulk("_run_queries", entry="_query_entry", most=256, in_order=True)
    def run_query(
        self, statement: Any, /, *args: Any, rows_as: Any = None, idempotent: bool = False, **kwargs: Any
    ) -> list[Any]:
        """Run a statement in a transaction of its own, and return all its rows.

        Args:
            statement, args, kwargs: for the driver's `execute`: the SQL, and its parameters if it has any.
            rows_as: what a row becomes: None or tuple, dict, a dataclass or a TypedDict.
            idempotent: whether the statement may be sent a second time if the connection was lost after it
                had been sent. If nothing was sent, it is always sent again.

        Raises:
            Exception: the driver's own error.
            DeadlineExceeded: no connection was free in time.
        """
        check_rows_as(rows_as)
        prepared = Statement(self._options, self._driver, (statement, *args), kwargs)

        def query(connection: Any) -> list[Any]:
            return fetch(self._driver, connection, prepared, rows_as)

        return self._run("run_query", lambda session: session.finish(query), idempotent)

    def _query_entry(
        self, statement: Any, *args: Any, rows_as: Any = None, idempotent: bool = False, **kwargs: Any
    ) -> tuple[object, Any] | None:
        """What a lazy query puts into a batch; None if it goes alone, because its database is a server."""
        if not self._driver.is_embedded:
            return None
        check_rows_as(rows_as)
        prepared = Statement(self._options, self._driver, (statement, *args), kwargs)
        return object(), (prepared, rows_as)  # a key of its own: no two queries share an answer

    def _run_queries(self, queries: list[tuple[Statement, Any]]) -> list[Any]:
        """The bulk form of `run_query`."""

        def run(body: Callable[[Session], bool]) -> bool:
            return self._run("run_query", body, idempotent=False)

        return QueryBatch(self._driver, queries, run).results(self.max)

    def run_operation(self, statement: Any, /, *args: Any, idempotent: bool = False, **kwargs: Any) -> None:
        """Run a statement that has no rows, in a transaction of its own. See `run_query`."""
        prepared = Statement(self._options, self._driver, (statement, *args), kwargs)

        def operate(connection: Any) -> None:
            cursor = self._driver.cursor(connection)
            cursor.execute(*prepared.args, **prepared.kwargs)
            self._driver.close_cursor(cursor)
            self._driver.commit(connection)

        self._run("run_operation", lambda session: session.finish(operate), idempotent)

    def run_interaction(
        self, interaction: Callable[..., T], /, *args: Any, idempotent: bool = False, **kwargs: Any
    ) -> T:
        """Call `interaction(transaction, *args, **kwargs)` in a transaction, and commit when it returns.

        The transaction is a cursor. If the function raises, or is killed, nothing of it stays. If the server
        has closed the connection before the first statement, the function is called again, once, with a new
        connection.

        Args:
            interaction: a function. It runs in the caller's own (green) thread.
            idempotent: whether it may be called again if the connection was lost after the first statement.
        """

        def with_cursor(connection: Connection) -> T:
            return interaction(connection.cursor(), *args, **kwargs)

        return self._interact(_named("run_interaction", interaction), with_cursor, idempotent)

    def run_with_connection(
        self, function: Callable[..., T], /, *args: Any, idempotent: bool = False, **kwargs: Any
    ) -> T:
        """Like `run_interaction`, with the connection in place of a cursor."""

        def with_connection(connection: Connection) -> T:
            return function(connection, *args, **kwargs)

        return self._interact(_named("run_with_connection", function), with_connection, idempotent)

    def _interact(self, what: str, work: Callable[[Connection], T], idempotent: bool) -> T:
        def interact(session: Session) -> T:
            connection = Connection(session, self._options)
            value = work(connection)
            connection.finish()
            return value

        return self._run(what, interact, idempotent)

    @plain
    def transaction(self, rows_as: Any = None) -> TransactionBlock:
        """A transaction as a block: `with pool.transaction() as cursor: …`. It commits at the end.

        Args:
            rows_as: what the rows become that the cursor fetches; see `run_query`.
        """
        check_rows_as(rows_as)
        return TransactionBlock(Checkout(self._connections, "transaction"), self._options, rows_as)

    @overload
    @plain
    def iterate(
        self, statement: Any, /, *args: Any, size: int = 1000, rows_as: None = None, **kwargs: Any
    ) -> Iterator[tuple[Any, ...]]: ...
    @overload
    @plain
    def iterate(
        self, statement: Any, /, *args: Any, size: int = 1000, rows_as: type[dict[str, Any]], **kwargs: Any
    ) -> Iterator[dict[str, Any]]: ...
    @overload
    @plain
    def iterate(
        self, statement: Any, /, *args: Any, size: int = 1000, rows_as: Callable[..., T], **kwargs: Any
    ) -> Iterator[T]: ...
    @plain
    def iterate(
        self, statement: Any, /, *args: Any, size: int = 1000, rows_as: Any = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Run a statement and yield its rows, `size` of which are fetched at a time.

        With psycopg, psycopg2, pg8000 and PyMySQL the other rows stay on the server. The connection is in use
        until the last row was read. If the loop is left before, the connection is closed.

        Args:
            size: how many rows are in memory.
            rows_as: see `run_query`.
        """
        check_rows_as(rows_as)
        prepared = Statement(self._options, self._driver, (statement, *args), kwargs)
        rows = self._rows(prepared, size, rows_as)
        host = self._connections.host
        return observed_items(Family.DATABASE, "iterate", host, rows) if observers else rows

    def _rows(self, statement: Statement, size: int, rows_as: Any) -> Iterator[Any]:
        def start(connection: Any) -> Any:
            cursor = self._driver.streaming_cursor(connection, size)
            cursor.execute(*statement.args, **statement.kwargs)
            return cursor

        def end(connection: Any) -> None:
            self._driver.close_cursor(cursor)
            self._driver.commit(connection)

        with Checkout(self._connections, "iterate") as session:
            cursor = session.exchange(start)
            while rows := session.exchange(lambda _: cursor.fetchmany(size)):
                yield from convert_rows(rows_as, cursor.description, rows)
            session.finish(end)

    @plain
    def connect(self) -> PooledConnection:
        """A connection to hold on to. Its `close()` gives it back."""
        checkout = Checkout(self._connections, "connect")
        return PooledConnection(checkout, checkout.__enter__(), self._options)

    @plain
    def engine(self, dialect: str | None = None, **options: Any) -> Engine:
        """A SQLAlchemy engine, for the ORM too, that uses the connections of this pool.

        It fires SQLAlchemy's "connect" event once for each connection, and "checkout" for each use. It waits
        for a free connection as the pool does, and then raises DeadlineExceeded.

        Args:
            dialect: SQLAlchemy's name for the database and the driver, such as "mariadb+pymysql"; by default
                that of the pool's driver.
            options: of `sqlalchemy.create_engine`, except those of SQLAlchemy's own pools.

        Raises:
            ConfigurationError: SQLAlchemy is not installed, or its dialect for the driver is not known here.
            InvalidInput: an option is of SQLAlchemy's own pools.
        """
        try:
            from .sqlalchemy_engine import create_engine  # SQLAlchemy is optional, and takes long to import
        except ModuleNotFoundError as error:
            if error.name != "sqlalchemy":
                raise
            raise ConfigurationError("SQLAlchemy is missing; python -m pip install SQLAlchemy") from None
        return create_engine(self._connections, dialect, options)

    @plain
    def stats(self) -> PoolStatistics:
        """The numbers of the pool now, and what has its connections."""
        return self._connections.statistics()

    @plain
    def start(self) -> None:
        """Open the pool again after `close`. A new pool is open. It connects when it is used."""
        self._connections.closed = False

    @plain
    def close(self, timeout: float | None = None) -> None:
        """Refuse new calls, wait for those under way, and close all connections and OS threads.

        Args:
            timeout: seconds to wait; by default 10. Statements that still run then are
                interrupted, and connections that are in use are closed when they come back.
        """
        self._connections.closed = True
        end = time.monotonic() + (DRAIN_TIMEOUT if timeout is None else timeout)
        pause = 0.001
        while self._connections.statistics().holders and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        self._connections.close()

    @property
    def min(self) -> int:
        """How many idle connections stay open."""
        return self._options.min

    @property
    def max(self) -> int:
        """How many connections there may be."""
        return self._options.max

    @property
    def name(self) -> str:
        """What messages call the pool."""
        return self._connections.name

    @property
    def running(self) -> bool:
        """Whether the pool takes calls."""
        return not self._connections.closed

    def __enter__(self) -> ConnectionPool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<ConnectionPool of {self._driver.name}, at most {self.max}{'' if self.running else ', closed'}>"
        )

    def _run(self, what: str, body: Callable[[Session], T], idempotent: bool) -> T:
        return run(self._connections, what, body, idempotent)

    runQuery = run_query  # adbapi's names
    runOperation = run_operation
    runInteraction = run_interaction
    runWithConnection = run_with_connection


def _named(what: str, function: Callable[..., Any]) -> str:
    return f"{what}({getattr(function, '__name__', type(function).__name__)})"
