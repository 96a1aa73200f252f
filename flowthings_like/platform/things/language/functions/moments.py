"""Moments: datetimes and timevals, which differ only in how they are shown."""

from __future__ import annotations

import calendar
import re
import time
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from .....wire.things import errors
from ..runtime.builtin import FUNCTIONS, Builtin, function, method
from ..values.types import Thing, Timeval, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..runtime.builtin import Moment
    from ..runtime.run import Run

__all__ = ["zone_named", "zone_names"]

_PARTS = {
    "year": (1, 9999),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}
_FORMS = {
    4: "%Y",
    7: "%Y-%m",
    10: "%Y-%m-%d",
    13: "%Y-%m-%d %H",
    16: "%Y-%m-%d %H:%M",
    19: "%Y-%m-%d %H:%M:%S",
}
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3])([0-5][0-9])?")
_STAMP = re.compile(r"(.{13,19}?)(Z|[+-][0-9]*)", re.DOTALL)
_DIRECTIVES = frozenset("aAbBcCdDeFgGhHIjklmMnprRsStTuUVwWxXyYzZ%")


@lru_cache(1)
def zone_names() -> frozenset[str]:
    """All time zones that this machine knows: reading them takes some milliseconds."""
    return frozenset(available_timezones())


def zone_named(name: str) -> tzinfo:
    """The time zone or offset. Raises ValueError if there is none of this name."""
    if name.startswith(("+", "-")):
        found = _OFFSET.fullmatch(name)
        if found is None:
            raise errors.ValueError("invalid offset; expecting format `+/-hh[mm]`, for example +0100 or -05")
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset)
    if len(name) < 2:
        raise errors.ValueError(
            "expecting a time zone or offset; example time zone: `Europe/Amsterdam`; example offset: `+01`"
        )
    if name == "UTC":
        return timezone.utc
    if name not in zone_names():
        raise errors.ValueError("unknown time zone")
    return ZoneInfo(name)


def _made(kind: type[datetime], moment: datetime) -> datetime:
    """The moment as one of this kind, without fractions of a second."""
    return kind(
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        tzinfo=moment.tzinfo,
        fold=moment.fold,
    )


def _at(kind: type[datetime], seconds: int | float, zone: tzinfo) -> datetime:
    try:
        return _made(kind, datetime.fromtimestamp(int(seconds), timezone.utc).astimezone(zone))
    except (ValueError, OverflowError, OSError):
        raise errors.OverflowError("date/time overflow") from None


def _of_parts(kind: type[datetime], parts: Mapping[str, int], zone: tzinfo) -> datetime:
    for name, (least, most) in _PARTS.items():
        if not least <= parts.get(name, least) <= most:
            raise errors.ValueError(f"{name} {parts[name]} is out of range [{least}..{most}]")
    if parts["day"] > calendar.monthrange(parts["year"], parts["month"])[1]:
        raise errors.ValueError(f"day {parts['day']} is out of range for month")
    return kind(**dict(parts), tzinfo=zone)


def _read(kind: type[datetime], text: str, zone: tzinfo) -> datetime:
    """2013, 2013-02, 2013-02-06, 2013-02-06T13, 2013-02-06 13:12, 2013-02-06 13:12:50; those with a time may
    end in Z or an offset."""
    found = _STAMP.fullmatch(text)
    if found is not None and "-" not in found[2][1:]:
        text, end = found.groups()
        zone = timezone.utc if end == "Z" else zone_named(end)
    form = _FORMS.get(len(text))
    if form is None:
        raise errors.ValueError("invalid date/time string")
    return _parsed(kind, text.replace("T", " "), form, zone)


