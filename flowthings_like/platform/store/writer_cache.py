"""The contract of a writer's cache, which is kept between transactions, and a cache that holds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["NoCache", "WriterCache"]


class WriterCache(Protocol):
    """What was read from the database and is kept for the transactions that follow.

    The writer calls it from one thread at a time.
    """

    def refresh(self, connection: Connection, stamp: int | None) -> None:
        """Drop what another process may have changed. Called at the beginning of each transaction.

        Args:
            connection: the writer's.
            stamp: the same as before if no other connection has changed anything; None if that is unknown.
        """

    def clear(self) -> None:
        """Drop everything. Called after work that changes what is cached, and after a rollback."""


class NoCache:
    """A cache for a store whose users remember nothing."""

    def refresh(self, connection: Connection, stamp: int | None) -> None:
        """Nothing to drop."""

    def clear(self) -> None:
        """Nothing to drop."""
