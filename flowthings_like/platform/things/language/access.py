"""Getting at what is inside a value: variables, properties, items and slices; and changing them."""

from __future__ import annotations

import math

from .... import things_errors as errors
from .run import NO_IDS, Run
from .values import List, Thing, Value, type_name

__all__ = ["item_of", "look_up", "member_of", "named", "set_item", "set_member", "slice_of", "stored_thing"]

CONSTANTS: dict[str, Value] = {
    "NO_IDS": NO_IDS,
    "INT_MIN": -(1 << 63),
    "INT_MAX": (1 << 63) - 1,
    "MATH_PI": math.pi,
    "MATH_E": math.e,
    # privileges, as `grant` takes them
    "QUERY": 1,
    "CHANGE": 2,
    "GRANT": 4,
    "JOIN": 8,
    "RUN": 16,
    "USER": 27,
    "FULL": 31,
    # levels, as `set_log_level` takes them
    "DEBUG": 0,
    "INFO": 1,
    "WARNING": 2,
    "ERROR": 3,
    "CRITICAL": 4,
}

_SEQUENCES = frozenset({List, tuple, str, bytes})


def look_up(run: Run, name: str) -> Value:
    """The variable's value, or the constant's. Raises LookupError if there is neither."""
    frame = run.frame.holder(name)
    if frame is not None:
        return frame[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    raise errors.LookupError(f"variable `{name}` is undefined")


def stored_thing(run: Run, id: int) -> Thing:
    """The thing with this id. Raises LookupError if it is not stored."""
    thing = run.collection.things.get(id) if run.scope.kind == "collection" else None
    if thing is None:
        raise errors.LookupError(f"collection `{run.collection.name}` has no thing with id {id}")
    return thing


def member_of(value: Value, name: str) -> Value:
    """`value.name`. Raises LookupError if it has none."""
    if type(value) is not Thing:
        raise errors.LookupError(f"type `{type_name(value)}` has no properties, so none named `{name}`")
    try:
        return value.props[name]
    except KeyError:
        raise errors.LookupError(f"{named(value)} has no property `{name}`") from None


def named(thing: Thing) -> str:
    """The thing, as errors speak of it."""
    return "a thing that is not stored" if thing.id is None else f"thing #{thing.id}"


def set_member(run: Run, thing: Value, name: str, value: Value) -> Value:
    """`thing.name = value`. Raises TypeError if it is no thing."""
    if type(thing) is not Thing:
        raise errors.TypeError(f"expected a thing to assign `{name}` to, not type `{type_name(thing)}`")
    if name == "#":
        raise errors.ValueError("expected another property than `#`: it is kept for the ids of things")
    return run.collection.assign(thing, name, value)


def item_of(value: Value, index: Value) -> Value:
    """`value[index]`: of a list, tuple, str or bytes by position, of a thing by name."""
    kind = type(value)
    if kind is Thing:
        return member_of(value, _key(index))
    if kind not in _SEQUENCES:
        raise errors.TypeError(f"type `{type_name(value)}` is not indexable")
    at = _position(value, index)
    return value[at : at + 1] if kind is bytes else value[at]


def _key(index: Value) -> str:
    if type(index) is not str:
        raise errors.TypeError(f"expected a property's name of type `str`, not `{type_name(index)}`")
    return index


def _position(value: Value, index: Value) -> int:
    if type(index) is not int:
        raise errors.TypeError(f"expected an index of type `int`, not `{type_name(index)}`")
    at = index + len(value) if index < 0 else index
    if not 0 <= at < len(value):
        raise errors.LookupError(f"index {index} is out of range: there are {len(value)} items")
    return at


def set_item(run: Run, container: Value, index: Value, value: Value) -> Value:
    """`container[index] = value`: of a list by position, of a thing by name."""
    if type(container) is Thing:
        return set_member(run, container, _key(index), value)
    if type(container) is not List:
        raise errors.TypeError(f"type `{type_name(container)}` does not support index assignments")
    at = _position(container, index)
    value = run.item(value)
    run.collection.change(container, (value,))
    container[at] = value
    return value


def slice_of(value: Value, start: Value = None, stop: Value = None, step: Value = None) -> Value:
    """`value[start:stop:step]`, each an int or nil."""
    kind = type(value)
    if kind not in _SEQUENCES:
        raise errors.TypeError(f"type `{type_name(value)}` has no slices")
    for bound in (start, stop, step):
        if bound is not None and type(bound) is not int:
            raise errors.TypeError(
                f"expected the bounds of a slice to be of type `int` or `nil`, not `{type_name(bound)}`"
            )
    if step == 0:
        raise errors.ValueError("expected a slice with another step than 0")
    part = value[start:stop:step]
    return List(part) if kind is List or kind is tuple else part
