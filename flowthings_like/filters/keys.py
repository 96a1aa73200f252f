"""Key boxes: the smallest ranges of keys that hold all records which a filter can match.

A store of records is asked for boxes: a range for each field of the key. A filter becomes boxes without
overlaps, and what the boxes cannot say is left to be tested on the records that come.

    found = plan((mem.cid == 1) & (mem.cap >= 5) & (mem.value > 0), fields)
    found.boxes           # one box: cid from 1 to 2, cap from 5, the other fields whole
    found.rest            # mem.value > 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NoReturn

from .boxes import Box, fewer, intersection, joined, union
from .nodes import (
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    In,
    Inside,
    Member,
    Not,
    Or,
    Regex,
    Within,
)
from .operands import plain
from .predicate import MIRRORED
from .target import cannot, split
from .values import is_number
from .whole_numbers import Range, range_of

__all__ = ["MOST_BOXES", "Fields", "KeyPlan", "plan"]

MOST_BOXES = 32
"""The most boxes of a plan, each of which is a request. If there are more, near ones become one."""

_MOST_PIECES = 2 * MOST_BOXES  # boxes on the way to a plan

Fields = Mapping[str, tuple[int, int]]
"""The fields of a key, each with its lowest number and the one behind its highest number."""


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What to ask a store of records for, and what to test on the records that come.

    Attributes:
        boxes: without overlaps, sorted, at most MOST_BOXES. Without a box no record can match.
        rest: the filter to test; None if all records in the boxes match.
    """

    boxes: Sequence[Box]
    rest: Filter | None


def plan(node: Filter, fields: Fields, *, now: int = 0, partial: bool = True) -> KeyPlan:
    """The boxes of a filter, and the rest.

    Args:
        node: the filter. Its members are the fields, and any others.
        fields: the fields of the keys, each of which is a whole number.
        now: ms since the epoch, from which AGE is counted.
        partial: whether a rest is allowed.

    Raises:
        CannotFilter: boxes cannot say the filter, and `partial` is False.
    """
    regions = _Regions(fields, now)
    parts = split(node, regions.check, partial=partial)
    found = regions.of(node, True)
    if not found.boxes:
        return KeyPlan([], None)
    return KeyPlan(found.boxes, node if found.is_coarse else parts.rest)


@dataclass(frozen=True, slots=True)
class _Region:
    """Boxes that hold all keys that a filter can match.

    Attributes:
        is_exact: whether the filter matches all records in the boxes.
        is_coarse: whether boxes were put together to have fewer, and some of the keys do not match.
    """

    boxes: list[Box]
    is_exact: bool = True
    is_coarse: bool = False


