"""The contract of a kind of database that a store can be in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ConfigurationError
from ..problems import BadRequest, Problem, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.exc import DatabaseError, OperationalError

__all__ = ["BUSY_SECONDS", "Database", "Mark"]

BUSY_SECONDS = 10.0
"""How long one statement waits for a lock that another process holds."""

_BEGIN = "begin_statement"


class Mark(NamedTuple):
    """What tells one transaction of one writer from all others."""

    writer: str
    number: int


class Database(ABC):
    """One database: how its connections are set up, and what its errors mean.

    Attributes:
        engine: makes connections and does not keep them, because the store keeps its connections itself.
        reading: the same engine, whose transactions see one moment of the data throughout.
        writing: the same engine, whose transactions take the write lock as they begin.
        folder: which all processes that use the database share; None if it is on a server.
    """

    RETRY_SECONDS = 0.0
    """How long a transaction is made again that fails for a reason that passes."""

    BEGIN_READING: str
    BEGIN_WRITING: str

    def __init__(self, engine: Engine, folder: Path | None = None) -> None:
        self.engine = engine
        self.reading = engine.execution_options(**{_BEGIN: self.BEGIN_READING})
        self.writing = engine.execution_options(**{_BEGIN: self.BEGIN_WRITING})
        self.folder = folder

    @property
    @abstractmethod
    def name(self) -> str:
        """The database's name for messages, without its password."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the tables where they are missing, and see that they are of this version.

        Raises:
            ConfigurationError: the database was written by a later version, is not a platform's, or cannot
                be opened or written.
            OperationalError: another process is doing the same right now; try again.
        """

    @abstractmethod
    def stamp(self, connection: Connection) -> int | None:
        """A number that changes when another connection has changed what caches hold; None if unknown.

        Called within a transaction of `writing`.
        """

    @abstractmethod
    def changes(self, connection: Connection) -> int:
        """How many rows this connection has changed since it was opened."""

    @abstractmethod
    def is_too_much(self, error: OperationalError) -> bool:
        """Whether the statement exceeds the database's limits, so that it would fail again."""

    def is_passing(self, error: DatabaseError) -> bool:
        """Whether the same transaction may succeed if it is made again."""
        return False

    def mark(self, connection: Connection, mark: Mark, is_cache_changed: bool) -> None:  # noqa: B027 (SQLite)
        """Let `is_committed` know this transaction of `writing`, and `stamp` what it changes.

        Called before it is committed.
        """

    def is_committed(self, connection: Connection, mark: Mark) -> bool:
        """Whether an earlier transaction with this mark was committed. Called within another one."""
        return False

    def unavailable(self, error: OperationalError) -> Problem:
        """The problem to report when the database could not do its work (disk full, locked too long).

        A statement that exceeds the database's limits is the request's fault: it would fail again.
        """
        if self.is_too_much(error):
            return BadRequest(f"the request asks for too much at once: {error.orig}")
        return Unavailable(f"the store cannot do that now: {error.orig}")

    def not_opened(self, error: OperationalError) -> Exception:
        """The error for a database that could not be prepared for a while, and perhaps can be later."""
        return self.unavailable(error)

    def unusable(self, error: DatabaseError) -> ConfigurationError:
        """The error for a database that cannot be used at all."""
        return ConfigurationError(
            f"{self.name} is not a platform's database, or cannot be used as one: {error.orig}"
        )

    @staticmethod
    def begin_statement(connection: Connection) -> str:
        """The statement with which a transaction of this connection begins."""
        statement: str = connection.get_execution_options().get(_BEGIN, "BEGIN")
        return statement
