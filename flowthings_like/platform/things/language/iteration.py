"""What a loop or a closure sees of a value, pass by pass."""

from __future__ import annotations

from collections.abc import Iterable

from .... import things_errors as errors
from .values import List, Thing, ThingSet, Value, type_name

__all__ = ["passes"]


def passes(value: Value) -> Iterable[tuple[Value, Value]]:
    """(item, index) of a list or tuple, (name, value) of a thing, (thing, id) of a set.

    They are those of the start, whatever becomes of the value meanwhile.

    Raises:
        TypeError: it is none of these.
    """
    kind = type(value)
    if kind is List or kind is tuple:
        return list(zip(value, range(len(value)), strict=True))
    if kind is Thing:
        return list(value.props.items())
    if kind is ThingSet:
        return [(thing, thing.id) for thing in value]
    raise errors.TypeError(f"expected a list, tuple, thing or set, not type `{type_name(value)}`")
