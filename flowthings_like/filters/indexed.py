"""Indexed members: how a value is kept in a column of its own, and which comparisons find it there.

Numbers and strings are kept as they are. One column then orders a member's values: numbers first, then
strings by code points. What has no place in that order is kept as a marker, which sorts behind all strings.
A database without columns of mixed types keeps the number and the string in two columns and compares alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .nodes import Age, And, Compare, Exists, Filter, In, Json, Member, Not, Or, Regex
from .operands import plain
from .predicate import MIRRORED
from .values import DROP_MEMBERS, ELEMENTS, MISSING, is_number, transparent

LONGEST = 512
"""Most characters of a string that is kept as it is: an index entry of PostgreSQL holds 2,700 bytes."""

MOST_ITEMS = 1000
"""Most values of an IN that are looked up."""

NULL, FALSE, TRUE, NESTED, LONG = b"\0", b"\1", b"\2", b"\3", b"\4"
"""Markers: null, the truth values, any list or map, and a string that is too long or holds U+0000."""

FIRST_TEXT, FIRST_MARKER = "", b""
"""What sorts behind every number and not behind any string; behind every string and not any marker."""

_LEAST, _MOST = -(2**63), 2**63 - 1

Path = tuple[str, ...]
"""Names from an element downwards: ("wind", "gust") for `elems.wind.gust`."""

Slots = Mapping[Path, int]
"""The number of the column that holds a member, by the member's path."""


class Columns(NamedTuple):
    """The columns of a table that hold indexed members, for SQL.

    Attributes:
        slots: which member each number means.
        by_slot: the columns, by number.
        disordered: the numbers of those that hold a LONG.
    """

    slots: Slots
    by_slot: Sequence[Any]
    disordered: Collection[int]


class Rule(NamedTuple):
    """What one rule of a filter says about one indexed member.

    Attributes:
        slot: the member's column.
        tests: (operator, value) pairs that the kept value passes, all of them; "in" takes a list of values.
        orders_text: whether it is wrong where the column holds a LONG, which has lost its place.
        exact: whether nothing but the tests must hold; if not, the rule must be looked at besides.
    """

    slot: int
    tests: tuple[tuple[str, Any], ...]
    orders_text: bool = False
    exact: bool = True

    @property
    def is_equality(self) -> bool:
        """Whether it asks for one value."""
        return self.tests[0][0] == "="


@lru_cache(maxsize=4096)
def path_of(parts: Path) -> Path | None:
    """The path below a drop's elements that a member's name means; None if it is no element's."""
    path = tuple(parts[1:] if parts[0] == ELEMENTS else parts)
    if parts[0] != ELEMENTS and parts[0] in DROP_MEMBERS:
        return None
    return None if not path or transparent((ELEMENTS, *path)) else path


def kept(value: Any) -> Any:
    """What the column of an indexed member holds for a value; None, which is SQL's null, if it is MISSING."""
    kind = type(value)
    if kind is str:
        return value if len(value) <= LONGEST and "\0" not in value else LONG
    if kind is float or kind is int:
        return value
    if value is None:
        return NULL
    if kind is bool:
        return TRUE if value else FALSE
    return None if value is MISSING else NESTED


def rule(node: Filter, slots: Slots, now: int) -> Rule | None:
    """A rule of a filter as tests of a kept value; None if no index can answer it.

    Args:
        now: ms since the epoch, what AGE counts from.
    """
    match node:
        case Compare(left, op, value) if (slot := slot_of(left, slots)) is not None:
            return _compare(slot, op, value)
        case In(left, items) if (slot := slot_of(left, slots)) is not None:
            wanted = [_scalar(item) for item in items]
            usable = 0 < len(wanted) <= MOST_ITEMS and LONG not in wanted
            return Rule(slot, (("in", wanted),)) if usable else None
        case Age(Member() as field, op, ms) if (slot := slot_of(field, slots)) is not None:
            return _compare(slot, MIRRORED[op], now - ms)
        case Regex(left, pattern, flags) if (slot := slot_of(left, slots)) is not None:
            start = literal_start(pattern, flags)
            return None if not start else Rule(slot, _beginning_with(start), orders_text=True, exact=False)
    return None


def is_kept(
    node: Filter, slots: Slots, now: int, disordered: Collection[int], others: Container[str]
) -> bool:
    """Whether a filter reads nothing but indexed members, and the members `others`, in ways that they answer.

    Args:
        disordered: columns that hold a LONG.
    """
    match node:
        case Not(one):
            return is_kept(one, slots, now, disordered, others)
        case And(filters) | Or(filters):
            return all(is_kept(one, slots, now, disordered, others) for one in filters)
        case Compare(left, "!=", value):
            return is_kept(Compare(left, "==", value), slots, now, disordered, others)
        case Age(field, "!=", ms):
            return is_kept(Age(field, "==", ms), slots, now, disordered, others)
        case Exists(member):
            return slot_of(member, slots) is not None
        case Age(None, _, _):
            return "creationDate" in others
        case Compare(Member((name,)), _, value) if name in others:
            return not isinstance(value, (Json, Member))
    found = rule(node, slots, now)
    return found is not None and found.exact and not (found.orders_text and found.slot in disordered)


def literal_start(pattern: str, flags: str) -> str:
    """The text that every match of a pattern begins with, from the start of the string; "" if unknown."""
    found = _START.match(pattern)
    if found is None or "|" in pattern or set(flags) & set("im"):
        return ""
    start, rest = found[1], pattern[found.end() :]
    if rest[:1] in ("*", "?", "{", "+"):  # about the last character
        start = start[:-1]
    return start[:LONGEST]


_START = re.compile(r"\^([^\\.^$|?*+()\[\]{}\x00]+)")


def slot_of(member: Member, slots: Slots) -> int | None:
    """The number of a member's column; None if it is not indexed."""
    path = path_of(member.parts)
    return None if path is None else slots.get(path)


def _scalar(item: Any) -> Any:
    """What is kept for an operand; LONG if it cannot be looked up."""
    if isinstance(item, (Json, Member)):
        return LONG
    value = plain(item)
    return LONG if type(value) is int and not _LEAST <= value <= _MOST else kept(value)


def _compare(slot: int, op: str, value: Any) -> Rule | None:
    found = _scalar(value)
    if found is LONG or op == "!=":
        return None
    if op == "==":
        return Rule(slot, (("=", found),))
    if type(found) is str:
        bounds = ((op, found), (">=", FIRST_TEXT) if op[0] == "<" else ("<", FIRST_MARKER))
        return Rule(slot, bounds, orders_text=True)
    if is_number(found):
        return Rule(slot, ((op, found),) if op[0] == "<" else ((op, found), ("<", FIRST_TEXT)))
    return None


def _beginning_with(start: str) -> tuple[tuple[str, Any], ...]:
    for length in range(len(start), 0, -1):
        last = ord(start[length - 1])
        if last < 0x10FFFF:
            after = 0xE000 if last == 0xD7FF else last + 1  # surrogates are no characters
            return ((">=", start), ("<", start[: length - 1] + chr(after)))
    return ((">=", start), ("<", FIRST_MARKER))
