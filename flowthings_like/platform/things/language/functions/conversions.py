"""The functions of every scope: conversions, checks, errors, and what is said about the query itself."""

from __future__ import annotations

import re
from datetime import datetime
from math import isinf, isnan
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..compiler.program import parse_closure
from ..runtime.access import stored_thing
from ..runtime.builtin import FUNCTIONS, Builtin, function
from ..syntax.literals import checked_flags
from ..values.plain import result_depth
from ..values.text import error_message, text_of
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
from .numbers import real, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..runtime.builtin import Array
    from ..runtime.run import Run

_ABSENT: Value = object()


def _cannot(value: Value, kind: str) -> errors.TypeError:
    return errors.TypeError(f"cannot convert type `{type_name(value)}` to `{kind}`")


# -- conversions


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
    """A number's whole part, a datetime's seconds since 1970, an error's code, the number that a str begins
    with."""
    if type(value) in (bool, int, float, str):
        return whole(value)
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
        return real(value)
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
def list_(run: Run, value: Value = _ABSENT) -> Value:
    """The things of a set; a list or tuple is what it comes to itself."""
    if value is _ABSENT:
        return List()
    if type(value) in (List, tuple):
        return value
    if type(value) is ThingSet:
        return run.items(value)
    raise _cannot(value, "list")


@function
def set_(run: Run, *values: Value) -> ThingSet:
    """A set of the things that are given, one by one or in one list."""
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
def thing_(run: Run, value: Value = _ABSENT) -> Thing:
    """The stored thing with this id; without one, a new thing."""
    if value is _ABSENT:
        return Thing()
    if type(value) is Thing:
        return value
    if type(value) is not int:
        raise _cannot(value, "thing")
    return stored_thing(run, value)


@function
def room(run: Run, value: Value = _ABSENT) -> Room:
    """The stored room with this id or name; without one, a new room."""
    if value is _ABSENT:
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
    _ = made.pattern  # a bad one is refused here
    return made


@function
def closure_(run: Run, code: Value = "||nil") -> Closure:
    if type(code) is Closure:
        return code
    if type(code) is not str:
        raise _cannot(code, "closure")
    return parse_closure(code)


# -- checks


def _declare_checks() -> None:
    checks: dict[str, tuple[type, ...]] = {
        "is_nil": (type(None),),
        "is_bool": (bool,),
        "is_int": (int,),
        "is_float": (float,),
        "is_str": (str,),
        "is_utf8": (str,),
        "is_bytes": (bytes,),
        "is_raw": (str, bytes),
        "is_list": (List,),
        "is_tuple": (tuple,),
        "is_array": (List, tuple),
        "is_set": (ThingSet,),
        "is_thing": (Thing,),
        "is_room": (Room,),
        "is_closure": (Closure,),
        "is_err": (Failure,),
        "is_regex": (Regex,),
        "is_datetime": (datetime,),
        "is_timeval": (Timeval,),
        "is_mpdata": (list, dict),
        # of what this node has none
        "is_enum": (),
        "is_task": (),
        "is_future": (),
        "is_dict": (),
        "is_uuid": (),
        "is_ano": (),
    }
    for name, kinds in checks.items():

        def check(run: Run, value: Value, kinds: tuple[type, ...] = kinds) -> bool:
            return type(value) in kinds

        FUNCTIONS[name] = Builtin(check, name, most=1)


_declare_checks()


@function
def is_nan(run: Run, value: Value) -> bool:
    return type(value) not in (bool, int, float) or isnan(value)


@function
def is_inf(run: Run, value: Value) -> bool:
    if type(value) not in (bool, int, float):
        raise errors.TypeError(
            "function `is_inf` expects argument 1 to be of type `float` "
            f"but got type `{type_name(value)}` instead"
        )
    return isinf(value)


@function
def is_ascii(run: Run, value: Value) -> bool:
    return type(value) is str and value.isascii()


_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
_URL = re.compile(r"(?:https?|ftp)://[^\s/$.?#][^\s]*")


@function
def is_email(run: Run, value: Value) -> bool:
    return type(value) is str and _EMAIL.fullmatch(value) is not None


@function
def is_url(run: Run, value: Value) -> bool:
    return type(value) is str and _URL.fullmatch(value) is not None


