"""The way of rows through a load: converted, selected, delivered by several threads, done in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from ..green.backends.choice import choose
from .checkpoint import Counts
from .errors import LoadStopped
from .sinks.base import check_refusals

if TYPE_CHECKING:
    from ..green.backends.contract import Backend, Pool
    from ..green.future import Task
    from .column_types import ColumnTypes
    from .selection import Selection
    from .sinks.base import Delivery, Outcome, Run, Sink
    from .table import Chunk, Position, Refusal

__all__ = ["Pipeline", "Work"]


@dataclass(slots=True)
class Work:
    """Some rows on their way.

    Attributes:
        first: the number of the first row.
        end: the position after the last one.
        counts: what became of them.
        refusals: those that cannot be loaded.
        deliveries: what has to be stored.
    """

    first: int
    end: Position
    counts: Counts = field(default_factory=Counts)
    refusals: list[Refusal] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class Pipeline:
    """Takes chunks of rows to a sink.

    Args:
        sink: where they are stored.
        types: converts cells.
        selection: which rows are loaded, and as what.
        run: the load.
        parallel: how many deliveries may be made at once.
        async_lib: the backend whose threads make them; None for the one of this process.
        before_first: called once, before the first delivery is made.
        is_first: whether it is an error if none of the first rows can be loaded.
    """

    def __init__(
        self,
        sink: Sink,
        types: ColumnTypes,
        selection: Selection,
        run: Run,
        parallel: int,
        async_lib: Any = None,
        before_first: Callable[[], object] = lambda: None,
        is_first: bool = True,
    ) -> None:
        self._sink = sink
        self._types = types
        self._selection = selection
        self._run = run
        self._parallel = parallel
        self._async_lib = async_lib
        self._before_first: Callable[[], object] | None = before_first
        self._is_first = is_first
        self._is_checked = False

    def done(self, chunks: Iterator[Chunk]) -> Generator[Work, None, None]:
        """Load chunks, and yield the work of each in their order when its rows are stored. To be closed.

        Raises:
            InvalidInput: nothing was sent, because the rows are not what they should be.
            LoadStopped: something could not be stored.
        """
        backend = choose(self._async_lib)
        pool = backend.pool(self._parallel)
        waiting: deque[tuple[Work, list[Task]]] = deque()
        try:
            yield from self._in_order(chunks, backend, pool, waiting)
        except BaseException as error:
            _cancel(
                [task for _, tasks in waiting for task in tasks],
                is_waited=isinstance(error, Exception | GeneratorExit),
            )
            raise

    def _in_order(
        self, chunks: Iterator[Chunk], backend: Backend, pool: Pool, waiting: deque[tuple[Work, list[Task]]]
    ) -> Iterator[Work]:
        fault: list[Exception] = []
        for chunk in _until_fault(chunks, fault):
            tasks: list[Task] = []
            backend.fair_yield()  # what follows holds the hub for milliseconds
            work = self._prepare(chunk)
            waiting.append((work, tasks))
            self._start(pool, work, tasks)
            if len(waiting) > self._parallel:
                yield _finished(*waiting[0])
                waiting.popleft()
        while waiting:
            yield _finished(*waiting[0])
            waiting.popleft()
        if fault:
            raise fault.pop()

    def check(self, chunk: Chunk) -> None:
        """Check the first rows, and deliver nothing.

        Raises:
            InvalidInput, TooManyRefusals: they are not what they should be.
        """
        self._prepare(chunk)

    @property
    def has_delivered(self) -> bool:
        """Whether a delivery has been made, or may have been."""
        return self._before_first is None

    def _start(self, pool: Pool, work: Work, tasks: list[Task]) -> None:
        if work.deliveries and self._before_first is not None:
            self._before_first()
            self._before_first = None
        for delivery in work.deliveries:
            tasks.append(pool.start(self._sink.deliver, delivery, self._run))  # noqa: PERF401
        work.deliveries = []  # their rows are needed no longer than they are under way

    def _prepare(self, chunk: Chunk) -> Work:
        table = chunk.table
        rows = len(table) + len(chunk.refusals)
        work = Work(chunk.end.row - rows + 1, chunk.end, refusals=list(chunk.refusals))
        if not self._is_checked and len(table):
            self._types.check(list(table.columns))
        converted = self._types.convert(table, work.refusals.append)
        before = len(work.refusals)
        selected = self._selection.select(converted, work.refusals.append)
        left_out = len(converted) - len(selected) - (len(work.refusals) - before)
        if not self._is_checked and len(selected):
            self._sink.check(list(selected.columns), self._run)
        if len(selected):
            work.deliveries = self._sink.prepare(selected, self._run, work.refusals.append)
        if self._is_first and not self._is_checked and rows and len(work.refusals) == rows:
            first = min(work.refusals)
            raise InvalidInput(
                f"none of the first {rows:,} rows can be loaded; row {first.row}: {first.reason}"
            )
        if work.refusals:
            check_refusals(len(work.refusals), min(work.refusals), self._run)
        self._is_checked = self._is_checked or bool(len(selected))
        work.counts = Counts(rows=rows, left_out=left_out)
        return work


def _until_fault(chunks: Iterator[Chunk], fault: list[Exception]) -> Iterator[Chunk]:
    """The chunks up to one that cannot be read. What is raised then is put into a list.

    The rows before are stored first, so that a load stops at the place that is damaged.
    """
    try:
        yield from chunks
    except Exception as error:
        fault.append(error)


def _finished(work: Work, tasks: list[Task]) -> Work:
    """Wait for the deliveries of some rows, and return the work with what became of them."""
    for task in tasks:
        value, raised = task.outcome()
        if raised is not None:
            _raise(work, raised.error)
        outcome: Outcome = value
        work.counts.stored += outcome.stored
        work.counts.calls += outcome.calls
        work.refusals += outcome.refusals
    work.refusals.sort(key=lambda refusal: refusal.row)
    work.counts.refused = len({refusal.row for refusal in work.refusals})
    return work


def _raise(work: Work, error: BaseException) -> None:
    if not isinstance(error, Exception) or isinstance(error, LoadStopped):
        raise error
    stopped = LoadStopped(f"rows {work.first:,} to {work.end.row:,}: {error}")
    stopped.retryable = getattr(error, "retryable", False)
    raise stopped from error


def _cancel(tasks: list[Task], is_waited: bool) -> None:
    """Stop deliveries, or let those end that cannot be stopped: on OS threads."""
    for task in tasks:
        task.request_cancel()
    if is_waited:
        for task in tasks:
            task.outcome()
