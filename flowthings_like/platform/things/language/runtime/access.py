"""Reads and sets variables, properties, items and slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .....wire.things import errors
from .....wire.things.privileges import Privilege
from ..values.numbers import INT_MAX, INT_MIN
from ..values.plain import NO_IDS
from ..values.types import Closure, List, Thing, Value, type_name

if TYPE_CHECKING:
    from .run import Run

__all__ = [
    "describe_thing",
    "find_procedure",
    "item_of",
    "look_up",
    "member_of",
    "set_item",
    "set_member",
    "set_slice",
    "slice_of",
    "stored_thing",
]

CONSTANTS: dict[str, Value] = {
    "NO_IDS": NO_IDS,
    "INT_MIN": INT_MIN,
    "INT_MAX": INT_MAX,
    "MATH_PI": math.pi,
    "MATH_E": math.e,
    # as `grant` takes them
    **{name: int(privilege) for name, privilege in Privilege.__members__.items()},
    # as `set_log_level` takes them
    "DEBUG": 0,
    "INFO": 1,
    "WARNING": 2,
    "ERROR": 3,
    "CRITICAL": 4,
}

_SEQUENCES = frozenset({List, tuple, str, bytes})


def look_up(run: Run, name: str) -> Value:
    """Return the value of a variable, a procedure or a constant, in this order.

    Raises LookupError if none has the name.
    """
    frame = run.frame.holder(name)
    if frame is not None:
        return frame[name]
    closure = find_procedure(run, name)
    if closure is not None:
        return closure
    if name in CONSTANTS:
        return CONSTANTS[name]
    raise errors.LookupError(f"variable `{name}` is undefined")


def find_procedure(run: Run, name: str) -> Closure | None:
    """Return the stored procedure, None if there is none."""
    return None if run.scope.kind == "node" else run.collection.procedures.get(name)


def stored_thing(run: Run, id: int) -> Thing:
    """Return the thing with this id. Raises LookupError if none is stored."""
    if run.scope.kind != "collection":
        raise errors.LookupError(
            f"scope `{run.scope.name}` has no stored things; you might want to query a `@collection` scope?"
        )
    thing = run.collection.things.get(id)
    if thing is None:
        raise errors.LookupError(f"collection `{run.collection.name}` has no `thing` with id {id}")
    return thing


def member_of(value: Value, name: str) -> Value:
    """Return `value.name`. Raises LookupError if there is no such property."""
    if type(value) is not Thing:
        raise errors.TypeError(f"type `{type_name(value)}` has no properties")
    try:
        return value.props[name]
    except KeyError:
        raise errors.LookupError(f"{describe_thing(value)} has no property `{name}`") from None


def describe_thing(thing: Thing) -> str:
    """Return how error messages call the thing."""
    return f"thing `#{thing.id or 0}`"


def set_member(run: Run, thing: Thing, name: str, value: Value) -> Value:
    """Do `thing.name = value`. Raises ValueError for `#`, which no property can be named."""
    if name == "#":
        raise errors.ValueError("property `#` is reserved")
    old = thing.props.get(name)
    if getattr(old, "in_use", False) and type(old) is not Thing:
        raise errors.OperationError(
            f"cannot change or remove property `{name}` on `#{thing.id or 0}` while the "
            f"`{type_name(old)}` is in use"
        )
    return run.assign(thing, name, value)


def item_of(value: Value, index: Value) -> Value:
    """Return `value[index]`: of a list, tuple, str or bytes by position, of a thing by name."""
    kind = type(value)
    if kind is Thing:
        return member_of(value, _key(index))
    if kind not in _SEQUENCES:
        raise errors.TypeError(f"type `{type_name(value)}` is not indexable")
    if kind is str and not value.isascii():
        raw = value.encode()
        at = _position(raw, index)
        return _decoded(raw[at : at + 1])
    at = _position(value, index)
    return value[at : at + 1] if kind is bytes else value[at]


def _decoded(part: bytes) -> str:
    """Return a part of a text from its bytes. Raises ValueError if it begins or ends within a character."""
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise errors.ValueError("this part of the string has no valid UTF8 encoding") from None


def _key(index: Value) -> str:
    if type(index) is not str:
        raise errors.TypeError(f"expecting an index of type `str` but got type `{type_name(index)}` instead")
    return index


def _position(value: Value, index: Value) -> int:
    if type(index) is not int:
        raise errors.TypeError(f"expecting an index of type `int` but got type `{type_name(index)}` instead")
    at = index + len(value) if index < 0 else index
    if not 0 <= at < len(value):
        raise errors.LookupError("index out of range")
    return at


def set_item(run: Run, container: Value, index: Value, value: Value) -> Value:
    """Do `container[index] = value`: of a list by position, of a thing by name."""
    if type(container) is Thing:
        return set_member(run, container, _key(index), value)
    at = _position(container, index)
    value = run.item(value)
    run.collection.mark_items_changed(container, (value,))
    container[at] = value
    return value


def _bounds(start: Value, stop: Value, step: Value) -> slice:
    for bound in (start, stop, step):
        if bound is not None and type(bound) is not int:
            raise errors.TypeError(
                f"slice indices must be of type `int` or `nil` but got type `{type_name(bound)}` instead"
            )
    if step == 0:
        raise errors.ValueError("slice step cannot be zero")
    return slice(start, stop, step)


def set_slice(run: Run, items: List, values: Value, start: Value, stop: Value, step: Value) -> None:
    """Do `items[start:stop] = values`."""
    part = _bounds(start, stop, step)
    if step not in (None, 1):
        raise errors.ValueError(f"slice assignments require a step value of 1 but got {step} instead")
    if type(values) not in (List, tuple):
        raise errors.TypeError(
            f"slice assignments require a `list` or `tuple` type but got type `{type_name(values)}` instead"
        )
    added = run.items(values)
    run.collection.mark_items_changed(items, added)
    items[part] = added


def slice_of(run: Run, value: Value, start: Value, stop: Value, step: Value) -> Value:
    """Return `value[start:stop:step]`; each bound is an int or nil."""
    kind = type(value)
    if kind not in _SEQUENCES:
        raise errors.TypeError(f"type `{type_name(value)}` has no slice support")
    bounds = _bounds(start, stop, step)
    if kind is str and not value.isascii():
        return run.charge_new(_decoded(value.encode()[bounds]))
    part = value[bounds]
    if kind is str or kind is bytes:
        return run.charge_new(part)
    run.spend(len(part))
    return List(part)