def _parsed(kind: type[datetime], text: str, form: str, zone: tzinfo) -> datetime:
    if len(text) >= 128:
        raise errors.ValueError("invalid date/time string (too large)")
    _check_form(form)
    try:
        moment = datetime.strptime(text, form)
    except (ValueError, re.error):
        raise errors.ValueError(f"invalid date/time string (does not match format `{form}`)") from None
    return _made(kind, moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _check_form(form: str) -> None:
    if not 2 <= len(form) <= 80:
        raise errors.ValueError("date/time format is restricted to a length between 2 and 80 characters")
    if not all(found in _DIRECTIVES for found in re.findall("%(.?)", form, re.DOTALL)):
        raise errors.ValueError("invalid date/time format")


def _new(name: str, kind: type[datetime]) -> Callable[..., datetime]:
    def make(run: Run, *args: Value) -> datetime:
        """Of nothing: now. Of a number: seconds since 1970. Of a str, with a format or without. Of year,
        month, day, hour, minute, second, with a time zone or offset at the end."""
        zone = run.scope.zone
        if len(args) > 7:
            raise errors.NumArgumentsError(
                f"function `{name}` takes at most 7 arguments but {len(args)} were given"
            )
        if not args:
            return _at(kind, time.time(), zone)
        if len(args) == 1:
            return _converted(name, kind, args[0], zone)
        if len(args) == 2:
            for number, arg in enumerate(args, 1):
                if type(arg) is not str:
                    raise _wrong(name, number, "type `str` (when called with two arguments)", arg)
            return _parsed(kind, args[0], args[1], zone)
        return _counted(name, kind, args, zone)

    return make


def _converted(name: str, kind: type[datetime], value: Value, zone: tzinfo) -> datetime:
    if type(value) in (datetime, Timeval):
        return _made(kind, value)
    if type(value) is str:
        return _read(kind, value, zone)
    if type(value) is float and value != value:
        raise errors.OverflowError("date/time overflow")
    if type(value) in (int, float):
        if not -(1 << 62) < value < 1 << 62:
            raise errors.OverflowError("date/time overflow")
        return _at(kind, value, zone)
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
    if len(numbers) > len(_PARTS):
        raise _wrong(name, len(numbers), f"type `str` {when}", numbers[-1])
    return _of_parts(kind, dict(zip(_PARTS, numbers, strict=False)), zone)


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


# -- methods


@method(datetime, Timeval)
def extract(run: Run, moment: Moment, part: str | None = None) -> Value:
    """One part of it, or all of them as a thing."""
    offset = moment.utcoffset() or timedelta()
    found: dict[str, Any] = {name: getattr(moment, name) for name in _PARTS}
    found["gmt_offset"] = int(offset.total_seconds())
    if part is None:
        return Thing(found)
    if part not in found:
        raise errors.ValueError(
            "function `extract` is expecting argument 1 to be `year`, `month`, `day`, `hour`, `minute`, "
            "`second` or `gmt_offset`"
        )
    return found[part]


@method(datetime, Timeval)
def format_(run: Run, moment: Moment, form: str) -> str:
    _check_form(form)
    return moment.strftime(form)


@method(datetime, Timeval)
def move(run: Run, moment: Moment, unit: str, count: int) -> Moment:
    """So many units later."""
    if unit in ("years", "months"):
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "years" else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            raise errors.OverflowError("date/time overflow")
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return _made(type(moment), moment.replace(year=year, month=month + 1, day=day))
    if unit not in ("weeks", "days", "hours", "minutes", "seconds"):
        raise errors.ValueError(
            "invalid unit, expecting one of `years`, `months`, `weeks`, `days`, `hours`, `minutes` "
            "or `seconds`"
        )
    try:
        later = moment.astimezone(timezone.utc) + timedelta(**{unit: count})
        return _made(type(moment), later.astimezone(moment.tzinfo))
    except OverflowError:
        raise errors.OverflowError("date/time overflow") from None


@method(datetime, Timeval)
def replace(run: Run, moment: Moment, parts: Thing) -> Moment:
    """With other parts: {hour: 15}."""
    given: dict[str, int] = {name: getattr(moment, name) for name in _PARTS}
    for name in _PARTS:
        value = parts.props.get(name, given[name])
        if type(value) is not int:
            raise errors.TypeError(f"{name} must be of type `int` but got type `{type_name(value)}` instead")
        given[name] = value
    # As ThingsDB does it: the offset is that of the moment itself, then its zone is asked for another one.
    offset = timezone(moment.utcoffset() or timedelta())
    changed = _of_parts(type(moment), given, offset)
    return _made(type(moment), changed.astimezone(moment.tzinfo))


@method(datetime, Timeval)
def to(run: Run, moment: Moment, zone: str) -> Moment:
    """The same moment in another time zone."""
    return _made(type(moment), moment.astimezone(zone_named(zone)))


@method(datetime, Timeval)
def week(run: Run, moment: Moment) -> int:
    """Of the year, from 0 on; the first Sunday begins week 1."""
    return int(moment.strftime("%U"))


@method(datetime, Timeval)
def weekday(run: Run, moment: Moment) -> int:
    """0 is Sunday."""
    return moment.isoweekday() % 7


@method(datetime, Timeval)
def yday(run: Run, moment: Moment) -> int:
    """The day of the year, from 0 on."""
    return moment.timetuple().tm_yday - 1


@method(datetime, Timeval)
def zone(run: Run, moment: Moment) -> str | None:
    """The name of its time zone, nil if it has an offset only."""
    if moment.tzinfo is timezone.utc:
        return "UTC"
    return moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else None
