"""The single writer of the database: one connection, on which groups of jobs are committed."""

from __future__ import annotations

import itertools
import os
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DatabaseError, OperationalError

from ..problems import Problem, Unavailable
from .database import Mark
from .group_commit import GroupCommit, Job
from .retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from .database import Database
    from .statistics import StoreStatistics
    from .writer_cache import WriterCache

T = TypeVar("T")


class _Job(Job):
    """One caller's work on the connection."""

    __slots__ = ("clears_cache", "committed", "database")

    def __init__(
        self,
        work: Callable[[Connection], Any] | None,
        clears_cache: bool,
        database: Database,
        committed: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(work)
        self.database = database
        self.clears_cache = clears_cache
        self.committed = committed

    def fail(self, error: BaseException) -> None:
        super().fail(self.database.unavailable(error) if isinstance(error, OperationalError) else error)


class _Session:
    """The writer's connection, opened when first needed and again after it failed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # it is being thrown away because it is broken
                connection.invalidate()


class _Passing(Exception):
    """A transaction failed, and would perhaps not if it were made again.

    Attributes:
        error: why.
        in_doubt: whether it may have been committed all the same.
    """

    def __init__(self, error: DatabaseError, in_doubt: bool) -> None:
        super().__init__(error)
        self.error = error
        self.in_doubt = in_doubt


class Writer(GroupCommit[_Job]):
    """One process's writer. The store makes it; a forked child gets its own.

    Args:
        database: where it writes.
        cache: refreshed at the start of each transaction, as other processes may have changed what it holds;
            cleared when work that changes it was run or undone.
        statistics: where it counts.
    """

    def __init__(self, database: Database, cache: WriterCache, statistics: StoreStatistics) -> None:
        super().__init__()
        self._statistics = statistics
        self._database = database
        self._cache = cache
        self._session = _Session(database.writing)
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def submit(
        self,
        work: Callable[[Connection], T],
        clears_cache: bool = False,
        committed: Callable[[], object] | None = None,
    ) -> T:
        """Run `work` in the next group; return its result, or raise its error, once it is on disk.

        `work` may be run more than once, each time in a new transaction. A caller that is interrupted here
        does not know whether its work was done; the writer goes on.

        Raises:
            Unavailable: the database could not be written; nothing was, unless it is on a server that could
                not be reached again after a COMMIT.
        """
        result: T = self._submit(_Job(work, clears_cache, self._database, committed))
        return result

    def _closing_job(self) -> _Job:
        return _Job(None, False, self._database)

    @property
    def _is_connected(self) -> bool:
        return self._session.is_open

    def _disconnect(self) -> None:
        self._session.discard()

    def _write(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if job.work is not None]
        if jobs and not self._transact(jobs, self._session):
            for job in jobs:
                self._transact([job], self._session)
                job.finished = True

    def _transact(self, jobs: list[_Job], session: _Session) -> bool:
        """Run jobs in one transaction. False: one of several failed and nothing was done; run each alone.

        Where the database is on a server, the transaction is made again if the connection was lost, or if
        another transaction was in the way.
        """
        mark = Mark(self._name, next(self._numbers))
        retries = Retries(self._database.RETRY_SECONDS)
        in_doubt = False  # whether a COMMIT was sent that had no answer
        while True:
            try:
                done = self._attempt(jobs, session, mark, in_doubt)
            except _Passing as passing:
                in_doubt = in_doubt or passing.in_doubt
                self._statistics.lost(passing.error.orig)
                if not retries.wait():
                    return self._fail(jobs, passing.error)
                self._statistics.write_retries += 1
            else:
                break
        if done:
            for job in jobs:
                if job.committed is not None and job.error is None:
                    job.committed()
        return done

    def _attempt(self, jobs: list[_Job], session: _Session, mark: Mark, in_doubt: bool) -> bool:
        """Like `_transact`, once. Raises _Passing if another attempt may succeed."""
        try:
            connection = session.connection()
            transaction = connection.begin()
        except Exception as error:
            session.discard()
            self._raise_if_passing(error)
            return self._fail(jobs, error)
        try:
            # The transaction has begun, so the one whose COMMIT had no answer has ended.
            if in_doubt and self._database.is_committed(connection, mark):
                transaction.rollback()
                self._statistics.reached()
                return True
            self._cache.refresh(connection, self._database.stamp(connection))
            for job in jobs:
                self._perform(job, connection)
            self._database.mark(connection, mark, any(job.clears_cache for job in jobs))
        except BaseException as error:
            self._undo(transaction, session)
            self._raise_if_passing(error)
            return self._fail(jobs, error) if len(jobs) == 1 else False
        try:
            transaction.commit()
        except Exception as error:
            self._undo(transaction, session)
            session.discard()
            self._raise_if_passing(error, in_doubt=True)
            return self._fail(jobs, error)
        self._statistics.reached()
        return True

    def _fail(self, jobs: list[_Job], error: BaseException) -> bool:
        if isinstance(error, OperationalError) and not self._database.is_too_much(error):
            self._statistics.gave_up(error.orig)
        for job in jobs:
            job.fail(error)
        return True

    def _raise_if_passing(self, error: BaseException, in_doubt: bool = False) -> None:
        if isinstance(error, DatabaseError) and self._database.is_passing(error):
            raise _Passing(error, in_doubt) from None

    def _perform(self, job: _Job, connection: Connection) -> None:
        assert job.work is not None
        job.result = job.error = None
        before = self._database.changes(connection)
        try:
            job.result = job.work(connection)
        except Problem as problem:
            # Refused before it changed anything: there is nothing to undo, and the other jobs go on.
            if self._database.changes(connection) != before:
                raise
            job.error = problem
        if job.clears_cache:
            self._cache.clear()

    def _undo(self, transaction: Any, session: _Session) -> None:
        self._cache.clear()
        try:
            transaction.rollback()
        except Exception:  # it is undone already: SQLite does so when the disk is full; or the server is gone
            session.discard()


class Writers:
    """One writer for each process: a forked child never uses its parent's queue or connection."""

    def __init__(self, database: Database, cache: WriterCache, statistics: StoreStatistics) -> None:
        self._database = database
        self._cache = cache
        self._statistics = statistics
        self._by_process: dict[int, Writer] = {}
        self._closed = False

    def here(self) -> Writer:
        """This process's writer."""
        if self._closed:
            raise Unavailable("the store is closed")
        pid = os.getpid()
        found = self._by_process.get(pid)
        if found is None:
            self._cache.clear()
            # setdefault is atomic: two threads that ask at the same time get the same writer.
            found = self._by_process.setdefault(pid, Writer(self._database, self._cache, self._statistics))
        return found

    @property
    def waiting(self) -> int:
        """How many jobs wait in this process."""
        found = self._by_process.get(os.getpid())
        return 0 if found is None else found.waiting

    def close(self) -> None:
        """Drain and close this process's writer; the store takes no more writes."""
        self._closed = True
        found = self._by_process.get(os.getpid())
        if found is not None:
            found.close()
