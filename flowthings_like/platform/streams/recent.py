"""The points of a stream that came last: a copy in memory of what the table `recent` has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .points import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recent"]

_SMALLEST = 64


class _Buffer:
    """Arrays with room for more points."""

    __slots__ = ("added", "times", "values")

    def __init__(self, capacity: int) -> None:
        self.times = np.empty(capacity, np.int64)
        self.values = np.empty(capacity, np.float64)
        self.added = np.empty(capacity, np.int64)


class Recent:
    """Points in the order in which they came. It never changes.

    Appending makes another one, which shares the arrays: what stands behind `count` belongs to nobody. So
    only one thread may append, and always to the last one that was made, or to one whose successors were
    dropped.
    """

    __slots__ = ("_buffer", "_sorted", "count")

    def __init__(self, buffer: _Buffer | None = None, count: int = 0) -> None:
        self._buffer = _Buffer(0) if buffer is None else buffer
        self._sorted: Points | None = None
        self.count = count

    def __len__(self) -> int:
        return self.count

    @classmethod
    def of(cls, points: Points) -> Recent:
        """These points."""
        return cls().appended(points.times, points.values, points.added)

    def appended(
        self, times: NDArray[np.int64], values: NDArray[np.float64], added: NDArray[np.int64]
    ) -> Recent:
        """These points and more."""
        start, end = self.count, self.count + len(times)
        buffer = self._buffer
        if end > len(buffer.times):
            buffer = _Buffer(max(_SMALLEST, 2 * end))
            buffer.times[:start] = self._buffer.times[:start]
            buffer.values[:start] = self._buffer.values[:start]
            buffer.added[:start] = self._buffer.added[:start]
        buffer.times[start:end] = times
        buffer.values[start:end] = values
        buffer.added[start:end] = added
        return Recent(buffer, end)

    def points(self) -> Points:
        """The points in the order of their times."""
        found = self._sorted
        if found is None:
            buffer, count = self._buffer, self.count
            unsorted = Points(buffer.times[:count], buffer.values[:count], buffer.added[:count])
            found = self._sorted = unsorted.in_order()
        return found
