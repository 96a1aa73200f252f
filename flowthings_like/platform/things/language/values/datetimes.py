"""Moments (datetimes and timevals): their time zones, their parts, and the texts they are read from."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from .....wire.things import errors

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = [
    "PARTS",
    "check_format",
    "moment_at",
    "moment_of_parts",
    "parse_formatted",
    "parse_moment",
    "whole_seconds",
    "zone_named",
    "zone_names",
]

PARTS = {
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
    """Return the names of all time zones of this machine. They are read once: it takes milliseconds."""
    return frozenset(available_timezones())


def zone_named(name: str) -> tzinfo:
    """Return a time zone by its name or offset. Raises ValueError if there is none."""
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


def whole_seconds(kind: type[datetime], moment: datetime) -> datetime:
    """Return the moment as an object of this type, without fractions of a second."""
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


def moment_at(kind: type[datetime], seconds: int | float, zone: tzinfo) -> datetime:
    """Return the moment so many seconds after 1970. Raises OverflowError if it is out of range."""
    try:
        return whole_seconds(kind, datetime.fromtimestamp(int(seconds), timezone.utc).astimezone(zone))
    except (ValueError, OverflowError, OSError):
        raise errors.OverflowError("date/time overflow") from None


def moment_of_parts(kind: type[datetime], parts: Mapping[str, int], zone: tzinfo) -> datetime:
    """Return the moment with this year, month and so on. Raises ValueError if a part is out of range."""
    for name, (least, most) in PARTS.items():
        if not least <= parts.get(name, least) <= most:
            raise errors.ValueError(f"{name} {parts[name]} is out of range [{least}..{most}]")
    if parts["day"] > calendar.monthrange(parts["year"], parts["month"])[1]:
        raise errors.ValueError(f"day {parts['day']} is out of range for month")
    return kind(**dict(parts), tzinfo=zone)


def parse_moment(kind: type[datetime], text: str, zone: tzinfo) -> datetime:
    """Read a moment from one of the usual forms.

    These are 2013, 2013-02, 2013-02-06, 2013-02-06T13, 2013-02-06 13:12 and 2013-02-06 13:12:50. Those with a
    time may end in Z or an offset.
    """
    found = _STAMP.fullmatch(text)
    if found is not None and "-" not in found[2][1:]:
        text, end = found.groups()
        zone = timezone.utc if end == "Z" else zone_named(end)
    form = _FORMS.get(len(text))
    if form is None:
        raise errors.ValueError("invalid date/time string")
    return parse_formatted(kind, text.replace("T", " "), form, zone)


def parse_formatted(kind: type[datetime], text: str, form: str, zone: tzinfo) -> datetime:
    """Read a moment by a format. Raises ValueError if the text does not match it."""
    if len(text) >= 128:
        raise errors.ValueError("invalid date/time string (too large)")
    check_format(form)
    try:
        moment = datetime.strptime(text, form)
    except (ValueError, re.error):
        raise errors.ValueError(f"invalid date/time string (does not match format `{form}`)") from None
    return whole_seconds(kind, moment if moment.tzinfo else moment.replace(tzinfo=zone))


def check_format(form: str) -> None:
    """Raise ValueError unless the format is one that the language allows."""
    if not 2 <= len(form) <= 80:
        raise errors.ValueError("date/time format is restricted to a length between 2 and 80 characters")
    if not all(found in _DIRECTIVES for found in re.findall("%(.?)", form, re.DOTALL)):
        raise errors.ValueError("invalid date/time format")
