"""The changes of one commit."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from . import tables
from .points import MergePolicy, Points, is_in
from .reading import fetch, next_cut, read_points
from .recent import Recent
from .removals import removals
from .segments import SEGMENT_POINTS, cut, no_segments, with_segments
from .state import no_such_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .state import Stream, StreamState

__all__ = ["BULK", "MOST_RECENT", "Numbers", "Transaction"]

BULK = 8_192
"""A batch with this many points becomes segments at once. A smaller one joins the recent points."""

MOST_RECENT = SEGMENT_POINTS
"""Recent points of a stream. With more, they become segments."""

_COMPARED_AT_ONCE = 1 << 18
"""About how many stored points a batch is compared with at once."""

_STAMPED_AFTER = 1_000_000_000
"""Nanoseconds between two versions of a stream whose times are noted."""

_ABSORBED = SEGMENT_POINTS // 2
"""A segment with fewer points than this may be joined with others."""

_MOST_FOLDED = 8 * SEGMENT_POINTS
"""Points that are in memory when segments are joined."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The next numbers of streams and segments. None is used twice."""

    streams: Iterator[int]
    segments: Iterator[int]

    @classmethod
    def after(cls, streams: int, segments: int) -> Numbers:
        """Numbers above these."""
        return cls(count(streams + 1), count(segments + 1))


@dataclass(slots=True)
class _Pending:
    """Rows that the database has not got yet."""

    recent: list[tuple[int, Points]] = field(default_factory=list)
    segments: list[tables.NewSegment] = field(default_factory=list)
    removals: list[tables.NewRemovals] = field(default_factory=list)


