"""Indexed members: how their values are stored in columns, and which rules of filters the columns can answer.

Numbers and strings are stored as they are. The column orders them: numbers first, then strings by code
points. A value without a place in this order is stored as a marker, and markers sort behind all strings. A
database without columns of mixed types would store the number and the string in two columns and compare in
the same way.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..wire.integers import LEAST, MOST
from .nodes import Age, And, Compare, Exists, Filter, In, Json, Member, Not, Or, Regex
from .operands import plain
from .predicate import MIRRORED
from .values import DROP_MEMBERS, ELEMENTS, MISSING, ends_in_value, is_number

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

LONGEST = 512
"""The longest string that is stored as it is. An index entry of PostgreSQL holds 2,700 bytes."""

MOST_ITEMS = 1000
"""The most values of an IN that are written into SQL."""

NULL, FALSE, TRUE, NESTED, LONG = b"\0", b"\1", b"\2", b"\3", b"\4"
"""Markers: null, the booleans, any list or map, and a string that is too long or holds U+0000."""

FIRST_TEXT, FIRST_MARKER = "", b""
"""The least string, which sorts behind all numbers; the least marker, which sorts behind all strings."""

Path = tuple[str, ...]
"""The names of a member below `elems`: ("wind", "gust") for `elems.wind.gust`."""

Slots = Mapping[Path, int]
"""The number of the column that holds a member, by the member's path."""


class Rule(NamedTuple):
    """One rule of a filter as tests of the stored value of one indexed member.

    Attributes:
        slot: the number of the member's column.
        tests: (operator, value) pairs. The stored value must pass all of them. "in" takes a list of values.
        orders_text: whether the tests order strings. A column with a LONG answers them wrongly, because
            a LONG does not sort where its string does.
        exact: whether a value that passes the tests passes the rule. If not, the rule must be tested as well.
    """

    slot: int
    tests: tuple[tuple[str, Any], ...]
    orders_text: bool = False
    exact: bool = True

    @property
    def is_equality(self) -> bool:
        """Whether the rule compares with one value by ==."""
        return self.tests[0][0] == "="


class Column(Protocol):
    """The column of an indexed member in SQL: one column of the database, or what it has in place of one."""

    def exists(self) -> ColumnElement[bool]:
        """The condition that the member is there."""

    def passes(self, rule: Rule) -> ColumnElement[bool]:
        """The condition that the member is there and passes the tests of a rule."""


class Columns(NamedTuple):
    """The columns of a table that hold indexed members, for SQL.

    Attributes:
        slots: the number of each member's column.
        by_slot: the columns by their numbers.
        disordered: the numbers of the columns in which a LONG is stored.
    """

    slots: Slots
    by_slot: Sequence[Column]
    disordered: Collection[int]


@lru_cache(maxsize=4096)
def path_of(parts: Path) -> Path | None:
    """The path of a member below a drop's elements; None if the member is not an element."""
    path = tuple(parts[1:] if parts[0] == ELEMENTS else parts)
    if parts[0] != ELEMENTS and parts[0] in DROP_MEMBERS:
        return None
    return None if not path or ends_in_value((ELEMENTS, *path)) else path


def stored_value(value: Any) -> Any:
    """The stored value: what a member's column holds for a value. None (SQL's null) for MISSING."""
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
    """A rule of a filter as tests of a stored value; None if no index can answer it.

    Args:
        now: ms since the epoch, from which AGE is counted.
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


def can_answer(
    node: Filter, slots: Slots, now: int, disordered: Collection[int], others: Container[str]
) -> bool:
    """Whether the columns answer a whole filter: those of indexed members, and those of the members `others`.

    Args:
        disordered: the numbers of the columns in which a LONG is stored.
    """
    match node:
        case Not(one):
            return can_answer(one, slots, now, disordered, others)
        case And(filters) | Or(filters):
            return all(can_answer(one, slots, now, disordered, others) for one in filters)
        case Compare(left, "!=", value):
            return can_answer(Compare(left, "==", value), slots, now, disordered, others)
        case Age(field, "!=", ms):
            return can_answer(Age(field, "==", ms), slots, now, disordered, others)
        case Exists(member):
            return slot_of(member, slots) is not None
        case Age(None, _, _):
            return "creationDate" in others
        case Compare(Member((name,)), _, value) if name in others:
            return not isinstance(value, (Json, Member))
    found = rule(node, slots, now)
    return found is not None and found.exact and not (found.orders_text and found.slot in disordered)


def literal_start(pattern: str, flags: str) -> str:
    """The text with which every string that matches begins; "" if the pattern does not say."""
    found = _START.match(pattern)
    if found is None or "|" in pattern or set(flags) & set("im"):
        return ""
    start, rest = found[1], pattern[found.end() :]
    if rest[:1] in ("*", "?", "{", "+"):  # it repeats the last character
        start = start[:-1]
    return start[:LONGEST]


_START = re.compile(r"\^([^\\.^$|?*+()\[\]{}\x00]+)")


def slot_of(member: Member, slots: Slots) -> int | None:
    """The number of a member's column; None if the member is not indexed."""
    path = path_of(member.parts)
    return None if path is None else slots.get(path)


def _scalar(item: Any) -> Any:
    """The stored value of an operand; LONG if a column cannot be searched for it."""
    if isinstance(item, (Json, Member)):
        return LONG
    value = plain(item)
    return LONG if type(value) is int and not LEAST <= value <= MOST else stored_value(value)


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
