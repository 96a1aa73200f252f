"""Puts the points of several streams into rows, by their times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .points import Points, RawPoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["AlignedColumn", "AlignedTable", "align", "snap"]

STATISTICS = ("min", "mean", "max", "count", "stddev")


@dataclass(frozen=True, slots=True)
class AlignedColumn:
    """One column of a table.

    Attributes:
        stream: the number of the stream.
        statistic: which one of STATISTICS; "" for raw values.
        values: one for each row; 0 where there is none.
        is_present: which rows have a value; None if all have.
    """

    stream: int
    statistic: str
    values: NDArray[Any]
    is_present: NDArray[np.bool_] | None

    def with_nan(self) -> NDArray[Any]:
        """The values with NaN where there is none; of float64 then."""
        if self.is_present is None:
            return self.values
        return np.where(self.is_present, self.values.astype("f8"), np.nan)

    def as_objects(self) -> list[Any]:
        """The values as Python's numbers, with None where there is none."""
        values: list[Any] = self.values.tolist()
        if self.is_present is None:
            return values
        return [value if has else None for value, has in zip(values, self.is_present.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class AlignedTable:
    """Rows of points with equal times.

    Attributes:
        times: of the rows, in nanoseconds since 1970 UTC, in order.
        columns: one for each stream, or for each statistic of each stream.
    """

    times: NDArray[np.int64]
    columns: list[AlignedColumn]

    @classmethod
    def of(cls, parts: Sequence[Points[Any]], statistics: Sequence[str]) -> AlignedTable:
        """The table of the points of several streams.

        Args:
            statistics: which of the columns of StatPoints.
        """
        times, places = align([part.times for part in parts])
        columns = []
        for number, (part, place) in enumerate(zip(parts, places, strict=True)):
            has_all = len(place) == len(times)
            is_present = None
            if not has_all:
                is_present = np.zeros(len(times), bool)
                is_present[place] = True
            names = [""] if isinstance(part, RawPoints) else statistics
            for name in names:
                source = part.columns[part.COLUMNS.index(name or "value")]
                values = np.zeros(len(times), source.dtype)
                values[place] = source
                columns.append(AlignedColumn(number, name, values, is_present))
        return cls(times, columns)


def align(columns: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], list[NDArray[np.intp]]]:
    """The rows for points of several streams.

    Points with equal times stand in one row. If a stream has several points with one time, the second ones
    of all streams stand in a second row, and so on.

    Args:
        columns: the times of each stream's points, in order.

    Returns:
        The times of the rows, and for each stream the rows in which its points stand.
    """
    ranks = [np.arange(len(times)) - np.searchsorted(times, times) for times in columns]
    if not any(rank.any() for rank in ranks):
        rows = np.unique(np.concatenate(columns)) if columns else np.empty(0, "i8")
        return rows, [np.searchsorted(rows, times) for times in columns]
    keys = np.empty(sum(map(len, columns)), [("time", "i8"), ("rank", "i8")])
    keys["time"], keys["rank"] = np.concatenate(columns), np.concatenate(ranks)
    unique, inverse = np.unique(keys, return_inverse=True)
    ends = np.cumsum([len(times) for times in columns])[:-1]
    return unique["time"].copy(), np.split(inverse.reshape(-1), ends)


def snap(points: RawPoints, period: int, start: int, end: int) -> RawPoints:
    """Move points to the nearest multiples of a period; halves go up. The closest one to each multiple stays.

    Args:
        points: those from half a period before `start` up to `end`, without it.
        start, end: multiples outside are left out.
    """
    nearest = _round(points.times, period)
    inside = (nearest >= start) & (nearest < end)
    times, values = nearest[inside], points.values[inside]
    distance = np.abs(points.times[inside] - times)
    order = np.lexsort((np.arange(len(times)), distance, times))
    is_first = np.ones(len(order), bool)
    is_first[1:] = times[order][1:] != times[order][:-1]
    kept = order[is_first]
    return RawPoints(times[kept], values[kept], points.version)


def _round(times: NDArray[np.int64], period: int) -> NDArray[np.int64]:
    below = times // period * period
    rounded: NDArray[np.int64] = below + period * (2 * (times - below) >= period)
    return rounded
