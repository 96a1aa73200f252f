"""Finds the ranges of time that have changed between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .reading import fetch, recent_points
from .times import END_OF_TIME, FIRST_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .state import StreamState

__all__ = ["changed_ranges"]

_SEGMENTS_AT_ONCE = 8


def changed_ranges(
    cursor: Any, state: StreamState, after: int, until: int, resolution: int
) -> list[tuple[int, int]]:
    """The ranges in which points were added or removed by the versions after `after` and up to `until`.

    They start and end at multiples of 2**resolution ns, do not touch each other, and are in order.
    """
    found = state.segments
    found = found[(found["max_added"] > after) & (found["min_added"] <= until)]
    starts = []
    # Windows of a rollup that is not coarser than the resolution are as good as the points.
    exact = (found["min_added"] > after) & (found["max_added"] <= until) & (found["base"] <= resolution)
    for row in found[exact]:
        rows = cursor.execute(
            "select time from rollups where segment = $1 and level = $2", [int(row["id"]), int(row["base"])]
        ).fetchnumpy()
        starts.append(np.unique(rows["time"] >> resolution))
    ids = found["id"][~exact]
    for place in range(0, len(ids), _SEGMENTS_AT_ONCE):
        points = fetch(cursor, ids[place : place + _SEGMENTS_AT_ONCE], state.trimmed, END_OF_TIME)
        starts.append(_windows(points.times, points.added, after, until, resolution))
    recent = recent_points(state, FIRST_TIME, END_OF_TIME)
    starts.append(_windows(recent.times, recent.added, after, until, resolution))
    windows = np.concatenate(starts)
    removed = state.removals
    removed = removed[(removed["version"] > after) & (removed["version"] <= until)]
    firsts = np.concatenate([windows, removed["first"] >> resolution])
    lasts = np.concatenate([windows, (removed["until"] - 1) >> resolution])
    return _joined(firsts, lasts, resolution)


def _windows(
    times: NDArray[np.int64], added: NDArray[np.int64], after: int, until: int, resolution: int
) -> NDArray[np.int64]:
    return np.unique(times[(added > after) & (added <= until)] >> resolution)


def _joined(firsts: NDArray[np.int64], lasts: NDArray[np.int64], resolution: int) -> list[tuple[int, int]]:
    """Ranges of windows, given by the numbers of their first and last ones, as ranges of time."""
    if not len(firsts):
        return []
    order = np.argsort(firsts, kind="stable")
    firsts, lasts = firsts[order], np.maximum.accumulate(lasts[order])
    begins = np.concatenate([[True], firsts[1:] > lasts[:-1] + 1])
    ends = np.append(np.flatnonzero(begins)[1:] - 1, len(firsts) - 1)
    return [
        (first << resolution, (last + 1) << resolution)
        for first, last in zip(firsts[begins].tolist(), lasts[ends].tolist(), strict=True)
    ]
