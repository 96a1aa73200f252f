"""The database behind a store: from a folder or URL to connections that are set up alike.

SQLite runs in WAL mode, so readers never wait for the writer, and with synchronous=FULL: once COMMIT has
returned, the data is on disk. Several processes may open one folder at the same time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError
from ...filters import sql
from ..problems import BadRequest, Problem, Unavailable
from . import json_columns, schema
from .cancellation import GUARD, StatementGuard
from .folder import DATABASE, open_folder

if TYPE_CHECKING:
    import os

BUSY_SECONDS = 10.0
"""How long one statement waits for a lock that another process holds."""

OLDEST_SQLITE = (3, 38, 0)  # the first with JSON built in
_BEGIN = "begin_statement"
_TOO_MUCH = ("too many", "too large", "parser stack overflow", "maximum depth")


def locate(place: str | os.PathLike[str]) -> URL:
    """The database's URL: `place` itself if it is one, else the file in the folder `place`, which is made.

    Raises:
        ConfigurationError: the folder cannot be made or written to, or is none; or the URL is none.
    """
    if isinstance(place, str) and "://" in place:
        try:
            url = sqlalchemy.make_url(place)
            url.get_dialect()
        except (ArgumentError, ValueError, ImportError) as error:
            # Without the error's own text, which may hold the URL's password.
            scheme = place.partition("://")[0]
            raise ConfigurationError(
                f"the URL {scheme}://… names no database that can be used here ({type(error).__name__})"
            ) from None
        return url
    return URL.create("sqlite", database=str(open_folder(place) / DATABASE))


def folder(url: URL) -> Path | None:
    """The folder that the database is in, None if it is not a file."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database).absolute().parent


def make_engine(url: URL) -> Engine:
    """An engine without a connection pool, because the store keeps its connections itself."""
    if url.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(url, poolclass=NullPool)
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: the platform needs {wanted}")
    # A connection is used by one thread at a time, but not always by the same.
    arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS}
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=arguments)
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _commit)
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take the write lock as they begin, not at the first write."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def prepare(engine: Engine) -> None:
    """Make the tables where they are missing, and those of an earlier version what they are now.

    Raises:
        ConfigurationError: the file was written by a later version, is damaged or no database, or cannot be
            opened or written.
        OperationalError: another process is doing the same right now; try again.
    """
    sqlite = engine.dialect.name == "sqlite"
    try:
        if sqlite:
            _use_wal(engine)
        with for_writing(engine).begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one() if sqlite else 0
            if found > schema.VERSION:
                raise ConfigurationError(
                    f"{engine.url.database} was written by a later version of the platform"
                )
            _upgrade(connection, found or schema.VERSION)
            schema.metadata.create_all(connection)
            if sqlite and found != schema.VERSION:
                connection.exec_driver_sql(f"PRAGMA user_version={schema.VERSION}")
    except DatabaseError as error:
        if is_locked(error):
            raise
        raise unusable(engine, error) from error


def _upgrade(connection: Connection, found: int) -> None:
    for version in range(found, schema.VERSION):
        for statement in schema.UPGRADES[version]:
            connection.exec_driver_sql(statement)


def is_locked(error: DatabaseError) -> bool:
    """Whether another process holds the database, which passes."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


def unusable(engine: Engine, error: DatabaseError) -> ConfigurationError:
    """The error for a database that cannot be used at all."""
    return ConfigurationError(
        f"{engine.url.database} is not a platform's database, or cannot be used as one: {error.orig}"
    )


def stamp(connection: Connection) -> int | None:
    """A number that changes when another connection has changed the database; None if unknown."""
    if connection.dialect.name != "sqlite":
        return None
    number: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    return number


def changes(connection: Connection) -> int | None:
    """How many rows this connection has changed since it was opened; None if unknown."""
    return getattr(connection.connection.driver_connection, "total_changes", None)


def unavailable(error: OperationalError) -> Problem:
    """The problem to report when the database could not do its work (disk full, locked too long).

    A statement that exceeds SQLite's limits is the request's fault: it would fail again.
    """
    if any(words in str(error.orig) for words in _TOO_MUCH):
        return BadRequest(f"the request asks for too much at once: {error.orig}")
    return Unavailable(f"the store cannot do that now: {error.orig}")


_SETTINGS = (
    "synchronous=FULL",
    "temp_store=MEMORY",
    "cache_size=-16000",  # KiB
    # Pages, 64 MB. Random writes to an index change the same pages again and again, and a checkpoint copies
    # each page once.
    "wal_autocheckpoint=16000",
)


class _Compiler(SQLiteCompiler):
    """Writes a statement's hints, such as INDEXED BY, behind the table; SQLAlchemy's own leaves them out."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        """The hint itself."""
        return text


def _configure(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
    try:
        for setting in _SETTINGS:
            _pragma(connection, setting)
    except DatabaseError:
        connection.close()
        raise
    guard = record.info[GUARD] = StatementGuard(connection)
    sql.register(guard)
    json_columns.register(guard)


def _use_wal(engine: Engine) -> None:
    """Outside of any transaction, which is why it goes past SQLAlchemy. The file remembers it."""
    connection = engine.raw_connection()
    try:
        _pragma(connection.driver_connection, "journal_mode=WAL")
    finally:
        connection.close()


def _pragma(connection: Any, setting: str) -> None:
    """Run a PRAGMA on a raw connection, with SQLAlchemy's errors."""
    try:
        connection.execute(f"PRAGMA {setting}").close()
    except sqlite3.DatabaseError as error:
        kind = OperationalError if isinstance(error, sqlite3.OperationalError) else DatabaseError
        raise kind(f"PRAGMA {setting}", None, error) from error


def _begin(connection: Connection) -> None:
    _run(connection, connection.get_execution_options().get(_BEGIN, "BEGIN"))


def _commit(connection: Connection) -> None:
    # The driver's own commit does nothing, and says nothing, when SQLite has already undone the transaction.
    _run(connection, "COMMIT")


def _run(connection: Connection, statement: str) -> None:
    """Straight to the driver: every read and every group of writes pays for it."""
    raw: Any = connection.connection.driver_connection
    try:
        raw.execute(statement).close()
    except sqlite3.DatabaseError as error:
        kind = OperationalError if isinstance(error, sqlite3.OperationalError) else DatabaseError
        raise kind(statement, None, error) from error
