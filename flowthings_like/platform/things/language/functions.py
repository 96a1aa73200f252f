"""The functions of every scope: conversions, checks, errors, moments, data."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime, timezone
from math import isinf, isnan
from typing import TYPE_CHECKING, Any

from .... import things_errors as errors
from . import limits
from .numbers import whole
from .serialise import serialise
from .signature import FUNCTIONS, Builtin, function
from .text import text_of
from .values import Closure, Failure, List, Regex, Room, Thing, ThingSet, Value, load, type_name

if TYPE_CHECKING:
    from .run import Run
    from .signature import Array, Number

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
def int_(run: Run, value: Value = 0, base: int = 10) -> int:
    """A number's whole part, a datetime's seconds since 1970, the number that a str spells."""
    if type(value) is str:
        return whole(value, base)
    if type(value) is datetime:
        return int(value.timestamp())
    if type(value) in (bool, int, float):
        return whole(value)
    raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `int`")


@function
def float_(run: Run, value: Value = 0.0) -> float:
    if type(value) is datetime:
        return value.timestamp()
    if type(value) not in (bool, int, float, str):
        raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `float`")
    try:
        return float(value)
    except ValueError:
        raise errors.ValueError(f"expected a str that spells a number, not {value[:60]!r}") from None


@function
def bytes_(run: Run, value: str | bytes = b"") -> bytes:
    return value.encode() if isinstance(value, str) else value


@function
def list_(run: Run, value: Value = ()) -> List:
    if type(value) not in (List, tuple, ThingSet):
        raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `list`")
    return run.items(value)


@function
def set_(run: Run, *values: Value) -> ThingSet:
    """A set of the things that are given, one by one or in one list."""
    if len(values) == 1 and type(values[0]) in (List, tuple, ThingSet):
        values = tuple(values[0])
    for value in values:
        if type(value) is not Thing:
            raise errors.TypeError(f"cannot add type `{type_name(value)}` to a set: it takes things only")
    run.spend(len(values))
    return ThingSet(values)


@function
def thing_(run: Run, value: Value = None) -> Thing:
    """The stored thing with this id; without one, a new thing."""
    from .access import stored_thing

    if value is None:
        return Thing()
    if type(value) is Thing:
        return value
    if type(value) is not int:
        raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `thing`")
    return stored_thing(run, value)


@function
def regex_(run: Run, pattern: str, flags: str = "") -> Regex:
    if flags not in ("", "i"):
        raise errors.ValueError(f"expected `i` or no flags, not {flags[:20]!r}")
    made = Regex(f"/{pattern}/{flags}")
    _ = made.pattern  # a bad one is refused here
    return made


@function
def closure_(run: Run, code: str) -> Closure:
    from .parser import parse_closure

    return parse_closure(code)


@function
def range_(run: Run, start: int, stop: int | None = None, step: int = 1) -> List:
    if step == 0:
        raise errors.ValueError("expected a range with another step than 0")
    numbers = range(start) if stop is None else range(start, stop, step)
    if len(numbers) > run.steps_left:
        raise errors.MaxQuotaError(f"expected a range of fewer than {len(numbers)} numbers")
    run.spend(len(numbers))
    return List(numbers)


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
        "is_mpdata": (list, dict),
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
def is_inf(run: Run, value: Number) -> bool:
    return isinf(value)


@function
def is_ascii(run: Run, value: Value) -> bool:
    return type(value) in (str, bytes) and value.isascii()


@function
def assert_(run: Run, value: Value, message: str = "the assertion has failed") -> None:
    if not value:
        raise errors.AssertionError(message)


@function
def type_assert(run: Run, value: Value, kinds: str | Array, message: str | None = None) -> None:
    wanted = (kinds,) if isinstance(kinds, str) else kinds
    if type_name(value) not in wanted:
        raise errors.TypeError(
            message or f"expected type {' or '.join(map(str, wanted))}, not `{type_name(value)}`"
        )


# -- errors


@function
def err(run: Run, code: int = -100, message: str | None = None) -> Failure:
    """An error as a value."""
    if not -127 <= code <= -50:
        raise errors.ValueError(f"expected an error code from -127 to -50, not {code}")
    return Failure(code, f"error code {code}" if message is None else message)


@function
def raise_(run: Run, error: str | Failure = "an error was raised") -> None:
    if isinstance(error, Failure):
        raise errors.error_from(error.code, error.message)
    raise errors.error_from(errors.CustomError.error_code, error)


def _declare_errors() -> None:
    named = {
        "cancelled_err": errors.CancelledError,
        "operation_err": errors.OperationError,
        "num_arguments_err": errors.NumArgumentsError,
        "type_err": errors.TypeError,
        "value_err": errors.ValueError,
        "overflow_err": errors.OverflowError,
        "zero_div_err": errors.ZeroDivisionError,
        "max_quota_err": errors.MaxQuotaError,
        "auth_err": errors.AuthError,
        "forbidden_err": errors.ForbiddenError,
        "lookup_err": errors.LookupError,
        "bad_data_err": errors.BadDataError,
        "syntax_err": errors.SyntaxError,
        "node_err": errors.NodeError,
        "assert_err": errors.AssertionError,
    }
    for name, kind in named.items():
        usual = (kind.__doc__ or name).partition("\n")[0]

        def make(run: Run, message: str = usual, code: int = kind.error_code) -> Failure:
            return Failure(code, message)

        FUNCTIONS[name] = Builtin(make, name, most=1)


_declare_errors()


# -- moments and data


@function
def now(run: Run) -> float:
    """Seconds since 1970."""
    return time.time()


@function
def datetime_(run: Run, value: Value = None) -> datetime:
    """Of seconds since 1970, or of text such as 2020-01-02T03:04:05Z; without one, this moment. In UTC."""
    if value is None:
        return datetime.now(timezone.utc).replace(microsecond=0)
    if type(value) is datetime:
        return value
    try:
        if type(value) in (int, float):
            return datetime.fromtimestamp(int(value), timezone.utc)
        if type(value) is str:
            return _moment(value)
    except (ValueError, OverflowError, OSError):
        raise errors.ValueError(f"{str(value)[:60]!r} is no moment that a datetime can hold") from None
    raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `datetime`")


def _moment(text: str) -> datetime:
    text = text.replace("Z", "+0000")
    for form in (
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M:%S%z",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d",
    ):
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc)
    raise ValueError(text)


@function
def log(run: Run, value: Value) -> None:
    """Sends the value as text to the client that made the query."""
    kind = type(value)
    run.logs.append(
        json.dumps(_json(run, value, 1)) if kind in (List, tuple, ThingSet, Thing) else text_of(value)
    )


@function
def json_dump(run: Run, value: Value, depth: int = 1) -> str:
    return json.dumps(_json(run, value, depth), separators=(",", ":"), ensure_ascii=False)


def _json(run: Run, value: Value, depth: int) -> Any:
    if not 0 <= depth <= limits.MAX_DEPTH:
        raise errors.ValueError(f"expected a depth from 0 to {limits.MAX_DEPTH}, not {depth}")
    plain = serialise(value, depth)
    try:
        json.dumps(plain, allow_nan=False)
    except (TypeError, ValueError):
        raise errors.TypeError("JSON has no bytes, nan or inf") from None
    return plain


@function
def json_load(run: Run, text: str) -> Value:
    try:
        plain = json.loads(text)
        json.dumps(plain, ensure_ascii=False).encode()  # an escape can hide half a character
    except ValueError as error:
        raise errors.ValueError(f"expected JSON: {error}") from None
    return run.item(load(plain))


@function
def base64_encode(run: Run, value: str | bytes) -> str:
    return base64.b64encode(bytes_(run, value)).decode()


@function
def base64_decode(run: Run, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise errors.ValueError("expected text in base64") from None


_NEW: Value = object()


@function
def room(run: Run, value: Value = _NEW) -> Room:
    """The stored room with this id or name; without one, a new room."""
    if value is _NEW:
        return Room()
    if type(value) is Room:
        return value
    found: Room | None = None
    if type(value) is int:
        found = run.collection.rooms.get(value)
    elif type(value) is str:
        found = next((room for room in run.collection.rooms if room.name == value), None)
    else:
        raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `room`")
    if found is None:
        by = f"id {value}" if type(value) is int else f"name {value[:60]!r}"
        raise errors.LookupError(f"collection `{run.collection.name}` has no room with {by}")
    return found