@function
def type_assert(run: Run, value: Value, kinds: Value, message: str | None = None) -> None:
    if type(kinds) not in (str, List, tuple):
        raise errors.TypeError(
            "function `type_assert` expects argument 2 to be of type `str`, type `list` or type `tuple` "
            f"but got type `{type_name(kinds)}` instead"
        )
    wanted: Array = (kinds,) if type(kinds) is str else kinds
    for kind in wanted:
        if type(kind) is not str:
            raise errors.TypeError(
                "function `type_assert` expects argument 2 to be a list or tuple of type `str` "
                f"but got type `{type_name(kind)}` instead"
            )
    if type_name(value) not in wanted:
        raise errors.TypeError(error_message(message or "") or f"invalid type `{type_name(value)}`")


# -- errors

_NAMED: dict[str, tuple[type[errors.ThingsDBError], str]] = {
    "cancelled_err": (errors.CancelledError, "operation is cancelled before completion"),
    "operation_err": (errors.OperationError, "operation is not valid in the current context"),
    "num_arguments_err": (errors.NumArgumentsError, "wrong number of arguments"),
    "type_err": (errors.TypeError, "object of inappropriate type"),
    "value_err": (errors.ValueError, "object has the right type but an inappropriate value"),
    "overflow_err": (errors.OverflowError, "integer overflow"),
    "zero_div_err": (errors.ZeroDivisionError, "division or modulo by zero"),
    "max_quota_err": (errors.MaxQuotaError, "max quota is reached"),
    "auth_err": (errors.AuthError, "authentication error"),
    "forbidden_err": (errors.ForbiddenError, "forbidden (access denied)"),
    "lookup_err": (errors.LookupError, "requested resource not found"),
    "bad_data_err": (errors.BadDataError, "unable to handle request due to invalid data"),
    "syntax_err": (errors.SyntaxError, "syntax error in query"),
    "node_err": (errors.NodeError, "node is temporary unable to handle the request"),
    "assert_err": (errors.AssertionError, "assertion statement has failed"),
}
_USUAL = {kind.error_code: message for kind, message in _NAMED.values()}


@function
def err(run: Run, code: int = -100, message: str | None = None) -> Failure:
    """An error as a value."""
    if not -127 <= code <= -50:
        raise errors.ValueError(
            f"function `err` expects an error code between -127 and -50 but got {code} instead"
        )
    return Failure(code, _USUAL.get(code, f"error:{code}") if message is None else error_message(message))


@function
def raise_(run: Run, error: Failure | str | None = None) -> None:
    if error is None:
        error = err(run)
    failure = Failure(-100, error_message(error)) if isinstance(error, str) else error
    raise errors.error_from(failure.code, failure.message)


def _declare_errors() -> None:
    for name, (kind, usual) in _NAMED.items():

        def make(run: Run, message: str = usual, code: int = kind.error_code) -> Failure:
            return Failure(code, error_message(message))

        FUNCTIONS[name] = Builtin(make, name, most=1)


_declare_errors()


# -- the query itself


@function
def root(run: Run) -> Thing | None:
    """The collection's root; nil where there is none."""
    return run.collection.root if run.scope.kind == "collection" else None


@function
def deep(run: Run, value: Value = _ABSENT) -> int:
    """How many levels of things the result shows; with a value, so many from now on."""
    if value is not _ABSENT:
        run.depth = result_depth(value)
    return run.depth


@function
def refs(run: Run, value: Value) -> int:
    """How many variables, properties, lists and sets refer to the value, and one for the argument itself."""
    count = 1 if type(value) in (Thing, List, ThingSet, Room, tuple) else 2
    count += value is run.collection.root
    frame = run.frame
    while frame is not None:
        count += _times(value, frame.values())
        frame = frame.outer  # type: ignore[assignment]
    if run.scope.kind == "collection":
        for thing in run.collection.things:
            run.spend(1 + len(thing.props))
            count += _times(value, thing.props.values())
            for prop in thing.props.values():
                if type(prop) in (List, ThingSet):
                    run.spend(len(prop))
                    count += _times(value, prop)
    return count


def _times(value: Value, among: Iterable[Value]) -> int:
    return sum(1 for each in among if each is value)
