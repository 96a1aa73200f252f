"""Statistics of windows, at any version.

Where all points of a segment are in the version, its rollups stand for them. A window of which a segment has
only a part, narrow windows, and segments that a removal concerns are computed from points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .reading import fetch, recent_points, select
from .removals import visible
from .segments import levels_for, runs
from .statistics import Statistics, merge, summarize
from .times import floor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .state import StreamState

    Times = NDArray[np.int64]

__all__ = ["aligned_windows", "aligned_windows_cut", "windows"]

_ROLLUPS = (
    "select time, min, mean, max, count, m2 from rollups "
    "where segment between $1 and $2 and level = $3 and time >= $4 and time < $5"
)
_SEGMENTS_AT_ONCE = 8
"""Segments whose points are in memory at once."""

_WHOLE_TIME = (-(1 << 63), (1 << 63) - 1)


def aligned_windows(
    cursor: Any, state: StreamState, version: int, start: int, end: int, point_width: int
) -> Statistics:
    """The windows of 2**point_width ns between two multiples of that, without those that have no points."""
    chosen = select(state, version, start, end)
    levels = np.where(chosen.intact, levels_for(chosen.segments, point_width), -1)

    def window(times: Times) -> Times:
        return times >> point_width << point_width

    parts = []
    for level in np.unique(levels[levels >= 0]).tolist():
        rows = _rollups(cursor, chosen.segments["id"][levels == level], level, start, end)
        parts += [merge([found], [window(found.times)]) for found in rows]
    parts += _from_points(cursor, state, version, chosen.segments["id"][levels < 0], start, end, window)
    return merge(parts)


def aligned_windows_cut(
    state: StreamState, version: int, start: int, end: int, point_width: int, most: int
) -> int:
    """Where to end the first part of [start, end) so that about `most` rows are read for it."""
    chosen = select(state, version, start, end)
    found = chosen.segments
    # At most: a window of the rollups stands for a point at least.
    rows = np.where(
        chosen.intact & (found["base"] <= point_width),
        np.minimum(
            found["count"], 1 + ((found["last"] - found["first"]) >> np.minimum(found["base"], point_width))
        ),
        found["count"],
    )
    place = int(np.searchsorted(np.cumsum(rows), most, side="right"))
    for first in found["first"][max(place, 1) :].tolist():
        cut = floor(first, point_width)
        if cut > start:
            return min(cut, end)
    return end


def windows(cursor: Any, state: StreamState, version: int, start: int, width: int, count: int) -> Statistics:
    """`count` windows of `width` ns from `start` on. Those without points have zeros for all statistics."""
    end = start + count * width
    chosen = select(state, version, start, end)

    def window(times: Times) -> Times:
        return (times - start) // width

    found = chosen.segments
    inside = chosen.intact & (found["first"] >= start) & (found["last"] < end)
    inside &= window(found["first"]) == window(found["last"])
    parts = []
    for top in np.unique(found["top"][inside]).tolist():
        which = inside & (found["top"] == top)
        numbers = dict(zip(found["id"][which].tolist(), window(found["first"][which]).tolist(), strict=True))
        parts += _whole_segments(cursor, numbers, top)
    parts += _from_points(cursor, state, version, found["id"][~inside], start, end, window)
    return _with_empty(merge(parts), start, width, count)


def _rollups(cursor: Any, ids: NDArray[np.int64], level: int, start: int, end: int) -> list[Statistics]:
    found = []
    for first, last in runs(ids):
        rows = cursor.execute(_ROLLUPS, [first, last, level, start, end]).fetchnumpy()
        found.append(_statistics(rows))
    return found


def _whole_segments(cursor: Any, numbers: dict[int, int], level: int) -> list[Statistics]:
    """Statistics of segments, each as a part of the window with its number."""
    found = []
    for first, last in runs(np.array(list(numbers), np.int64)):
        rows = cursor.execute(
            _ROLLUPS.replace("select time", "select segment, time"), [first, last, level, *_WHOLE_TIME]
        ).fetchnumpy()
        windows = np.array([numbers[segment] for segment in rows["segment"].tolist()], np.int64)
        found.append(merge([_statistics(rows)], [windows]))
    return found


def _statistics(rows: dict[str, Any]) -> Statistics:
    return Statistics(
        rows["time"], rows["min"], rows["mean"], rows["max"], rows["count"].astype(np.int64), rows["m2"]
    )


def _from_points(
    cursor: Any,
    state: StreamState,
    version: int,
    ids: NDArray[np.int64],
    start: int,
    end: int,
    window: Callable[[Times], Times],
) -> list[Statistics]:
    """Statistics of the points of some segments, and of those that are in none."""
    parts = []
    low = max(start, state.trimmed)
    for place in range(0, len(ids), _SEGMENTS_AT_ONCE):
        found = fetch(cursor, ids[place : place + _SEGMENTS_AT_ONCE], low, end).in_order()
        found = visible(found, state.removals, version)
        parts.append(summarize(window(found.times), found.values))
    found = visible(recent_points(state, start, end), state.removals, version)
    parts.append(summarize(window(found.times), found.values))
    return parts


def _with_empty(found: Statistics, start: int, width: int, count: int) -> Statistics:
    """All windows, from the statistics of those that have points; their times are the windows' numbers."""

    def full(column: NDArray[Any]) -> NDArray[Any]:
        every = np.zeros(count, column.dtype)
        every[found.times] = column
        return every

    return Statistics(
        start + np.arange(count, dtype=np.int64) * width,
        full(found.mins),
        full(found.means),
        full(found.maxes),
        full(found.counts),
        full(found.m2s),
    )
