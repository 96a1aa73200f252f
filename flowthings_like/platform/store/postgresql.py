"""PostgreSQL as a store's database, through psycopg 3.

Reads are transactions of their own that see one moment of the data. Writers of all processes take turns: each
holds an advisory lock until its transaction ends.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from psycopg import Error as PsycopgError
from psycopg import errors
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError
from ..problems import Problem, Unavailable
from . import database, schema
from . import postgresql_tables as tables
from .cancellation import GUARD
from .database import Database, Mark
from .postgresql_connection import StoreConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection, Engine

__all__ = ["Postgresql"]

_DRIVER = "postgresql+psycopg"
# What another attempt may not meet.
_PASSING = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.IdleInTransactionSessionTimeout,
)
_NOT_YET = ("starting up", "shutting down", "recovery", "too many", "connection slots")
_MARK = (
    "INSERT INTO platform_writers VALUES ('{}', {}, now()) "
    "ON CONFLICT (name) DO UPDATE SET number = excluded.number, written = now(); "
)
_FORGET = "DELETE FROM platform_writers WHERE written < now() - interval '7 days'; "
_MARKED = sqlalchemy.select(schema.platform_writers.c.number).where(
    schema.platform_writers.c.name == sqlalchemy.bindparam("writer")
)
_LIMIT_EXCEEDED = "54"  # the class of these errors


# Once COMMIT has returned, the data is on disk, whatever the server's default. A transaction that its client
# has forgotten must not hold up all others.
_SETTINGS = (
    "SET lock_timeout = {busy}; SET idle_in_transaction_session_timeout = '60s'; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


class Postgresql(Database):
    """A database on a server."""

    BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    BEGIN_WRITING = (
        f"BEGIN; SELECT pg_advisory_xact_lock({tables.LOCK}, 1); SELECT changes FROM platform_state"
    )
    RETRY_SECONDS = 15.0

    def __init__(self, url: URL) -> None:
        super().__init__(_make_engine(url))

    @property
    def name(self) -> str:
        url = self.engine.url
        named = f"the database {url.database}" if url.database else "the database"
        given = url.query.get("host", "localhost")  # of a socket, or of several servers
        host = url.host or (given if isinstance(given, str) else ", ".join(given))
        where = f"{host}:{url.port}" if url.port else host
        return f"{named} at {where}"

    def prepare(self) -> None:
        try:
            with self.engine.begin() as connection:
                found = tables.version(connection) or tables.make_tables(connection)
        except OperationalError as error:
            if _is_refused(error):
                raise self.unusable(error) from error
            raise
        except DatabaseError as error:
            raise self.unusable(error) from error
        if found > schema.VERSION:
            raise ConfigurationError(f"{self.name} was written by a later version of the platform")
        if found < schema.VERSION:
            raise ConfigurationError(
                f"{self.name} was written by an earlier version of the platform: "
                "stop all servers that use it, and run flowthings-like migrate"
            )

    def unavailable(self, error: OperationalError) -> Problem:
        # Without the text of the error: it names the server, which is none of the callers' business.
        if _is_of_connection(error) and not self.is_too_much(error):
            return Unavailable("the store cannot do that now: its database cannot be reached")
        return super().unavailable(error)

    def not_opened(self, error: OperationalError) -> Exception:
        return self.unusable(error)

    def unusable(self, error: DatabaseError) -> ConfigurationError:
        found = error.orig
        if _is_of_connection(error):
            return ConfigurationError(f"{self.name} cannot be opened: {' '.join(str(found).split())}")
        if (
            isinstance(found, PsycopgError) and found.diag.message_primary
        ):  # without a drawing of the statement
            return ConfigurationError(f"{self.name} cannot be used: {found.diag.message_primary}")
        return super().unusable(error)

    def stamp(self, connection: Connection) -> int | None:
        return _raw(connection).stamp

    def is_passing(self, error: DatabaseError) -> bool:
        found = error.orig
        # An error of the connection has no code.
        if isinstance(found, _PASSING):
            return True
        if not isinstance(error, OperationalError) or not isinstance(found, errors.OperationalError):
            return False
        return found.sqlstate is None and not self.is_too_much(error)

    def mark(self, connection: Connection, mark: Mark, is_cache_changed: bool) -> None:
        statement = _MARK.format(*mark)
        if mark.number == 1:  # now and then: at the first transaction of a writer
            statement = _FORGET + statement
        if is_cache_changed:
            statement += "UPDATE platform_state SET changes = changes + 1; "
        _raw(connection).before_commit = statement

    def is_committed(self, connection: Connection, mark: Mark) -> bool:
        found = connection.execute(_MARKED, {"writer": mark.writer}).scalar_one_or_none()
        return found is not None and found >= mark.number

    def changes(self, connection: Connection) -> int:
        return _raw(connection).changes

    def is_too_much(self, error: OperationalError) -> bool:
        code = getattr(error.orig, "sqlstate", None) or ""
        return code.startswith(_LIMIT_EXCEEDED) or "number of parameters" in str(error.orig)


def _make_engine(url: URL) -> Engine:
    if "+" in url.drivername and url.drivername != _DRIVER:
        raise ConfigurationError(
            f"a store on PostgreSQL uses psycopg and not {url.get_driver_name()}: write postgresql://…"
        )
    engine = sqlalchemy.create_engine(
        url.set(drivername=_DRIVER),
        poolclass=NullPool,
        pool_reset_on_return=None,  # it is closed, which undoes a transaction
        hide_parameters=True,  # errors go into the log, and values do not
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _commit)
    return engine


def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> StoreConnection:
    return StoreConnection.open(*arguments, **options)


def _configure(connection: Any, record: Any) -> None:
    try:
        _run(connection, _SETTINGS.format(busy=round(database.BUSY_SECONDS * 1000)))
    except DatabaseError:
        connection.close()
        raise
    record.info[GUARD] = connection


def _begin(connection: Connection) -> None:
    raw = _raw(connection)
    raw.before_commit = ""
    statement = Database.begin_statement(connection)
    with _errors("COMMIT"):
        raw.settle()
    if statement == Postgresql.BEGIN_READING:
        raw.begin_later(statement)
    else:
        raw.stamp = _run(raw, statement)


def _commit(connection: Connection) -> None:
    raw = _raw(connection)
    if Database.begin_statement(connection) == Postgresql.BEGIN_READING:
        with _errors("COMMIT"):
            raw.commit_later()
    else:
        _run(raw, f"{raw.before_commit}COMMIT")


def _run(connection: StoreConnection, statement: str) -> Any:
    """Run statements; return what the last one selects. With SQLAlchemy's errors."""
    with _errors(statement):
        return connection.run(statement)


@contextmanager
def _errors(statement: str) -> Iterator[None]:
    """A block whose errors become SQLAlchemy's."""
    try:
        yield
    except PsycopgError as error:
        kind = OperationalError if isinstance(error, errors.OperationalError) else DatabaseError
        raise kind(statement, None, error) from error


def _is_of_connection(error: DatabaseError) -> bool:
    """Whether there was no connection, or there is none any more."""
    found = error.orig
    return isinstance(found, errors.OperationalError) and found.sqlstate is None


def _is_refused(error: OperationalError) -> bool:
    """Whether the server has answered that it does not want this client, which does not pass."""
    text = str(error.orig)
    return "FATAL:" in text and not any(words in text for words in _NOT_YET)


def _raw(connection: Connection) -> StoreConnection:
    raw: Any = connection.connection.driver_connection
    assert isinstance(raw, StoreConnection)
    return raw
