"""Reads the points of a range as one version has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .points import Points
from .removals import concerned_segments, removed_before, visible
from .segments import runs

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from .state import StreamState

__all__ = ["Selection", "fetch", "next_cut", "read_points", "recent_points", "select"]

_POINTS = "select time, value, added from points where segment between $1 and $2 and time >= $3 and time < $4"


class Selection:
    """The segments that may have points of a range at a version.

    Attributes:
        segments: their rows, by the first time.
        intact: which of them have all their points at that version, so that their rollups are right.
    """

    __slots__ = ("intact", "segments")

    def __init__(self, segments: NDArray[np.void], intact: NDArray[np.bool_]) -> None:
        self.segments = segments
        self.intact = intact


def select(state: StreamState, version: int, start: int, end: int) -> Selection:
    """The segments that may have points in [start, end) at a version."""
    found = state.segments
    start = max(start, state.trimmed)
    found = found[(found["first"] < end) & (found["last"] >= start) & (found["min_added"] <= version)]
    intact = (found["max_added"] <= version) & (found["first"] >= state.trimmed)
    removed = removed_before(state.removals, version, start, end) if len(state.removals) else state.removals
    if len(removed):
        touched, emptied = concerned_segments(found, removed)
        return Selection(found[~emptied], (intact & ~touched)[~emptied])
    return Selection(found, intact)


def fetch(cursor: Any, ids: NDArray[np.int64], start: int, end: int) -> Points:
    """The points of segments in [start, end), of all versions, in no order."""
    parts = []
    for first, last in runs(ids):
        found = cursor.execute(_POINTS, [first, last, start, end]).fetchnumpy()
        parts.append(Points(found["time"], found["value"], found["added"]))
    return Points.concatenate(parts)


def recent_points(state: StreamState, start: int, end: int) -> Points:
    """The points in [start, end) that are in no segment, of all versions, in order."""
    return state.recent.points().between(max(start, state.trimmed), end)


def read_points(cursor: Any, state: StreamState, version: int, start: int, end: int) -> Points:
    """The points in [start, end) that a version has, in order. All of them are in memory at once."""
    start = max(start, state.trimmed)
    if start >= end:
        return Points.empty()
    chosen = select(state, version, start, end).segments
    stored = fetch(cursor, chosen["id"], start, end)
    found = Points.concatenate([stored, recent_points(state, start, end)]).in_order()
    return visible(found, state.removals, version)


def next_cut(state: StreamState, version: int, start: int, end: int, most: int) -> int:
    """Where to end the first part of [start, end) so that it has about `most` points."""
    found = select(state, version, start, end).segments
    sums = np.cumsum(found["count"])
    cut, points = end, int(sums[-1]) if len(sums) else 0
    beginning = int(np.searchsorted(sums, most, side="right"))
    for place in range(max(beginning, 1), len(found)):
        first = int(found["first"][place])
        if first > start:
            cut, points = min(first, end), int(sums[place - 1])
            break
    if points > 4 * most:  # segments that overlap each other: take it that points are spread evenly
        last = min(cut, int(found["last"].max()) + 1)
        cut = min(cut, start + max(1, (last - start) * most // points))
    return cut
