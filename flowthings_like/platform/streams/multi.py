"""Joins the points of several streams by their times, which may be snapped to a grid before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .points import Points

__all__ = ["Grid", "Joined", "join"]


@dataclass(frozen=True, slots=True)
class Joined:
    """Points of several streams.

    Attributes:
        times: of all of them, ascending, each once.
        columns: for each stream its values at these times; NaN where it has no point.
    """

    times: NDArray[np.int64]
    columns: list[NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Grid:
    """The multiples of a period in [start, end), to which points are snapped.

    A point goes to the nearest multiple, from exactly between two to the later one. So points from half a
    period before `start` on count; none at `end` or later do.

    Attributes:
        period: nanoseconds; 0 leaves the times as they are.
        start, end: the range.
    """

    period: int
    start: int
    end: int

    @property
    def first(self) -> int:
        """The earliest time of a point that may count."""
        return self.start - self.period // 2

    def cut(self, start: int, wanted: int) -> int:
        """A time after `start` and near `wanted`, between the points of two neighbouring multiples."""
        if not self.period or wanted >= self.end:
            return min(wanted, self.end)
        half = self.period // 2
        edge = (wanted + half) // self.period * self.period - half
        if edge <= start:
            edge = ((start + half) // self.period + 1) * self.period - half
        return min(edge, self.end)

    def snapped(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Times and values with one point at each time: the nearest one, or else the one that came last."""
        times, values = points.times, points.values
        if not self.period:
            last = np.append(times[1:] != times[:-1], True) if len(times) else np.empty(0, bool)
            return times[last], values[last]
        snapped = (times + self.period // 2) // self.period * self.period
        order = np.lexsort((np.abs(times - snapped), snapped))
        snapped, values = snapped[order], values[order]
        first = np.append(True, snapped[1:] != snapped[:-1]) if len(snapped) else np.empty(0, bool)
        first &= (snapped >= self.start) & (snapped < self.end)
        return snapped[first], values[first]


def join(parts: Sequence[Points], grid: Grid) -> Joined:
    """The points of each stream at the times of all."""
    found = [grid.snapped(part) for part in parts]
    times = np.unique(np.concatenate([each for each, _ in found]))
    columns = []
    for own, values in found:
        column = np.full(len(times), np.nan)
        column[np.searchsorted(times, own)] = values
        columns.append(column)
    return Joined(times, columns)
