"""How filters read plain JSON: where a member is, which values are equal, what the types are called.

The predicate uses these functions. The SQL follows the same rules.
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
"""Stands for the value of a member that the document does not have. It equals no value."""

ELEMENTS = "elems"
DROP_MEMBERS = frozenset(
    {
        *("id", "flowId", "path", "creationDate", "creatorId", "lastEditDate", "lastEditorId"),
        *("fhash", "version", "location", "parentDropId", ELEMENTS),
    }
)
"""The members of a drop. Any other first name of a path means an element."""

TYPES = ""
"""The key under which a drop holds the types that its writer stated, such as {"/since": "date"}: a JSON
Pointer into the elements, and the type's name. No member can have an empty name, so this key is free."""

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
"""The types that HAS recognises in plain JSON, by the platform's names."""


def ends_in_value(parts: tuple[str, ...]) -> bool:
    """Whether a path ends in `.value` and may mean the member before it.

    `elems.temp.value` finds the value of `{"temp": {"type": …, "value": 5}}` and of `{"temp": 5}`.
    """
    return len(parts) > (2 if parts[0] == ELEMENTS else 1) and parts[-1] == "value"


def finder(member: Member) -> Callable[[Document], Any]:
    """A function that returns a member's value in a document, or MISSING."""
    parts = member.parts
    if ends_in_value(parts):
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
    """Whether a name may be an index into a list: 0, 1, 2, … without leading zeros."""
    return part.isascii() and part.isdigit() and len(part) < 10 and (part == "0" or part[0] != "0")


def equality_key(value: Any) -> Any:
    """A hashable key: two values are equal exactly if their keys are. 1 equals 1.0, but not true."""
    kind = type(value)
    if kind is str or kind is float or kind is int:
        return value
    if kind is list:
        return list, tuple(map(equality_key, value))
    if kind is dict:
        return dict, frozenset((name, equality_key(item)) for name, item in value.items())
    return kind, value  # true, false, null, MISSING


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether the value is an int or a float, and not a boolean."""
    kind = type(value)
    return kind is float or kind is int


def comparable(one: Any, other: Any) -> bool:
    """Whether two values have an order: both are numbers, or both are strings (ordered by code points)."""
    return (is_number(one) and is_number(other)) or (type(one) is str and type(other) is str)


def remainder(value: int | float, divisor: int | float) -> int | float | Fraction:
    """The exact remainder of a division that rounds towards 0. It has the sign of `value`.

    NaN and infinity, which a database may hold, have the remainder NaN.
    """
    if type(value) is int and type(divisor) is int:
        whole = abs(value) % abs(divisor)
        return -whole if value < 0 else whole
    if type(value) is float and not math.isfinite(value):
        return math.nan
    if type(value) is type(divisor):
        return math.fmod(value, divisor)
    left = abs(_exact(value)) % abs(_exact(divisor))
    return -left if value < 0 else left


def _exact(number: int | float) -> Fraction:
    """The number as a fraction, because a large int would lose digits as a float."""
    return Fraction(*number.as_integer_ratio())
