"""Points as arrays, their order, and what the merge policies make of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MergePolicy", "Points", "apply_within_batch", "is_in"]


class MergePolicy(IntEnum):
    """What becomes of a new point at a time that has one already."""

    NEVER = 0
    """Both are kept."""
    EQUAL = 1
    """The new point is dropped if its value is the same too."""
    RETAIN = 2
    """The new point is dropped."""
    REPLACE = 3
    """The old point is removed."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of one stream. The arrays have equal lengths.

    Attributes:
        times: nanoseconds since 1970 UTC.
        values: the values.
        added: the version that has added each point.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    added: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def empty(cls) -> Points:
        """No points."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64))

    @classmethod
    def concatenate(cls, parts: Sequence[Points]) -> Points:
        """All points of the parts, one part after the other."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.added for part in parts]),
        )

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Points:
        """Some of the points: where a mask is true, at some places, or within a slice."""
        return Points(self.times[which], self.values[which], self.added[which])

    def in_order(self) -> Points:
        """The points by time; equal times in the order in which they were inserted."""
        times, added = self.times, self.added
        later = times[1:] - times[:-1]
        if not np.any((later < 0) | ((later == 0) & (added[1:] < added[:-1]))):
            return self
        # Within one version the points stand in the order of the batch, and this sort is stable.
        return self.chosen(np.lexsort((added, times)))

    def between(self, start: int, end: int) -> Points:
        """The points of a range, of points that are in order."""
        low, high = np.searchsorted(self.times, [start, end])
        return self if low == 0 and high == len(self) else self.chosen(slice(low, high))


def apply_within_batch(
    times: NDArray[np.int64], values: NDArray[np.float64], policy: MergePolicy
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A batch in the order of its times, equal times as they came, with what the policy keeps of it."""
    if np.any(times[1:] < times[:-1]):
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    if policy is MergePolicy.NEVER or not len(times):
        return times, values
    same = times[1:] == times[:-1]
    if not same.any():
        return times, values
    keep = np.ones(len(times), bool)
    if policy is MergePolicy.RETAIN:
        keep[1:] = ~same
    elif policy is MergePolicy.REPLACE:
        keep[:-1] = ~same
    else:
        order = np.lexsort((values, times))
        sorted_times, sorted_values = times[order], values[order]
        twice = (sorted_times[1:] == sorted_times[:-1]) & (sorted_values[1:] == sorted_values[:-1])
        keep[order[1:][twice]] = False
    return times[keep], values[keep]


def is_in(times: NDArray[np.int64], values: NDArray[np.float64], existing: Points) -> NDArray[np.bool_]:
    """For each new point, whether an existing one has the same time and the same value."""
    near = existing.chosen(np.isin(existing.times, times))
    found = np.zeros(len(times), bool)
    if not len(near):
        return found
    all_times = np.concatenate([near.times, times])
    all_values = np.concatenate([near.values, values])
    is_new = np.arange(len(all_times)) >= len(near)
    order = np.lexsort((is_new, all_values, all_times))
    t, v, new = all_times[order], all_values[order], is_new[order]
    begins = np.ones(len(t), bool)
    begins[1:] = (t[1:] != t[:-1]) | (v[1:] != v[:-1])
    run = np.cumsum(begins) - 1
    has_old = ~new[np.flatnonzero(begins)]
    found[order[new] - len(near)] = has_old[run[new]]
    return found
