"""Finds the point nearest to a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .reading import fetch, recent_points, select
from .removals import visible
from .times import END_OF_TIME, FIRST_TIME

if TYPE_CHECKING:
    from .state import StreamState

__all__ = ["nearest"]


def nearest(
    cursor: Any, state: StreamState, version: int, time: int, backward: bool
) -> tuple[int, float] | None:
    """The first point at `time` or later, or the last one before it; None if there is none.

    Of points at the same time it is the first one going forward, and the last one going backward.
    """
    start, end = (FIRST_TIME, time) if backward else (time, END_OF_TIME)
    start = max(start, state.trimmed)
    best = None
    found = visible(recent_points(state, start, end), state.removals, version)
    if len(found):
        best = found.chosen(slice(-1, None) if backward else slice(0, 1))
    segments = select(state, version, start, end).segments
    edges = -segments["last"] if backward else segments["first"]
    for place in np.argsort(edges, kind="stable").tolist():
        row = segments[place]
        low, high = start, end
        if best is not None:
            # A point at the same time may have come earlier or later than the best so far.
            low, high = (
                (max(start, int(best.times[0])), end)
                if backward
                else (start, min(end, int(best.times[0]) + 1))
            )
            if row["last"] < low or row["first"] >= high:
                break
        found = visible(fetch(cursor, row["id"].reshape(1), low, high).in_order(), state.removals, version)
        if len(found):
            candidate = found.chosen(slice(-1, None) if backward else slice(0, 1))
            best = candidate if best is None else _better(best, candidate, backward)
    return None if best is None else (int(best.times[0]), float(best.values[0]))


def _better(one: Any, other: Any, backward: bool) -> Any:
    first, second = ((int(each.times[0]), int(each.added[0])) for each in (one, other))
    return one if (first > second if backward else first <= second) else other
