"""Functions that make moments: `datetime` and `timeval`, `now`, and the check of a time zone."""

from __future__ import annotations

import time
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import FUNCTIONS, Builtin, function
from ..values.types import Timeval, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.run import Run
from ..values.datetimes import (
    PARTS,
    moment_at,
    moment_of_parts,
    parse_formatted,
    parse_moment,
    whole_seconds,
    zone_named,
    zone_names,
)


def _new(name: str, kind: type[datetime]) -> Callable[..., datetime]:
    def make(run: Run, *args: Value) -> datetime:
        """Make a moment.

        Without an argument it is now. It is made of a number of seconds since 1970; or of a str, with or
        without a format; or of year, month, day, hour, minute and second, with a time zone or offset last.
        """
        zone = run.scope.zone
        if len(args) > 7:
            raise errors.NumArgumentsError(
                f"function `{name}` takes at most 7 arguments but {len(args)} were given"
            )
        if not args:
            return moment_at(kind, time.time(), zone)
        if len(args) == 1:
            return _converted(name, kind, args[0], zone)
        if len(args) == 2:
            for number, arg in enumerate(args, 1):
                if type(arg) is not str:
                    raise _wrong(name, number, "type `str` (when called with two arguments)", arg)
            return parse_formatted(kind, args[0], args[1], zone)
        return _counted(name, kind, args, zone)

    return make


def _converted(name: str, kind: type[datetime], value: Value, zone: tzinfo) -> datetime:
    if type(value) in (datetime, Timeval):
        return whole_seconds(kind, value)
    if type(value) is str:
        return parse_moment(kind, value, zone)
    if type(value) is float and value != value:
        raise errors.OverflowError("date/time overflow")
    if type(value) in (int, float):
        if not -(1 << 62) < value < 1 << 62:
            raise errors.OverflowError("date/time overflow")
        return moment_at(kind, value, zone)
    raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `{name}`")


def _counted(name: str, kind: type[datetime], args: tuple[Value, ...], zone: tzinfo) -> datetime:
    when = "(when called with three or more arguments)"
    numbers = list(args)
    if len(numbers) > 3 and type(numbers[-1]) is str:
        zone = zone_named(numbers.pop())
    for number, arg in enumerate(numbers, 1):
        if type(arg) is str and number > 3:
            raise errors.TypeError(
                f"function `{name}` expects the last, and only the last argument to be of type `str` {when}"
            )
        if type(arg) is not int:
            kinds = "type `int`" if number <= 3 else "type `int` or type `str`"
            raise _wrong(name, number, f"{kinds} {when}", arg)
    if len(numbers) > len(PARTS):
        raise _wrong(name, len(numbers), f"type `str` {when}", numbers[-1])
    return moment_of_parts(kind, dict(zip(PARTS, numbers, strict=False)), zone)


def _wrong(name: str, number: int, wanted: str, value: Value) -> errors.TypeError:
    return errors.TypeError(
        f"function `{name}` expects argument {number} to be of {wanted} "
        f"but got type `{type_name(value)}` instead"
    )


FUNCTIONS["datetime"] = Builtin(_new("datetime", datetime), "datetime")
FUNCTIONS["timeval"] = Builtin(_new("timeval", Timeval), "timeval")


@function
def is_time_zone(run: Run, value: Value) -> bool:
    return type(value) is str and value in zone_names()


@function
def now(run: Run) -> float:
    """Return the seconds since 1970."""
    return time.time()
