"""What versions have taken away: ranges of times, each for the points that were added before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .points import Points

__all__ = ["REMOVAL", "concerned_segments", "no_removals", "removals", "removed_before", "visible"]

REMOVAL = np.dtype([("version", np.int64), ("first", np.int64), ("until", np.int64)])
"""A version, and the range of times in which it removes the points that were added before it."""

_BLOCK = 256
"""Removals that are compared with all segments at once."""


def no_removals() -> NDArray[np.void]:
    """An empty array of removals."""
    return np.empty(0, REMOVAL)


def removals(version: int, ranges: list[tuple[int, int]]) -> NDArray[np.void]:
    """The removals that one version adds."""
    return np.array([(version, first, until) for first, until in ranges], REMOVAL)


def removed_before(found: NDArray[np.void], version: int, start: int, end: int) -> NDArray[np.void]:
    """Those that concern a range at a version."""
    return found[(found["version"] <= version) & (found["first"] < end) & (found["until"] > start)]


def visible(points: Points, found: NDArray[np.void], version: int) -> Points:
    """The points, which are in order, that a version has."""
    alive = points.added <= version
    if len(points) and len(found):
        concerned = removed_before(found, version, int(points.times[0]), int(points.times[-1]) + 1)
        lows = np.searchsorted(points.times, concerned["first"]).tolist()
        highs = np.searchsorted(points.times, concerned["until"]).tolist()
        versions = concerned["version"].tolist()
        for low, high, removed in zip(lows, highs, versions, strict=True):
            alive[low:high] &= points.added[low:high] >= removed
    return points if alive.all() else points.chosen(alive)


def concerned_segments(
    segments: NDArray[np.void], found: NDArray[np.void]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which segments some removal concerns, and which ones it empties."""
    touched = np.zeros(len(segments), bool)
    emptied = np.zeros(len(segments), bool)
    for start in range(0, len(found), _BLOCK):
        block = found[start : start + _BLOCK, None]
        overlaps = (block["first"] <= segments["last"]) & (block["until"] > segments["first"])
        touched |= (overlaps & (block["version"] > segments["min_added"])).any(axis=0)
        emptied |= (
            (block["first"] <= segments["first"])
            & (block["until"] > segments["last"])
            & (block["version"] > segments["max_added"])
        ).any(axis=0)
    return touched, emptied
