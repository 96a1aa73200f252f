"""Boxes of whole numbers, and regions that consist of boxes without overlaps.

A box has a range in each dimension: from `low` up to and without `high`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import prod

__all__ = ["Box", "fewer", "intersection", "joined", "union"]

Corner = tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """The points p with low[i] <= p[i] < high[i] in each dimension i. It has at least one point."""

    low: Corner
    high: Corner

    def __contains__(self, point: Corner) -> bool:
        return all(low <= one < high for low, one, high in zip(self.low, point, self.high, strict=True))

    def overlap(self, other: Box) -> Box | None:
        """The box that both have in common; None if there is none."""
        low = tuple(map(max, self.low, other.low))
        high = tuple(map(min, self.high, other.high))
        return Box(low, high) if all(map(int.__lt__, low, high)) else None

    def hull(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(tuple(map(min, self.low, other.low)), tuple(map(max, self.high, other.high)))

    def meets(self, other: Box) -> bool:
        """Whether the two make a box together: they differ in one dimension, and touch there."""
        differing = [
            place
            for place, mine in enumerate(zip(self.low, self.high, strict=True))
            if mine != (other.low[place], other.high[place])
        ]
        if len(differing) != 1:
            return False
        (place,) = differing
        return self.high[place] == other.low[place] or other.high[place] == self.low[place]

    @property
    def size(self) -> int:
        """How many points it has."""
        return prod(high - low for low, high in zip(self.low, self.high, strict=True))

    def without(self, other: Box) -> Iterator[Box]:
        """Boxes without overlaps that have the points of this box that the other does not have."""
        common = self.overlap(other)
        if common is None:
            yield self
            return
        left = self
        for place in range(len(self.low)):
            if left.low[place] < common.low[place]:
                yield Box(left.low, _with(left.high, place, common.low[place]))
            if common.high[place] < left.high[place]:
                yield Box(_with(left.low, place, common.high[place]), left.high)
            left = Box(_with(left.low, place, common.low[place]), _with(left.high, place, common.high[place]))


def _with(corner: Corner, place: int, value: int) -> Corner:
    return (*corner[:place], value, *corner[place + 1 :])


def intersection(one: Iterable[Box], other: Iterable[Box]) -> list[Box]:
    """The points that two regions have in common."""
    theirs = list(other)
    return [common for box in one for each in theirs if (common := box.overlap(each)) is not None]


def union(one: Iterable[Box], other: Iterable[Box], most: int) -> list[Box] | None:
    """The points of two regions. None if that takes more boxes than `most`."""
    found = list(one)
    for box in other:
        pieces = [box]
        for known in found:
            pieces = [rest for piece in pieces for rest in piece.without(known)]
            if len(pieces) > most:
                return None
        found += pieces
        if len(found) > most:
            return None
    return joined(found)


def joined(region: list[Box]) -> list[Box]:
    """The same region, in which two boxes that make a box together have become one. Sorted."""
    found = sorted(region)
    size = len(found) + 1
    while len(found) < size:
        size = len(found)
        left: list[Box] = []
        for box in found:
            whole = box
            for place, known in enumerate(left):
                if known.meets(box):
                    whole = known.hull(box)
                    del left[place]
                    break
            left.append(whole)
        found = left
    return sorted(found)


def fewer(region: list[Box], most: int) -> list[Box]:
    """A region of at most that many boxes that holds the given boxes, and few other points.

    The given boxes may overlap.
    """
    found: list[Box] = []
    for box in region:
        found = _absorb(found, box)
    found.sort()
    while (excess := len(found) - most) > 0:
        added = [one.hull(other).size - one.size - other.size for one, other in pairwise(found)]
        places = sorted(range(len(added)), key=added.__getitem__)[: (excess + 1) // 2]
        hulls = [found[place].hull(found[place + 1]) for place in places]
        for hull in hulls:
            found = _absorb(found, hull)
        found.sort()
    return found


def _absorb(found: list[Box], box: Box) -> list[Box]:
    """Boxes without overlaps that hold the given ones, which have no overlaps, and another box."""
    hull, left = box, found
    while True:
        touched = [known for known in left if known.overlap(hull) is not None]
        if not touched:
            return [*left, hull]
        left = [known for known in left if known not in touched]
        hull = reduce(Box.hull, touched, hull)
