"""The single writer of the streams: changes that come together share one commit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from ..store.group_commit import GroupCommit, Job
from .problems import Code, StreamProblem
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database
    from .transaction import Numbers

__all__ = ["Writer"]

T = TypeVar("T")

_log = logging.getLogger("flowthings_like.platform.streams")


class Writer(GroupCommit[Job]):
    """Commits changes of the open database.

    Args:
        database: the open database.
        numbers: for new streams and segments.

    Attributes:
        generation: counts the commits that have changed what SQL can read.
    """

    def __init__(self, database: Database, numbers: Numbers) -> None:
        super().__init__()
        self._database = database
        self._numbers = numbers
        self._cursor: Any = None
        self.generation = 0

    def submit(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the next commit; return its result, or raise its error, once it is on disk.

        `work` may be run more than once, each time in a new transaction. A caller that is interrupted here
        does not know whether its work was done; the writer goes on.

        Raises:
            StreamProblem: `work` was refused, or nothing can be written.
        """
        result: T = self._submit(Job(work))
        return result

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
        """Run jobs in one transaction. False: one of several failed and nothing was done; run each alone."""
        try:
            if self._cursor is None:
                self._cursor = self._database.connect()
            self._cursor.execute("begin")
            transaction = Transaction(self._cursor, self._numbers)
            for job in jobs:
                self._perform(job, transaction)
            transaction.commit()
            self.generation += transaction.has_changed_metadata
        except BaseException as error:
            self._undo()
            if len(jobs) > 1:
                return False
            jobs[0].fail(self._as_problem(error))
        return True

    @staticmethod
    def _perform(job: Job, transaction: Transaction) -> None:
        job.result = job.error = None
        try:
            job.result = job.work(transaction)
        except StreamProblem as problem:  # refused before it changed anything: the others go on
            job.error = problem

    def _undo(self) -> None:
        try:
            self._cursor.execute("rollback")
        except Exception:  # the connection may have failed, or have undone it already
            self._disconnect()

    def _as_problem(self, error: BaseException) -> BaseException:
        if not isinstance(error, self._database.Error):
            return error
        _log.error("streams cannot be written: %s", error)
        return StreamProblem(Code.RESOURCES_DEPLETED, "the store cannot write now; nothing was changed")
