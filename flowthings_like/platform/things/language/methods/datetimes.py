"""Methods of moments, which are datetimes and timevals."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from .....wire.things import errors
from ..runtime.builtin import method
from ..values.types import Thing, Timeval, Value, type_name

if TYPE_CHECKING:
    from ..runtime.builtin import Moment
    from ..runtime.run import Run
from ..values.datetimes import PARTS, check_format, moment_of_parts, whole_seconds, zone_named


@method(datetime, Timeval)
def extract(run: Run, moment: Moment, part: str | None = None) -> Value:
    """Return one part of the moment, or all parts as a thing."""
    offset = moment.utcoffset() or timedelta()
    found: dict[str, Any] = {name: getattr(moment, name) for name in PARTS}
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
    check_format(form)
    return moment.strftime(form)


@method(datetime, Timeval)
def move(run: Run, moment: Moment, unit: str, count: int) -> Moment:
    """Return the moment so many units later."""
    if unit in ("years", "months"):
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "years" else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            raise errors.OverflowError("date/time overflow")
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return whole_seconds(type(moment), moment.replace(year=year, month=month + 1, day=day))
    if unit not in ("weeks", "days", "hours", "minutes", "seconds"):
        raise errors.ValueError(
            "invalid unit, expecting one of `years`, `months`, `weeks`, `days`, `hours`, `minutes` "
            "or `seconds`"
        )
    try:
        later = moment.astimezone(timezone.utc) + timedelta(**{unit: count})
        return whole_seconds(type(moment), later.astimezone(moment.tzinfo))
    except OverflowError:
        raise errors.OverflowError("date/time overflow") from None


@method(datetime, Timeval)
def replace(run: Run, moment: Moment, parts: Thing) -> Moment:
    """Return the moment with other parts, such as {hour: 15}."""
    given: dict[str, int] = {name: getattr(moment, name) for name in PARTS}
    for name in PARTS:
        value = parts.props.get(name, given[name])
        if type(value) is not int:
            raise errors.TypeError(f"{name} must be of type `int` but got type `{type_name(value)}` instead")
        given[name] = value
    # As ThingsDB does it: the parts count in the old offset, and then the zone gives the new one.
    offset = timezone(moment.utcoffset() or timedelta())
    changed = moment_of_parts(type(moment), given, offset)
    return whole_seconds(type(moment), changed.astimezone(moment.tzinfo))


@method(datetime, Timeval)
def to(run: Run, moment: Moment, zone: str) -> Moment:
    """Return the same moment in another time zone."""
    return whole_seconds(type(moment), moment.astimezone(zone_named(zone)))


@method(datetime, Timeval)
def week(run: Run, moment: Moment) -> int:
    """Return the week of the year. Week 1 begins with the first Sunday; days before it are in week 0."""
    return int(moment.strftime("%U"))


@method(datetime, Timeval)
def weekday(run: Run, moment: Moment) -> int:
    """Return the day of the week; 0 is Sunday."""
    return moment.isoweekday() % 7


@method(datetime, Timeval)
def yday(run: Run, moment: Moment) -> int:
    """Return the day of the year, counted from 0."""
    return moment.timetuple().tm_yday - 1


@method(datetime, Timeval)
def zone(run: Run, moment: Moment) -> str | None:
    """Return the name of the time zone, nil if the moment has only an offset."""
    if moment.tzinfo is timezone.utc:
        return "UTC"
    return moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else None
