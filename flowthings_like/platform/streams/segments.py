"""Segments: how points are divided for the database, and the statistics that are kept of each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .statistics import Statistics, merge, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .points import Points

__all__ = [
    "SEGMENT",
    "SEGMENT_POINTS",
    "STEP",
    "Segment",
    "cut",
    "levels_for",
    "no_segments",
    "runs",
    "with_segments",
]

SEGMENT_POINTS = 65_536
"""Points in one segment, at most."""

STEP = 4
"""Between two levels of rollups: a window of the next one is 16 times as wide."""

_POINTS_IN_WINDOW = 512
"""About how many points a window of the lowest level has."""

_WIDEST = 62

SEGMENT = np.dtype(
    [
        ("id", np.int64),
        ("first", np.int64),
        ("last", np.int64),
        ("count", np.int64),
        ("min_added", np.int64),
        ("max_added", np.int64),
        ("base", np.int64),
        ("top", np.int64),
    ]
)
"""A segment: its id, its first and last time, how many points it has, the lowest and the highest version that
have added one of them, and the lowest and the highest level of its rollups. A level is the exponent of a
width in ns."""


def no_segments() -> NDArray[np.void]:
    """An empty array of segments."""
    return np.empty(0, SEGMENT)


def with_segments(segments: NDArray[np.void], more: NDArray[np.void]) -> NDArray[np.void]:
    """The segments of both arrays, by the first time."""
    if not len(more):
        return segments
    found = np.concatenate([segments, more])
    return found[np.argsort(found["first"], kind="stable")]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment before it is written.

    Attributes:
        points: in order.
        rollups: by their levels, the lowest first.
    """

    points: Points
    rollups: dict[int, Statistics]

    def row(self, id: int) -> tuple[int, ...]:
        """Its row of SEGMENT."""
        times, added = self.points.times, self.points.added
        levels = list(self.rollups)
        return (
            id,
            int(times[0]),
            int(times[-1]),
            len(times),
            int(added.min()),
            int(added.max()),
            levels[0],
            levels[-1],
        )


def cut(points: Points) -> Iterator[Segment]:
    """Points that are in order, divided into segments of about the same size."""
    parts = -(-len(points) // SEGMENT_POINTS)
    for part in range(parts):
        low, high = (len(points) * edge // parts for edge in (part, part + 1))
        chosen = points.chosen(slice(low, high))
        yield Segment(chosen, _roll_up(chosen))


def levels_for(segments: NDArray[np.void], point_width: int) -> NDArray[np.int64]:
    """For each segment, the highest level of its rollups that is not above `point_width`; -1 if all are."""
    base, top = segments["base"], segments["top"]
    levels = np.minimum(base + (point_width - base) // STEP * STEP, top)
    return np.where(base <= point_width, levels, -1)


def runs(ids: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """The first and the last id of each run of consecutive ids; the database finds such a run at once."""
    ids = np.sort(ids)
    edges = np.flatnonzero(np.diff(ids) != 1) + 1
    for part in np.split(ids, edges):
        if len(part):
            yield int(part[0]), int(part[-1])


def _roll_up(points: Points) -> dict[int, Statistics]:
    times = points.times
    span = int(times[-1]) - int(times[0]) + 1
    wanted = max(1, span * _POINTS_IN_WINDOW // len(points))
    level = min((wanted - 1).bit_length(), _WIDEST)
    found = {level: summarize(times >> level << level, points.values)}
    while len(found[level]) > 2 and level + STEP <= _WIDEST:
        lower = found[level]
        level += STEP
        found[level] = merge([lower], [lower.times >> level << level])
    return found
