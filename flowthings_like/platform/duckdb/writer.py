"""A single writer of a DuckDB database: jobs that come together share one transaction."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from ..store.group_commit import GroupCommit, Job

if TYPE_CHECKING:
    from .database import Database

__all__ = ["DatabaseWriter"]


class DatabaseWriter(GroupCommit[Job]):
    """Writes jobs of the open database. Its own methods are called in native threads, one at a time.

    Args:
        database: the open database.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._cursor: Any = None

    @abstractmethod
    def _commit(self, jobs: list[Job]) -> None:
        """Do the jobs in the transaction that has begun, and commit it."""

    @abstractmethod
    def _as_problem(self, error: BaseException) -> BaseException:
        """What the caller of a job that failed is told."""

    def _closing_job(self) -> Job:
        return Job(None)

    @property
    def _is_connected(self) -> bool:
        return self._cursor is not None

    def _disconnect(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _write(self, jobs: list[Job]) -> None:
        jobs = [job for job in jobs if job.work is not None]
        if jobs and not self._transact(jobs):
            for job in jobs:
                self._transact([job])
                job.finished = True

    def _transact(self, jobs: list[Job]) -> bool:
        """Do jobs in one transaction. False: one of several failed and nothing was done; do each alone."""
        with self._database.writing():
            return self._transact_alone(jobs)

    def _transact_alone(self, jobs: list[Job]) -> bool:
        try:
            if self._cursor is None:
                self._cursor = self._database.connect()
            self._cursor.execute("begin")
            self._commit(jobs)
        except BaseException as error:
            self._undo()
            if len(jobs) > 1:
                return False
            jobs[0].fail(self._as_problem(error))
        return True

    def _undo(self) -> None:
        try:
            self._cursor.execute("rollback")
        except Exception:  # the connection may have failed, or have undone it already
            self._disconnect()