class _Regions:
    """Makes regions of the filters for one kind of key."""

    def __init__(self, fields: Fields, now: int) -> None:
        self.fields = fields
        self.now = now
        self.low = tuple(low for low, _ in fields.values())
        self.high = tuple(high for _, high in fields.values())

    def check(self, node: Filter) -> None:
        """Raise CannotFilter if boxes do not say a filter exactly."""
        found = self.of(node, True)
        if found.is_coarse:
            cannot(
                "A range of keys", node, f"would have to be more than {MOST_BOXES} ranges; give fewer values"
            )
        if not found.is_exact:
            self._refuse(node)

    def _refuse(self, node: Filter) -> NoReturn:
        names = ", ".join(self.fields)
        cannot("A range of keys", node, f"holds the numbers of {names} alone: compare them with == < > or IN")

    def of(self, node: Filter, wanted: bool) -> _Region:
        """The region of a filter, or if not `wanted` that of its negation."""
        match node:
            case Not(one):
                return self.of(one, not wanted)
            case And(filters) | Or(filters):
                join = self._and if isinstance(node, And) == wanted else self._or
                return reduce(join, [self.of(one, wanted) for one in filters])
            case Compare(left, "!=", value):
                return self.of(Compare(left, "==", value), not wanted)
            case Age(field, "!=", ms):
                return self.of(Age(field, "==", ms), not wanted)
        place, ranges = self._rule(node)
        if ranges is None:
            return self._all(is_exact=False)
        if place is None:
            return _Region([]) if wanted else self._all()
        return self._along(place, ranges if wanted else self._others(place, ranges))

    def _all(self, is_exact: bool = True) -> _Region:
        return _Region([Box(self.low, self.high)], is_exact)

    # Rules

    def _rule(self, node: Filter) -> tuple[int | None, list[Range] | None]:
        """The field of a rule and the ranges in which the rule holds.

        No field, and no range: the rule never holds. None in place of the ranges: keys do not say.
        """
        match node:
            case Compare(left, op, value) if not isinstance(value, Member):
                wanted = plain(value)
                return self._in_field(left, [range_of(op, wanted)] if is_number(wanted) else [])
            case In(left, items) if not any(isinstance(item, Member) for item in items):
                numbers = [value for value in map(plain, items) if is_number(value)]
                return self._in_field(left, [range_of("==", number) for number in numbers])
            case Age(Member() as field, op, ms):
                return self._in_field(field, [range_of(MIRRORED[op], self.now - ms)])
            case Exists(member):
                return self._in_field(member, [Range(None, None)])
            case Regex(left) | Contains(left) | Within(left) | Inside(left):
                return self._in_field(left, [])  # for texts, lists and maps only
        return None, None

    def _in_field(self, member: Member, ranges: list[Range]) -> tuple[int | None, list[Range] | None]:
        first, *inner = member.parts
        if first not in self.fields:
            return None, None
        if any(part != "value" for part in inner):
            return None, []  # a number has no members
        return list(self.fields).index(first), ranges

    # Ranges of one field

    def _along(self, place: int, ranges: list[Range]) -> _Region:
        found = _merged(ranges, self.low[place], self.high[place])
        kept = _with_widest_gaps(found, MOST_BOXES)
        boxes = [
            Box(
                (*self.low[:place], low, *self.low[place + 1 :]),
                (*self.high[:place], high, *self.high[place + 1 :]),
            )
            for low, high in kept
        ]
        return _Region(boxes, len(kept) == len(found), len(kept) < len(found))

    def _others(self, place: int, ranges: list[Range]) -> list[Range]:
        """The ranges between those of a field."""
        found = _merged(ranges, self.low[place], self.high[place])
        ends = [self.low[place], *(end for pair in found for end in pair), self.high[place]]
        return [Range(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True)]

    # Regions together

    def _and(self, one: _Region, other: _Region) -> _Region:
        mine, theirs = one.boxes, other.boxes
        while len(boxes := intersection(mine, theirs)) > _MOST_PIECES:
            if len(mine) > len(theirs):
                mine = fewer(mine, len(mine) // 2)
            else:
                theirs = fewer(theirs, len(theirs) // 2)
        is_coarse = len(mine) < len(one.boxes) or len(theirs) < len(other.boxes)
        return self._together(one, other, joined(boxes), is_coarse)

    def _or(self, one: _Region, other: _Region) -> _Region:
        boxes = union(one.boxes, other.boxes, _MOST_PIECES)
        if boxes is None:
            return self._together(one, other, fewer([*one.boxes, *other.boxes], MOST_BOXES), is_coarse=True)
        return self._together(one, other, boxes)

    def _together(self, one: _Region, other: _Region, boxes: list[Box], is_coarse: bool = False) -> _Region:
        if not boxes:
            return _Region([])
        kept = boxes if len(boxes) <= MOST_BOXES else fewer(boxes, MOST_BOXES)
        is_coarse = is_coarse or one.is_coarse or other.is_coarse or len(kept) < len(boxes)
        return _Region(kept, one.is_exact and other.is_exact and not is_coarse, is_coarse)


def _merged(ranges: list[Range], least: int, above: int) -> list[tuple[int, int]]:
    """The ranges within these bounds, sorted; those that overlap or touch have become one."""
    bounded = sorted(
        (least if low is None else max(low, least), above if high is None else min(high, above))
        for low, high in ranges
    )
    found: list[tuple[int, int]] = []
    for low, high in bounded:
        if low >= high:
            continue
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def _with_widest_gaps(ranges: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most that many ranges that hold the given ones: the widest gaps between them are kept."""
    if len(ranges) <= most:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda place: ranges[place - 1][1] - ranges[place][0])
    starts = [0, *sorted(gaps[: most - 1])]
    return [
        (ranges[start][0], ranges[end - 1][1])
        for start, end in zip(starts, [*starts[1:], len(ranges)], strict=True)
    ]