class Transaction:
    """Changes that become durable together. Used by the writer's thread alone.

    A method that raises a StreamProblem has changed nothing.

    Args:
        cursor: a connection, within a transaction.
        numbers: for new streams and segments.

    Attributes:
        cursor: the same, for changes of the metadata.
        numbers: the same.
        has_changed_metadata: whether some change was one of what SQL can read.
        recent_points: how many points have joined the recent points of their streams.
    """

    def __init__(self, cursor: Any, numbers: Numbers) -> None:
        self.cursor = cursor
        self.numbers = numbers
        self.has_changed_metadata = False
        self.recent_points = 0
        self._states: dict[Stream, StreamState] = {}
        self._obliterated: set[Stream] = set()
        self._rewritten: set[Stream] = set()
        self._pending = _Pending()

    def state(self, stream: Stream) -> StreamState:
        """The stream's state with the changes so far.

        Raises:
            StreamProblem: NO_SUCH_STREAM.
        """
        if stream in self._obliterated:
            raise no_such_stream()
        return self._states.get(stream) or stream.current()

    def insert(
        self, stream: Stream, times: NDArray[np.int64], values: NDArray[np.float64], policy: MergePolicy
    ) -> int:
        """Add points. Returns the stream's version, which is a new one if that changes anything.

        Args:
            stream: where to.
            times, values: what `apply_within_batch` has returned.
            policy: what becomes of points at times that the stream has already.
        """
        state = self.state(stream)
        ranges: list[tuple[int, int]] = []
        if policy is not MergePolicy.NEVER and len(times):
            times, values, ranges = self._compare(state, times, values, policy)
        if not len(times):
            return state.version
        version = state.version + 1
        points = Points(times, values, np.full(len(times), version, np.int64))
        if ranges:
            state = self._remove(stream, state, version, ranges)
        if len(points) >= BULK:
            state = replace(self._add_segments(stream, state, points), version=version)
        else:
            self._pending.recent.append((stream.id, points))
            self.recent_points += len(points)
            recent = state.recent.appended(points.times, points.values, points.added)
            state = replace(state, version=version, recent=recent)
        self._states[stream] = state
        return version

    def delete(self, stream: Stream, start: int, end: int) -> int:
        """Remove the points in [start, end). Returns the new version."""
        state = self.state(stream)
        version = state.version + 1
        self._states[stream] = self._remove(stream, state, version, [(start, end)])
        return version

    def obliterate(self, stream: Stream) -> None:
        """Remove the stream. Its segments are left to `sweep`."""
        self.state(stream)
        self.flush()
        self._discard(stream, self.cursor, "true")
        for table in ("segments", "recent", "removals", "commits"):
            self.cursor.execute(f"delete from {table} where stream = $1", [stream.id])
        self.cursor.execute("delete from streams where id = $1", [stream.id])
        self.cursor.execute("insert into obliterated values ($1, $2)", [stream.account, str(stream.uuid)])
        self._states.pop(stream, None)
        self._obliterated.add(stream)
        self.has_changed_metadata = True

    def trim(self, stream: Stream, before: int) -> None:
        """Remove the points before a time from all versions."""
        state = self.state(stream)
        if before <= state.trimmed:
            return
        self.flush()
        self.cursor.execute(
            "update streams set trimmed = $2, version = $3 where id = $1", [stream.id, before, state.version]
        )
        old = state.segments["last"] < before
        if old.any():
            self._discard(stream, self.cursor, f"last < {before}")
            self.cursor.execute("delete from segments where stream = $1 and last < $2", [stream.id, before])
            self._rewritten.add(stream)
        self.cursor.execute("delete from removals where stream = $1 and until <= $2", [stream.id, before])
        kept = state.removals[state.removals["until"] > before]
        self._states[stream] = replace(
            state, trimmed=before, segments=state.segments[~old], removals=kept, epoch=state.epoch + 1
        )

    def fold(self, stream: Stream) -> None:
        """Make segments of the stream's recent points, together with segments that are small."""
        state = self.state(stream)
        if not len(state.recent):
            return
        self.flush()
        absorbed = _small_ones(state.segments, len(state.recent))
        stored = fetch(self.cursor, absorbed["id"], state.trimmed, 1 << 62)
        recent = state.recent.points()
        points = Points.concatenate([stored, recent.between(state.trimmed, 1 << 62)]).in_order()
        self.cursor.execute("delete from recent where stream = $1", [stream.id])
        # The points of the latest version may be among those that are trimmed here.
        self.cursor.execute("update streams set version = $2 where id = $1", [stream.id, state.version])
        tables.delete_segments(self.cursor, absorbed["id"])
        kept = state.segments[~np.isin(state.segments["id"], absorbed["id"])]
        state = replace(state, segments=kept, recent=Recent(), epoch=state.epoch + 1)
        self._rewritten.add(stream)
        self._states[stream] = self._add_segments(stream, state, points)

    def flush(self) -> None:
        """Hand the rows that are pending to the database."""
        pending, self._pending = self._pending, _Pending()
        if pending.segments:
            tables.insert_segments(self.cursor, pending.segments)
        if pending.recent:
            tables.insert_recent(self.cursor, pending.recent)
        if pending.removals:
            tables.insert_removals(self.cursor, pending.removals)

    def commit(self) -> None:
        """Make everything durable, and then visible."""
        for stream, state in list(self._states.items()):
            if len(state.recent) > MOST_RECENT:
                self.fold(stream)
        self.flush()
        stamped = self._stamp()
        self._mark_rewriting(True)
        try:
            self.cursor.execute("commit")
            self._publish(stamped)
        finally:
            self._mark_rewriting(False)

    def _mark_rewriting(self, is_rewriting: bool) -> None:
        for stream in self._rewritten:
            stream.is_rewriting = is_rewriting

    def _stamp(self) -> dict[Stream, int]:
        """Note when these versions came, unless that was noted of the same streams less than a second ago."""
        now = time.time_ns()
        stamped = {
            stream: now
            for stream, state in self._states.items()
            if stream.current().version != state.version and now - stream.stamped >= _STAMPED_AFTER
        }
        if stamped:
            tables.insert_columns(
                self.cursor,
                "commits",
                {
                    "stream": np.array([stream.id for stream in stamped], np.int32),
                    "version": np.array([self._states[stream].version for stream in stamped], np.int64),
                    "time": np.array(list(stamped.values()), np.int64),
                },
            )
        return stamped

    def _publish(self, stamped: dict[Stream, int]) -> None:
        for stream, now in stamped.items():
            stream.stamped = now
        for stream, state in self._states.items():
            stream.state = state
        for stream in self._obliterated:
            stream.state = None

    def _remove(
        self, stream: Stream, state: StreamState, version: int, ranges: list[tuple[int, int]]
    ) -> StreamState:
        gone = removals(version, ranges)
        self._pending.removals.append(tables.NewRemovals(stream.id, gone))
        return replace(state, version=version, removals=np.concatenate([state.removals, gone]))

    def _add_segments(self, stream: Stream, state: StreamState, points: Points) -> StreamState:
        new = [tables.NewSegment(stream.id, next(self.numbers.segments), segment) for segment in cut(points)]
        self._pending.segments += new
        rows = tables.segment_rows(new) if new else no_segments()
        return replace(state, segments=with_segments(state.segments, rows))

    def _discard(self, stream: Stream, cursor: Any, condition: str) -> None:
        cursor.execute(
            f"insert into garbage select id from segments where stream = $1 and {condition}", [stream.id]
        )

    def _compare(
        self,
        state: StreamState,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        policy: MergePolicy,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], list[tuple[int, int]]]:
        """What a policy keeps of a batch, and the ranges in which the points so far are removed."""
        self.flush()
        keep = np.ones(len(times), bool)
        ranges: list[tuple[int, int]] = []
        start, end = int(times[0]), int(times[-1]) + 1
        while start < end:
            stop = next_cut(state, state.version, start, end, _COMPARED_AT_ONCE)
            low, high = np.searchsorted(times, [start, stop]).tolist()
            if low < high:
                part = slice(low, high)
                first, last = int(times[low]), int(times[high - 1])
                existing = read_points(self.cursor, state, state.version, first, last + 1)
                if policy is MergePolicy.REPLACE:
                    ranges += _matching_ranges(existing.times, times[part])
                elif policy is MergePolicy.RETAIN:
                    keep[part] = ~np.isin(times[part], existing.times)
                else:
                    keep[part] = ~is_in(times[part], values[part], existing)
            start = stop
        return times[keep], values[keep], ranges


def _matching_ranges(existing: NDArray[np.int64], times: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The ranges that have the existing points at some times, and no others."""
    matches = np.concatenate([[False], np.isin(existing, times), [False]])
    edges = np.flatnonzero(matches[1:] != matches[:-1])
    firsts, ends = existing[edges[::2]], existing[edges[1::2] - 1] + 1
    return list(zip(firsts.tolist(), ends.tolist(), strict=True))


def _small_ones(segments: NDArray[np.void], points: int) -> NDArray[np.void]:
    """The segments to join with so many points: each at most twice as large as all smaller ones together.

    So a point is written again only about as often as the number of its stream's points has doubled.
    """
    by_size = segments[np.argsort(segments["count"], kind="stable")]
    taken = 0
    for size in by_size["count"].tolist():
        if size >= _ABSORBED or size > 2 * points or points + size > _MOST_FOLDED:
            break
        points += size
        taken += 1
    return by_size[:taken]
