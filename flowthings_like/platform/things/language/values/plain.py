"""Converts values to plain data, which results are made of, and plain data to values."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .....wire.things import errors
from .. import limits
from .numbers import INT_MAX, INT_MIN
from .types import (
    TYPE_NAMES,
    Closure,
    Failure,
    List,
    Regex,
    Room,
    Thing,
    ThingSet,
    Timeval,
    Value,
    frozen,
    owned,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["NO_IDS", "date_text", "load", "result_depth", "serialise", "shows_ids"]

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})


def serialise(
    value: Value, depth: int = 1, ids: bool = True, spend: Callable[[int], None] | None = None
) -> Any:
    """Return the value as None, bool, int, float, str, bytes, list or dict.

    Args:
        depth: levels of things that are shown, 0 to 127. A thing below is {"#": id}, or {} if not stored.
        ids: whether stored things show their id, under the key `#`.
        spend: called with the cost of the parts in steps: 1 for each, more for a long text.

    Raises:
        ResultTooLargeError: `spend` is None, and the cost is more than MAX_VALUES.
    """
    if type(value) in _PLAIN:
        return value
    return _Serializer(ids, spend).plain(value, depth)


class _Serializer:
    def __init__(self, ids: bool, spend: Callable[[int], None] | None) -> None:
        self._ids = ids
        self._left = limits.MAX_VALUES
        self._spend = spend or self._count
        self._within: set[int] = set()

    def plain(self, value: Value, depth: int) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is List or kind is tuple or kind is ThingSet:
            self._spend(cost(value))
            return [item if type(item) in _PLAIN else self.plain(item, depth) for item in value]
        if kind is Thing:
            return self._thing(value, depth)
        if kind is Room:
            return str(value)
        if kind is Closure or kind is Regex:
            return value.text
        if kind is Failure:
            return value.message
        if kind is datetime:
            return date_text(value)
        if kind is Timeval:
            return int(value.timestamp())
        return value  # mpdata is plain already

    def _thing(self, thing: Thing, depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {"#": thing.id} if self._ids and thing.id is not None else {}
        if depth <= 0 or id(thing) in self._within:
            return shown
        self._spend(cost(thing.props.values()))
        self._within.add(id(thing))
        for name, value in thing.props.items():
            shown[name] = value if type(value) in _PLAIN else self.plain(value, depth - 1)
        self._within.discard(id(thing))
        return shown

    def _count(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise errors.ResultTooLargeError(f"expected a result of at most {limits.MAX_VALUES} values")


def cost(values: Collection[Value]) -> int:
    """Return the cost of values in a result: 1 for each, and 1 for every 64 characters of a text."""
    return len(values) + sum(
        len(value) >> 6 for value in values if type(value) is str or type(value) is bytes
    )


def date_text(moment: datetime) -> str:
    """Return a datetime as a result shows it: 2020-01-02T00:00:00Z, or with an offset such as +0100."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return text + ("Z" if moment.tzinfo is timezone.utc else moment.strftime("%z"))


def load(plain: Any, depth: int = 0) -> Value:
    """Return the value of plain data: dicts become things, lists become lists.

    Raises:
        TypeError: a key of a map is no str, or the language has no such type.
        ValueError: a map has the key `#`, which is reserved for ids; or the data is nested too deep.
        OverflowError: an int has more than 64 bits.
    """
    kind = type(plain)
    if depth > limits.MAX_DEPTH:
        raise errors.ValueError(f"expected at most {limits.MAX_DEPTH} lists and maps within each other")
    if kind is list:
        return List([frozen(load(item, depth + 1)) for item in plain])
    if kind is dict:
        thing = Thing()
        for key, value in plain.items():
            thing.props[_key(key)] = owned(load(value, depth + 1), thing)
        return thing
    if kind is int and not INT_MIN <= plain <= INT_MAX:
        raise errors.OverflowError(f"expected an int of 64 bits, not {plain}")
    if kind not in TYPE_NAMES:
        raise errors.TypeError(
            f"expected nil, bool, int, float, str, bytes, list or map, not {kind.__name__}"
        )
    return plain


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise errors.TypeError(f"expected a map with keys of type str, not {type(key).__name__}")
    if key == "#":
        raise errors.ValueError("expected another key than `#`: it is kept for the ids of things")
    return key


def result_depth(value: Value) -> int:
    """Return the depth that `return x, depth` gives.

    Raises TypeError or ValueError unless it is an int from 0 to MAX_DEPTH.
    """
    if type(value) is not int:
        raise errors.TypeError(
            f"expecting `deep` to be of type `int` but got type `{type_name(value)}` instead"
        )
    if not 0 <= value <= limits.MAX_DEPTH:
        raise errors.ValueError(
            f"expecting a `deep` value between 0 and {limits.MAX_DEPTH} but got {value} instead"
        )
    return value


NO_IDS = 32
"""The flag of `return x, depth, NO_IDS`, which leaves out the ids of things."""


def shows_ids(flags: Value) -> bool:
    """Whether these flags leave the ids in the result. Raises TypeError unless they are an int."""
    if type(flags) is not int:
        raise errors.TypeError(
            f"expecting `flags` to be of type `int` but got type `{type_name(flags)}` instead"
        )
    return not flags & NO_IDS
