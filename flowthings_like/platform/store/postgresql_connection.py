"""The connection of a store to PostgreSQL: it waits in C, can be cancelled, and takes every text.

A text of PostgreSQL cannot hold U+0000. It is written as two characters here, and U+0001, which begins such a
pair, too. That keeps the order of texts, and nobody outside this module sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators, waiting
from psycopg.adapt import Buffer, Loader
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.string import StrDumperUnknown
from psycopg.waiting import Ready

if TYPE_CHECKING:
    from collections.abc import Generator

    from .cancellation import CancelScope

__all__ = ["StoreConnection"]

_LOOK = 0.1  # seconds between two checks of whether a statement is to be cancelled
_AWKWARD = ("\0", "\1")
_TEXTS = ("text", "varchar", "bpchar", "name")


class StoreConnection(psycopg.Connection[Any]):
    """A connection whose transactions begin and end where the store says.

    Attributes:
        changes: how many rows its statements have changed.
        stamp: what the statement that began the transaction has selected.
        before_commit: statements to run together with the next COMMIT.
    """

    changes = 0
    stamp: int | None = None
    before_commit = ""
    _begin = ""
    _is_committing = False
    _scope: CancelScope | None = None

    @classmethod
    def open(cls, *arguments: Any, **options: Any) -> StoreConnection:
        """Connect. The arguments are psycopg's."""
        connection = cls.connect(*arguments, **options, autocommit=True)
        assert isinstance(connection, cls)
        connection.cursor_factory = _Cursor
        connection.server_cursor_factory = _ServerCursor
        connection.adapters.register_dumper(str, _TextDumper)
        for name in _TEXTS:
            connection.adapters.register_loader(name, _TextLoader)
        return connection

    def run(self, statements: str) -> Any:
        """Run statements without parameters in one round trip; return what the last one selects, if any."""
        with psycopg.Cursor(self) as cursor:
            cursor.execute(statements.encode(), prepare=False)
            while cursor.nextset():
                pass
            row = None if cursor.description is None else cursor.fetchone()
            return None if row is None else row[0]

    def begin_later(self, statement: str) -> None:
        """Send this statement together with the next one: a read then waits for one answer, not for two."""
        self._begin = statement

    def commit_later(self) -> None:
        """Send COMMIT without waiting for its answer. For transactions that have only read.

        The answer is taken when the connection is used again.
        """
        begin, self._begin = self._begin, ""
        if not begin:  # otherwise the transaction has not begun
            self.pgconn.send_query(b"COMMIT")
            self._is_committing = True
            self.pgconn.flush()

    def settle(self) -> None:
        """Take the answer to a COMMIT that nobody has waited for."""
        self._begin = ""
        if self._is_committing:
            self._is_committing = False
            for result in self.wait(generators.fetch_many(self.pgconn)):
                if result.status != ExecStatus.COMMAND_OK:
                    raise psycopg.OperationalError("the connection was lost after a read")

    def commit(self) -> None:
        """Commit the transaction, unless that is under way."""
        if not self._is_committing:
            super().commit()

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        self.settle()
        super().rollback()

    def take_begin(self) -> str:
        """The statement that `begin_later` has set aside, "" for none. It is taken once."""
        begin, self._begin = self._begin, ""
        return begin

    def watch(self, scope: CancelScope | None) -> None:
        """Cancel the connection's statements when the scope says so, until another scope is given."""
        self._scope = scope

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        """Run one exchange with the server, in the thread that calls."""
        scope = self._scope
        if scope is not None:
            gen = self._cancelled_by(scope, gen)
        # Not psycopg's own choice: under gevent that makes a hub for each native thread.
        wait = getattr(waiting, "wait_c", waiting.wait)
        return wait(gen, self.pgconn.socket, _LOOK)

    def _cancelled_by(self, scope: CancelScope, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        is_cancelled = False
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and not is_cancelled and scope.is_cancelled():
                    is_cancelled = True
                    self.pgconn.get_cancel().cancel()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value


class _Cursor(psycopg.Cursor[Any]):
    """Counts the rows that it changes."""

    def execute(self, *arguments: Any, **options: Any) -> Any:
        connection: Any = self.connection
        begin = connection.take_begin()
        try:
            if not begin:
                return super().execute(*arguments, **options)
            with connection.pipeline():
                psycopg.Cursor(connection).execute(begin.encode())
                super().execute(*arguments, **options)
            return self
        finally:
            self._count()

    def executemany(self, *arguments: Any, **options: Any) -> None:
        try:
            super().executemany(*arguments, **options)
        finally:
            self._count()

    def _count(self) -> None:
        connection: Any = self.connection
        if connection.pgconn.transaction_status == TransactionStatus.INERROR:
            connection.changes += 1  # nothing more can be done in this transaction: it has to be undone
        elif self.rowcount > 0 and not (self.statusmessage or "").startswith("SELECT"):
            connection.changes += self.rowcount


class _ServerCursor(psycopg.ServerCursor[Any]):
    """Fetches rows in pieces."""

    def execute(self, *arguments: Any, **options: Any) -> Any:
        connection: Any = self.connection
        begin = connection.take_begin()
        if begin:  # there is no such cursor outside of a transaction
            psycopg.Cursor(connection).execute(begin.encode(), prepare=False)
        return super().execute(*arguments, **options)


class _TextDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        if "\0" in obj or "\1" in obj:
            obj = obj.replace("\1", "\1\2").replace("\0", "\1\1")
        return super().dump(obj)


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        if "\1" in text:
            text = text.replace("\1\1", "\0").replace("\1\2", "\1")
        return text
