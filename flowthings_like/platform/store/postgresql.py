"""PostgreSQL as a store's database, through psycopg 3.

Reads are transactions of their own that see one moment of the data. Writers of all processes take turns: each
holds an advisory lock until its transaction ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from psycopg import Error as PsycopgError
from psycopg import errors
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError
from . import database, schema
from .cancellation import GUARD
from .database import Database
from .postgresql_connection import StoreConnection

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

__all__ = ["Postgresql"]

_DRIVER = "postgresql+psycopg"
_LOCK = 0x666C6F77  # of the advisory locks that belong to a platform
_TOO_MUCH = (errors.StatementTooComplex, errors.TooManyArguments, errors.ProgramLimitExceeded)


# Once COMMIT has returned, the data is on disk, whatever the server's default. A transaction that its client
# has forgotten must not hold up all others.
_SETTINGS = (
    "SET lock_timeout = {busy}; SET idle_in_transaction_session_timeout = '60s'; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


class Postgresql(Database):
    """A database on a server."""

    BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    BEGIN_WRITING = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK}, 1)"

    def __init__(self, url: URL) -> None:
        super().__init__(_make_engine(url))

    @property
    def name(self) -> str:
        url = self.engine.url
        return f"the database {url.database or ''} at {url.host or 'localhost'}"

    def prepare(self) -> None:
        try:
            with self.writing.begin() as connection:
                schema.metadata.create_all(connection)
        except OperationalError:
            raise
        except DatabaseError as error:
            raise self.unusable(error) from error

    def stamp(self, connection: Connection) -> int | None:
        return None

    def changes(self, connection: Connection) -> int:
        return _raw(connection).changes

    def is_too_much(self, error: OperationalError) -> bool:
        return isinstance(error.orig, _TOO_MUCH)


def _make_engine(url: URL) -> Engine:
    if "+" in url.drivername and url.drivername != _DRIVER:
        raise ConfigurationError(
            f"a store on PostgreSQL uses psycopg and not {url.get_driver_name()}: write postgresql://…"
        )
    engine = sqlalchemy.create_engine(url.set(drivername=_DRIVER), poolclass=NullPool)
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _commit)
    return engine


def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> StoreConnection:
    return StoreConnection.open(*arguments, **options)


def _configure(connection: Any, record: Any) -> None:
    try:
        _try(connection, _SETTINGS.format(busy=round(database.BUSY_SECONDS * 1000)))
    except DatabaseError:
        connection.close()
        raise
    record.info[GUARD] = connection


def _begin(connection: Connection) -> None:
    _run(connection, Database.begin_statement(connection))


def _commit(connection: Connection) -> None:
    _run(connection, "COMMIT")


def _run(connection: Connection, statement: str) -> None:
    _try(_raw(connection), statement)


def _try(connection: StoreConnection, statement: str) -> None:
    """Run statements, with SQLAlchemy's errors."""
    try:
        connection.run(statement)
    except PsycopgError as error:
        kind = OperationalError if isinstance(error, errors.OperationalError) else DatabaseError
        raise kind(statement, None, error) from error


def _raw(connection: Connection) -> StoreConnection:
    raw: Any = connection.connection.driver_connection
    assert isinstance(raw, StoreConnection)
    return raw
