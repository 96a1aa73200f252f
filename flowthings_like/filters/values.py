"""What filters say of plain JSON: where a member is, when two values are equal, what their types are called.

The predicate works by these rules, and SQL by the same ones in the database's words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeGuard

from .operands import Member

Document = Mapping[str, Any]
"""A plain drop (top-level members and `elems`) or a plain resource."""

MISSING: Any = object()
"""What a member that is not there reads as. Equal to nothing."""

ELEMENTS = "elems"
DROP_MEMBERS = frozenset(
    {
        *("id", "flowId", "path", "creationDate", "creatorId", "lastEditDate", "lastEditorId"),
        *("fhash", "version", "location", "parentDropId", ELEMENTS),
    }
)
"""A drop's own members. Any other name, bare, is one of its elements."""

TYPES = ""
"""Where a drop carries its stated types for a filter: no member can have this name. Of an element's path as a
JSON Pointer to the type's name, {"/since": "date"}."""

TYPE_NAMES: dict[str, type] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": float,
    "map": dict,
    "sortedMap": dict,
    "list": list,
    "set": list,
    "sortedSet": list,
    "null": type(None),
}
"""The types HAS can tell from plain JSON, by the platform's names."""


def transparent(parts: tuple[str, ...]) -> bool:
    """Whether a path ends in a `.value` that may mean the member before it (the typed form's wrapper)."""
    return len(parts) > (2 if parts[0] == ELEMENTS else 1) and parts[-1] == "value"


def finder(member: Member) -> Callable[[Document], Any]:
    """A function that reads a member from a document: its value, or MISSING."""
    parts = member.parts
    if transparent(parts):
        wrapped, outer = _walker(parts), finder(Member(parts[:-1]))

        def unwrapped(document: Document) -> Any:
            value = wrapped(document)
            return outer(document) if value is MISSING else value

        return unwrapped
    return _walker(parts)


def _walker(parts: tuple[str, ...]) -> Callable[[Document], Any]:
    name = parts[-1]
    if len(parts) == 1:
        if name in DROP_MEMBERS:
            return lambda document: document.get(name, MISSING)
        return lambda document: document.get(ELEMENTS, document).get(name, MISSING)
    if len(parts) == 2 and parts[0] == ELEMENTS:

        def element(document: Document) -> Any:
            elems = document.get(ELEMENTS)
            return elems.get(name, MISSING) if type(elems) is dict else MISSING

        return element

    first, rest = _walker(parts[:1]), parts[1:]

    def deep(document: Document) -> Any:
        value = first(document)
        for part in rest:
            if type(value) is dict:
                value = value.get(part, MISSING)
            elif type(value) is list and is_index(part) and int(part) < len(value):
                value = value[int(part)]
            else:
                return MISSING
        return value

    return deep


def is_index(part: str) -> bool:
    """Whether a name also counts into a list: 0, 1, 2, … without leading zeros."""
    return part.isascii() and part.isdigit() and len(part) < 10 and (part == "0" or part[0] != "0")


def key(value: Any) -> Any:
    """A hashable stand-in: two values are equal where their keys are. 1 equals 1.0, but not true."""
    kind = type(value)
    if kind is str or kind is float or kind is int:
        return value
    if kind is list:
        return list, tuple(map(key, value))
    if kind is dict:
        return dict, frozenset((name, key(item)) for name, item in value.items())
    return kind, value  # true, false, null, MISSING


def is_number(value: Any) -> TypeGuard[int | float]:
    """An int or float, not a boolean."""
    kind = type(value)
    return kind is float or kind is int


def comparable(one: Any, other: Any) -> bool:
    """Whether two values have an order: both numbers, or both strings (by code points)."""
    return (is_number(one) and is_number(other)) or (type(one) is str and type(other) is str)


def remainder(value: int | float, divisor: int | float) -> int | float | Fraction:
    """What a division rounding towards 0 leaves, with the sign of `value`. Exact."""
    if type(value) is int and type(divisor) is int:
        whole = abs(value) % abs(divisor)
        return -whole if value < 0 else whole
    if type(value) is type(divisor):
        return math.fmod(value, divisor)
    left = abs(_exact(value)) % abs(_exact(divisor))
    return -left if value < 0 else left


def _exact(number: int | float) -> Fraction:
    """As a fraction: a large int as a float would be another number."""
    return Fraction(*number.as_integer_ratio())
