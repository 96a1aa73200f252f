"""The single writer of the streams: changes that come together share one commit."""

from __future__ import annotations

import heapq
import logging
from typing import TYPE_CHECKING, TypeVar

from ..duckdb.writer import DatabaseWriter
from ..store.group_commit import Job
from .problems import Code, StreamProblem
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from .database import Database
    from .state import Stream, StreamState
    from .transaction import Numbers

__all__ = ["Writer"]

T = TypeVar("T")

MOST_RECENT_POINTS = 4_000_000
"""Recent points of all streams in memory."""

_COUNTED_AFTER = 100_000
"""Points that join them until they are counted again."""

_FOLDED_AT_ONCE = 8
"""Streams whose recent points become segments after one commit: callers of the next one wait for that."""

_log = logging.getLogger("flowthings_like.platform.streams")


class Writer(DatabaseWriter):
    """Commits changes of the open database.

    Args:
        database: the open database.
        numbers: for new streams and segments.
        streams: those that were loaded.

    Attributes:
        generation: counts the commits that have changed what SQL can read.
    """

    def __init__(
        self, database: Database, numbers: Numbers, streams: Mapping[tuple[str, UUID], Stream]
    ) -> None:
        super().__init__(database)
        self._numbers = numbers
        self._streams = streams
        self._recent_points = 0  # that came since all of them were counted
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

    def _write(self, jobs: list[Job]) -> None:
        super()._write(jobs)
        if self._recent_points >= _COUNTED_AFTER:
            self._bound_recent()

    def _commit(self, jobs: list[Job]) -> None:
        transaction = Transaction(self._cursor, self._numbers)
        for job in jobs:
            self._perform(job, transaction)
        transaction.commit()
        self.generation += transaction.has_changed_metadata
        self._recent_points += transaction.recent_points

    def _bound_recent(self) -> None:
        """Make segments of the longest lists of recent points if all together take too much memory."""
        recent = [(len(state.recent), stream) for stream, state in self._states()]
        if sum(count for count, _ in recent) <= MOST_RECENT_POINTS:
            self._recent_points = 0
            return
        longest = heapq.nlargest(_FOLDED_AT_ONCE, recent, key=lambda found: found[0])
        job = Job(lambda transaction: [transaction.fold(stream) for _, stream in longest])
        self._transact([job])
        if job.error is not None:
            _log.error("recent points could not be made segments: %s", job.error)
            self._recent_points = 0

    def _states(self) -> list[tuple[Stream, StreamState]]:
        streams = list(self._streams.values())  # readers load more of them meanwhile
        return [(stream, stream.state) for stream in streams if stream.state is not None]

    @staticmethod
    def _perform(job: Job, transaction: Transaction) -> None:
        job.result = job.error = None
        try:
            job.result = job.work(transaction)
        except StreamProblem as problem:  # refused before it changed anything: the others go on
            job.error = problem

    def _as_problem(self, error: BaseException) -> BaseException:
        if not isinstance(error, self._database.Error):
            return error
        _log.error("streams cannot be written: %s", error)
        return StreamProblem(Code.RESOURCES_DEPLETED, "the store cannot write now; nothing was changed")
