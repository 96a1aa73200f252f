"""The operands of comparisons: members, typed values, lists and maps, and plain scalars.

Node is the base class of everything in the tree: immutable, hashable, picklable, equal by structure.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, NoReturn

from ..errors import InvalidInput
from .quoting import join_path

MAX_DEPTH = 100
"""The deepest nesting of parentheses, brackets and NOT in a filter's text."""
MAX_PARTS = 50
"""The most names in a member's path."""

_INT64 = 1 << 63
_SURROGATE = re.compile("[\ud800-\udfff]")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def refuse(expected: str, found: object) -> NoReturn:
    """Raise InvalidInput, with what was expected and what was found."""
    raise InvalidInput(f"expected {expected}, not {found}")


class Node:
    """The base class of everything in the tree. Equality and hash compare structure and exact types."""

    __slots__ = ()

    def _key(self) -> tuple[Any, ...]:
        parts = (getattr(self, one.name) for one in fields(self) if one.compare)  # type: ignore[arg-type]
        return (type(self), *map(_exact, parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def _exact(value: Any) -> Any:
    if isinstance(value, Node):
        return value._key()
    if isinstance(value, tuple):
        return tuple(_exact(item) for item in value)
    return type(value), value


@dataclass(frozen=True, slots=True, eq=False)
class Member(Node):
    """A path into a document: `elems.wind.gust` is Member(("elems", "wind", "gust")).

    A part that consists of digits is also an index into a list, from 0.
    """

    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.parts) <= MAX_PARTS:
            refuse(f"a member of 1 to {MAX_PARTS} names", len(self.parts))
        for part in self.parts:
            if not isinstance(part, str) or not part:
                refuse("a name of at least one character", repr(part))
            check_text(part, "a name")

    def __str__(self) -> str:
        return _path(self.parts)


_path = lru_cache(maxsize=1024)(join_path)


@lru_cache(maxsize=1024)
def member_of(parts: tuple[str, ...]) -> Member:
    """The member with these names. Programs name the same members again and again."""
    return Member(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Typed(Node):
    """A value with a stated type: Date(ms) or Date('ISO 8601'), ObjectId('…'), Email('…'), or any other name.

    Documents hold plain values, so a filter compares `plain`: for a Date the milliseconds since the epoch,
    for any other type the value itself.
    """

    name: str
    value: str | int | float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not IDENTIFIER.fullmatch(self.name):
            refuse("a type's name, such as Date or ObjectId", repr(self.name))
        if not is_number(self.value) and not isinstance(self.value, str):
            refuse(f"a number or a string in {self.name}(…)", repr(self.value))
        check_scalar(self.value)
        _ = self.plain

    @property
    def plain(self) -> str | int | float:
        """What a document holds for this value: int milliseconds for a Date, else the value."""
        if self.name != "Date" or not isinstance(self.value, str):
            return self.value
        try:
            moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", self.value))
        except ValueError:
            refuse("a date as 2016-02-29T12:00:00Z or in ms", repr(self.value))
        return milliseconds(moment)


@dataclass(frozen=True, slots=True, eq=False)
class Json(Node):
    """A list or a map as an operand, kept as canonical JSON text (keys sorted, no blanks)."""

    text: str

    @classmethod
    def of(cls, value: list[Any] | dict[str, Any]) -> Json:
        """The operand for plain JSON data. Anything else in the data raises InvalidInput."""
        _check_plain(value, 0)
        return cls(
            json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        )

    @property
    def plain(self) -> Any:
        """The list or map."""
        return json.loads(self.text)


Scalar = str | int | float | bool | None
Operand = Scalar | Typed | Json | Member


def plain(operand: Operand) -> Any:
    """The plain JSON value of an operand that is not a Member."""
    return operand.plain if isinstance(operand, (Typed, Json)) else operand


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down. A naive datetime counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) // 1000


def check_text(value: str, what: str = "a string") -> None:
    """Raise InvalidInput for text with a lone surrogate, which is not Unicode."""
    if not value.isascii() and (found := _SURROGATE.search(value)):
        refuse(f"{what} of Unicode text", f"the lone surrogate {found[0]!a}")


def check_scalar(value: object) -> None:
    """Raise InvalidInput for a number that no document can hold, and for text that is not Unicode."""
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        refuse("a finite number", repr(value))
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        refuse("a whole number of at most 64 bits (or a real one, such as 1e20)", "a larger one")


def check_operand(value: object) -> None:
    """Raise InvalidInput for anything that is not an Operand."""
    if type(value) is str and value.isascii():  # nearly always
        return
    if isinstance(value, (Typed, Json, Member)):
        return
    if value is not None and not isinstance(value, (str, int, float)):
        refuse("a string, number, boolean, null, typed value, list, map or member", type(value).__name__)
    check_scalar(value)


def _check_plain(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        refuse(f"lists and maps nested at most {MAX_DEPTH} deep", "deeper ones")
    if isinstance(value, (list, tuple)):
        for item in value:
            _check_plain(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                refuse("strings as the keys of a map", repr(key))
            check_text(key, "a key")
            _check_plain(item, depth + 1)
    elif isinstance(value, Node):
        refuse("plain values within a list or map", type(value).__name__)
    else:
        check_operand(value)


def is_number(value: object) -> bool:
    """Whether the value is an int or a float. A boolean is not a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_number(value: object, what: str) -> None:
    """Raise InvalidInput unless `value` is a number that a document can hold."""
    if not is_number(value):
        refuse(what, repr(value))
    check_scalar(value)
