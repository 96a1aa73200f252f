"""A SQLAlchemy engine over a ConnectionPool.

    Engine -> EnginePool          a sqlalchemy.pool.Pool that takes connections of the ConnectionPool
              EngineConnection    what SQLAlchemy takes for a DB-API connection

SQLAlchemy's own pools do not fit. QueuePool would hold connections that the ConnectionPool counts as used.
NullPool fires its "connect" event at each checkout, so a connection would be prepared again and again:
psycopg's dialect adds one more notice handler to it each time. EnginePool leaves SQLAlchemy's record of a
connection with the connection's Session, and finds it there at the next checkout.

It imports SQLAlchemy, so it is imported when the first engine is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import Pool
from sqlalchemy.pool.base import _ConnectionRecord  # each Pool makes these; it has no public name

from ...errors import ConfigurationError, InvalidInput
from .connections import Checkout, Connections
from .engine_connection import EngineConnection

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.engine.interfaces import Dialect
    from sqlalchemy.pool import ConnectionPoolEntry

    from ...transport.database.session import Session

__all__ = ["create_engine"]

_DIALECTS = {
    "sqlite3": "sqlite+pysqlite",
    "duckdb": "duckdb",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pg8000": "postgresql+pg8000",
    "pymysql": "mysql+pymysql",
}
FOUND_ROWS = 2
"""MySQL's client flag CLIENT_FOUND_ROWS: an UPDATE counts the rows that it finds, changed or not."""


def create_engine(connections: Connections, dialect: str | None, options: dict[str, Any]) -> Engine:
    """An engine whose connections are the pool's. See `ConnectionPool.engine`."""
    name = dialect or _DIALECTS.get(connections.driver.name)
    if name is None:
        raise ConfigurationError(
            f"SQLAlchemy's dialect for {connections.driver.name} is not known here; name it, as in "
            "pool.engine('oracle+oracledb')"
        )
    taken = sorted(options.keys() & {"creator", "pool", "poolclass", "pool_size", "max_overflow"})
    if taken:
        raise InvalidInput(f"the engine's connections are the pool's own; leave out {', '.join(taken)}")
    if name.startswith("postgresql+psycopg"):  # it would send a query past the pool
        options.setdefault("use_native_hstore", False)
    level = options.pop("isolation_level", None)
    if level is not None:  # set at each checkout and reset afterwards, as others use the connection, too
        options["execution_options"] = {"isolation_level": level, **options.get("execution_options", {})}
    return sqlalchemy.create_engine(
        f"{name}://", creator=_not_called, poolclass=EnginePool, connections=connections, **options
    )


def _not_called() -> None:
    """EnginePool opens its connections itself."""


class EnginePool(Pool):
    """What SQLAlchemy takes for its pool. It hands on the connections of a ConnectionPool.

    Args:
        creator: not used.
        connections: of the ConnectionPool.
        dialect: of the engine. It is made to use the driver's connections through their sessions.
        options: of `sqlalchemy.pool.Pool`.
    """

    def __init__(self, creator: Any, connections: Connections, dialect: Dialect, **options: Any) -> None:
        open: Any = self._open
        super().__init__(open, dialect=dialect, **{**options, "reset_on_return": None})
        self._connections = connections
        if "_dispatch" not in options:  # not a pool that follows another one of the same engine
            _adapt(dialect)
            event.listen(self, "reset", _end_transaction)

    def status(self) -> str:
        return f"EnginePool over {self._connections.name}"

    def recreate(self) -> EnginePool:
        return EnginePool(
            None, self._connections, self._dialect,  # type: ignore[arg-type]
            echo=self.echo, logging_name=self._orig_logging_name,
            pre_ping=self._pre_ping, recycle=self._recycle, _dispatch=self.dispatch,
        )  # fmt: skip

    def dispose(self) -> None:
        """Nothing. The connections are the ConnectionPool's."""

    def _do_get(self) -> ConnectionPoolEntry:
        connection = EngineConnection(*self._check_out())
        record = connection.session.note
        if isinstance(record, EngineRecord) and record.owner is self:
            record.dbapi_connection.take_over(connection)
            return record
        try:
            return EngineRecord(self, connection)
        except BaseException:  # the dialect's preparations have failed
            connection.close()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if record.dbapi_connection is not None:
            record.dbapi_connection.give_back(record)

    def _open(self, record: Any) -> Any:
        """The connection of a new record, or another one for a record whose connection was closed."""
        ready, record.ready = record.ready, None
        return ready or EngineConnection(*self._check_out(fresh=True))

    def _check_out(self, fresh: bool = False) -> tuple[Checkout, Session]:
        checkout = Checkout(self._connections, "engine", fresh)
        return checkout, checkout.__enter__()


class EngineRecord(_ConnectionRecord):
    """SQLAlchemy's record of a connection. While the connection is idle, its Session has the record."""

    dbapi_connection: Any

    def __init__(self, owner: EnginePool, ready: EngineConnection) -> None:
        self.owner = owner
        self.ready: EngineConnection | None = ready
        super().__init__(owner)


def _end_transaction(connection: EngineConnection, record: ConnectionPoolEntry, state: Any) -> None:
    """What SQLAlchemy does before it gives a connection back: end the transaction that may be open."""
    fairy = record.fairy_ref  # type: ignore[attr-defined]
    is_garbage = fairy is not None and fairy() is None  # the garbage collector must not wait for a rollback
    if is_garbage or connection.closed:
        record.invalidate()
    elif not state.transaction_was_reset:
        connection.rollback()


def _adapt(dialect: Dialect) -> None:
    """Let a dialect's hooks work with EngineConnections."""
    on_connect_url, is_disconnect = dialect.on_connect_url, dialect.is_disconnect

    def adapted_on_connect_url(url: URL) -> Callable[[EngineConnection], object]:
        prepare = on_connect_url(url)
        return lambda connection: connection.call(partial(_prepare, dialect, prepare))

    def adapted_is_disconnect(error: Any, connection: Any, cursor: Any) -> bool:
        return bool(connection is not None and connection.closed) or is_disconnect(error, connection, cursor)

    # On the instance. A subclass would need SQLAlchemy's registry of dialects.
    dialect.on_connect_url = adapted_on_connect_url  # type: ignore[method-assign]
    dialect.is_disconnect = adapted_is_disconnect  # type: ignore[method-assign, assignment]


def _prepare(dialect: Any, prepare: Callable[[Any], object] | None, connection: Any) -> None:
    """Prepare a new connection, within an exchange. Gets the driver's own one, which psycopg2 insists on."""
    if dialect.driver == "pymysql" and not connection.client_flag & FOUND_ROWS:
        raise InvalidInput(
            "SQLAlchemy counts the rows that an UPDATE finds, and MySQL those that it changes. Give the pool "
            "client_flag=pymysql.constants.CLIENT.FOUND_ROWS, in a URL ?client_flag=2"
        )
    if prepare is not None:
        prepare(connection)
    if dialect.driver == "psycopg":
        _set_adapters(dialect, connection)


def _set_adapters(dialect: Any, connection: Any) -> None:
    """What psycopg's dialect gives to `connect` as its context: the engine's own functions for JSON."""
    from psycopg.types import json, string

    if dialect._json_deserializer is not None:
        json.set_json_loads(dialect._json_deserializer, connection)
    if dialect._json_serializer is not None:
        json.set_json_dumps(dialect._json_serializer, connection)
    if dialect._native_inet_types is False:
        for kind in ("inet", "cidr"):
            connection.adapters.register_loader(kind, string.TextLoader)
