"""load: takes rows from a source to a sink, and goes on where it stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInput
from .arrow_columns import UNITS
from .checkpoint import Checkpoint, locked
from .column_types import ColumnType, ColumnTypes, parse_types
from .errors import LoadStopped
from .pipeline import Pipeline, Work
from .progress import Progress, Report, Stopwatch
from .rate_limit import RateLimit
from .rejects import RejectFile
from .selection import Selection, Transform
from .sinks.base import Run, Sink, check_refusals
from .sources.base import Source
from .sources.file import FileSource

if TYPE_CHECKING:
    from ..filters.nodes import Filter

__all__ = ["LoadOptions", "load"]

SAVE_EVERY = 0.5
"""Seconds between two checkpoints, at least."""

TELL_EVERY = 0.2
"""Seconds between two reports of progress, at least."""


@dataclass(frozen=True)
class LoadOptions:
    """How rows are loaded. See `load`.

    Raises:
        InvalidInput: an option cannot be used.
    """

    types: Mapping[str, Any] | None = None
    na: Collection[str] = ()
    filter: Filter | str | None = None
    transform: Transform | None = None
    batch: int | None = None
    parallel: int = 4
    calls_per_second: float | RateLimit | None = None
    max_rejects: int = 1000
    async_lib: Any = None

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("parallel", 1), ("max_rejects", 0)):
            value = getattr(self, name)
            if value is None and name == "batch":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(f"{name} is {value!r}; give a whole number, {least} or more")
        if isinstance(self.na, str):
            raise InvalidInput(f"na is {self.na!r}; give a list of texts")

    def settings(self, sink: Sink) -> dict[str, Any]:
        """What has to be the same when a load goes on."""
        types = {name: type.value for name, type in parse_types(self.types).items()}
        transform = self.transform
        return {
            "platform": sink.platform,
            "types": types,
            "na": sorted(self.na),
            "filter": None if self.filter is None else str(self.filter),
            "transform": getattr(transform, "__qualname__", transform and type(transform).__name__),
            "batch": self.batch_of(sink),
        }

    def batch_of(self, sink: Sink) -> int:
        """How many rows are read at once."""
        return sink.batch if self.batch is None else self.batch

    def time_units(self, source: Source) -> dict[str, int]:
        """The columns with times whose unit is known. See `Run`."""
        typed = [name for name, type in parse_types(self.types).items() if type is ColumnType.TIME]
        return {**source.time_units, **dict.fromkeys(typed, UNITS["ns"])}

    def rate_limit(self) -> RateLimit | None:
        """The limit of calls per second; None for no limit."""
        given = self.calls_per_second
        return given if given is None or isinstance(given, RateLimit) else RateLimit(given)

    def pipeline(
        self,
        source: Source,
        sink: Sink,
        run: Run,
        before_first: Callable[[], object] = lambda: None,
        is_first: bool = True,
    ) -> Pipeline:
        """The way of rows to a sink.

        Args:
            before_first: called once, before the first delivery is made.
            is_first: whether the first row is among the rows: if none of them can be loaded, nothing is.
        """
        types = ColumnTypes(parse_types(self.types), self.na, source.is_text)
        selection = Selection(self.filter, self.transform)
        return Pipeline(sink, types, selection, run, self.parallel, self.async_lib, before_first, is_first)


def load(
    source: Source | str | os.PathLike[str],
    sink: Sink,
    *,
    types: Mapping[str, Any] | None = None,
    na: Collection[str] = (),
    filter: Filter | str | None = None,
    transform: Transform | None = None,
    batch: int | None = None,
    parallel: int = 4,
    calls_per_second: float | RateLimit | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    rejects: str | os.PathLike[str] | None = None,
    max_rejects: int = 1000,
    on_progress: Callable[[Progress], object] | None = None,
    async_lib: Any = None,
) -> Report:
    """Load rows.

    Everything that can be checked is checked with the first rows, before anything is sent.

    Args:
        source: a FileSource, QuerySource or FlowSource; or the path of a file.
        sink: a FlowsSink, StreamsSink, RecordsSink or SQLSink.
        types: what columns are: `{"temp": float}`, or one of "text", "int", "float", "bool", "json", "time".
            Others are what a cell of CSV is as JSON, or else a text; other sources have types.
        na: texts that stand for no value, such as ["NA"]. An empty cell has none.
        filter: which rows are loaded, such as `mem.temp > 90`.
        transform: a function that makes another row, a dict, of each row; None leaves the row out.
        batch: how many rows are read at once and, if they have one destination, stored in one call. By
            default 1,000, for points 50,000.
        parallel: how many calls are made at once.
        calls_per_second: how many calls begin in a second, at most; or a RateLimit that several loads share.
        checkpoint: a file that keeps how far the load is. The same load with the same file goes on there: no
            row is lost, and none is stored twice.
        rejects: a file for the rows that are refused, with the reasons. Without it the load stops at the
            first such row.
        max_rejects: how many rows may be refused before the load stops.
        on_progress: called with the Progress, some times a second.
        async_lib: the backend whose threads make the calls; None for that of this process.

    Raises:
        InvalidInput, ConfigurationError: the source, the sink or an option cannot be used, or another load
            uses the checkpoint now. Nothing was sent.
        LoadStopped: a call has failed, also when it was made again; too many rows were refused; or the source
            is damaged behind the first rows. What was stored before stays. With a checkpoint, `load` may be
            called again.
        OSError: a file cannot be read or written.
    """
    options = LoadOptions(
        types, na, filter, transform, batch, parallel, calls_per_second, max_rejects, async_lib
    )
    found = source if isinstance(source, Source) else FileSource(source)
    state = _path(checkpoint)
    with locked(state):
        return _Load(found, sink, options, state, _path(rejects), on_progress).run()


def _path(given: str | os.PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)


def _check_apart(rejects: Path | None, *others: str | Path | None) -> None:
    """Refuse to write rejects into the file of the source or of the checkpoint."""
    for other in others:
        if rejects is not None and other is not None and rejects.resolve() == Path(other).resolve():
            raise InvalidInput(f"{rejects} is another file of this load; give rejects a name of their own")


class _Load:
    """One run of a load."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        options: LoadOptions,
        checkpoint: Path | None,
        rejects: Path | None,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._options = options
        self._checkpoint = checkpoint
        self._rejects = rejects
        self._on_progress = on_progress
        self._state = Checkpoint({})
        self._is_saved, self._is_repeated = True, False
        self._saved_at = self._told_at = 0.0

    def run(self) -> Report:
        settings = {**self._source.settings(), **self._sink.settings(), **self._options.settings(self._sink)}
        _check_apart(self._rejects, settings.get("file"), self._checkpoint)
        if self._checkpoint is not None:
            self._source.check_resumable()
            found = Checkpoint.load(self._checkpoint, settings)
            self._is_repeated = found is not None
            self._state = found or Checkpoint(settings)
            self._is_saved = self._is_repeated
        state = self._state
        watch = Stopwatch(state.counts.rows)
        before = state.counts.rows
        if not state.is_complete:
            with RejectFile(self._rejects, state.rejects_size) as rejects:
                self._load(rejects, watch)
        counts = asdict(state.counts)
        return Report(**counts, seconds=watch.seconds, rows_now=state.counts.rows - before)

    def _load(self, rejects: RejectFile, watch: Stopwatch) -> None:
        state, options = self._state, self._options
        limit = options.rate_limit()
        run = Run(
            state.id,
            self._checkpoint is not None,
            state.began,
            self._source.key,
            (lambda: None) if limit is None else limit.wait,
            options.max_rejects if self._rejects is not None else 0,
            self._is_repeated,
            options.time_units(self._source),
        )
        pipeline = options.pipeline(
            self._source, self._sink, run, self._save, is_first=not state.position.row
        )
        chunks = self._source.chunks(options.batch_of(self._sink), state.position)
        try:
            with closing(chunks), closing(pipeline.done(chunks)) as done:
                self._take(done, rejects, run, watch)
            state.is_complete, self._is_saved = True, False
        except InvalidInput as error:
            if pipeline.has_delivered or state.position.row:
                raise LoadStopped(str(error)) from error
            raise
        finally:
            self._save()
        self._sink.finish(run)
        self._told_at = 0.0
        self._tell(watch)

    def _take(self, done: Iterable[Work], rejects: RejectFile, run: Run, watch: Stopwatch) -> None:
        for work in done:
            self._commit(work, rejects, run)
            self._tell(watch)

    def _commit(self, work: Work, rejects: RejectFile, run: Run) -> None:
        """Take note of rows that are done: first those that were refused, then how far the load is."""
        state = self._state
        if work.refusals:
            check_refusals(state.counts.refused + work.counts.refused, work.refusals[-1], run)
            rejects.add(work.refusals)
            state.rejects_size = rejects.size
        state.counts.add(work.counts)
        state.position = work.end
        self._is_saved = False
        if time.monotonic() - self._saved_at >= SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        if self._checkpoint is not None and not self._is_saved:
            self._state.save(self._checkpoint)
            self._is_saved = True
            self._saved_at = time.monotonic()

    def _tell(self, watch: Stopwatch) -> None:
        now = time.monotonic()
        if self._on_progress is None or now - self._told_at < TELL_EVERY:
            return
        self._told_at = now
        counts = self._state.counts
        fraction = 1.0 if self._state.is_complete else self._source.fraction()
        self._on_progress(watch.progress(counts.rows, counts.stored, counts.refused, fraction))
