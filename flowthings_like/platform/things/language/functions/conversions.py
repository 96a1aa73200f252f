"""Functions that convert a value to a type, or make a new value of the type."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..compiler.program import parse_closure
from ..runtime.access import stored_thing
from ..runtime.builtin import ABSENT, function
from ..syntax.literals import checked_flags
from ..values.numbers import float_of, int_of
from ..values.text import text_of
from ..values.types import (
    Closure,
    Failure,
    List,
    Regex,
    Room,
    Thing,
    ThingSet,
    Timeval,
    Value,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..runtime.run import Run


def _cannot(value: Value, kind: str) -> errors.TypeError:
    return errors.TypeError(f"cannot convert type `{type_name(value)}` to `{kind}`")


@function
def type_(run: Run, value: Value) -> str:
    return type_name(value)


@function
def bool_(run: Run, value: Value = False) -> bool:
    return bool(value)


@function
def str_(run: Run, value: Value = "") -> str:
    return text_of(value)


@function
def int_(run: Run, value: Value = 0) -> int:
    """Convert to an int.

    Of a number it is the whole part, of a datetime the seconds since 1970, of an error its code, of a str the
    number that it begins with.
    """
    if type(value) in (bool, int, float, str):
        return int_of(value)
    if type(value) in (datetime, Timeval):
        return int(value.timestamp())
    if type(value) is Failure:
        return value.code
    raise _cannot(value, "int")


@function
def float_(run: Run, value: Value = 0.0) -> float:
    if type(value) in (bool, int, float):
        return float(value)
    if type(value) is str:
        return float_of(value)
    if type(value) in (datetime, Timeval):
        return float(int(value.timestamp()))
    if type(value) is Failure:
        return float(value.code)
    raise _cannot(value, "float")


@function
def bytes_(run: Run, value: Value = b"") -> bytes:
    if type(value) is str:
        return value.encode()
    if type(value) is bytes:
        return value
    raise _cannot(value, "bytes")


@function
def list_(run: Run, value: Value = ABSENT) -> Value:
    """Return the things of a set as a list; a list or tuple is returned as it is."""
    if value is ABSENT:
        return List()
    if type(value) in (List, tuple):
        return value
    if type(value) is ThingSet:
        return run.items(value)
    raise _cannot(value, "list")


@function
def set_(run: Run, *values: Value) -> ThingSet:
    """Return a set of things, which are given one by one or in one list."""
    if len(values) == 1:
        (value,) = values
        if type(value) is ThingSet:
            return value
        if type(value) in (List, tuple):
            values = tuple(value)
        elif type(value) is not Thing:
            raise _cannot(value, "set")
    run.spend(len(values))
    for value in values:
        if type(value) is not Thing:
            raise errors.TypeError(f"cannot add type `{type_name(value)}` to a set")
    return ThingSet(values)


@function
def thing_(run: Run, value: Value = ABSENT) -> Thing:
    """Return the stored thing with this id; without an argument, a new thing."""
    if value is ABSENT:
        return Thing()
    if type(value) is Thing:
        return value
    if type(value) is not int:
        raise _cannot(value, "thing")
    return stored_thing(run, value)


@function
def room(run: Run, value: Value = ABSENT) -> Room:
    """Return the stored room with this id or name; without an argument, a new room."""
    if value is ABSENT:
        return Room()
    if type(value) is Room:
        return value
    found: Room | None = None
    if type(value) is int:
        found, by = run.collection.rooms.get(value), f"id {value}"
    elif type(value) is str:
        found, by = (
            _first(room for room in run.collection.rooms if room.name == value),
            f"name `{value[:60]}`",
        )
    else:
        raise _cannot(value, "room")
    if found is None:
        raise errors.LookupError(f"collection `{run.collection.name}` has no `room` with {by}")
    return found


def _first(rooms: Iterable[Room]) -> Room | None:
    return next(iter(rooms), None)


@function
def regex_(run: Run, pattern: str = ".*", flags: str = "") -> Regex:
    if not re.fullmatch("[a-zA-Z]*", flags):
        raise errors.ValueError("invalid regular expression flags")
    made = Regex(checked_flags(f"/{pattern}/{flags}"))
    _ = made.pattern  # compiles it: raises ValueError if it is not valid
    return made


@function
def closure_(run: Run, code: Value = "||nil") -> Closure:
    if type(code) is Closure:
        return code
    if type(code) is not str:
        raise _cannot(code, "closure")
    return parse_closure(code)
