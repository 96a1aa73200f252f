"""SQLite as a store's database.

It runs in WAL mode, so readers never wait for the writer, and with synchronous=FULL: once COMMIT has
returned, the data is on disk. Several processes may open one folder at the same time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError
from ...filters import sql
from . import database, json_columns, schema
from .cancellation import GUARD, StatementGuard
from .database import Database
from .migrations.upgrade import upgrade

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

__all__ = ["Sqlite"]

OLDEST_SQLITE = (3, 38, 0)  # the first with JSON built in
_TOO_MUCH = ("too many", "too large", "parser stack overflow", "maximum depth")


class Sqlite(Database):
    """The database in a file."""

    BEGIN_READING = "BEGIN"
    BEGIN_WRITING = "BEGIN IMMEDIATE"  # takes the write lock now, not at the first write

    def __init__(self, url: URL) -> None:
        super().__init__(_make_engine(url), _folder(url))

    @property
    def name(self) -> str:
        return str(self.engine.url.database)

    def prepare(self) -> None:
        try:
            _use_wal(self.engine)
            with self.writing.begin() as connection:
                found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                if found > schema.VERSION:
                    raise ConfigurationError(f"{self.name} was written by a later version of the platform")
                if 0 < found < schema.VERSION:
                    upgrade(connection, found)
                schema.metadata.create_all(connection)
                if found != schema.VERSION:
                    connection.exec_driver_sql(f"PRAGMA user_version={schema.VERSION}")
        except DatabaseError as error:
            if _is_locked(error):
                raise
            raise self.unusable(error) from error

    def stamp(self, connection: Connection) -> int | None:
        number: int = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        return number

    def changes(self, connection: Connection) -> int:
        raw: Any = connection.connection.driver_connection
        number: int = raw.total_changes
        return number

    def is_too_much(self, error: OperationalError) -> bool:
        return any(words in str(error.orig) for words in _TOO_MUCH)


def _folder(url: URL) -> Path | None:
    if not url.database or url.database == ":memory:":
        return None
    return Path(url.database).absolute().parent


def _make_engine(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: the platform needs {wanted}")
    # A connection is used by one thread at a time, but not always by the same.
    arguments = {"check_same_thread": False, "timeout": database.BUSY_SECONDS}
    # Errors go into the log, and values do not.
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "commit", _commit)
    return engine


def _is_locked(error: DatabaseError) -> bool:
    """Whether another process holds the database, which passes."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


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
    _run(connection, Database.begin_statement(connection))


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
