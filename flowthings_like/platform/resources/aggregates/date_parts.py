"""Parts of the UTC date of a value, as SQLite's `strftime` reads it: milliseconds, or an ISO 8601 string."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from ....filters.values import is_number
from .plan import UNITS

__all__ = ["date_part"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATE = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
    r"(?:[ T]+(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:\.[0-9]+)?)?"
    r"\s*(?P<zone>Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?\s*)?",
    re.IGNORECASE | re.ASCII,
)


def date_part(unit: str, value: Any) -> int | None:
    """A part of a date: its `year`, `month`, `day`, `hour`, `minute` or `second`; None if it is no date."""
    if is_number(value):
        moment = _of_number(value)
        return None if moment is None else getattr(moment, unit)
    match = _DATE.fullmatch(value) if type(value) is str else None
    if match is None:
        return None
    parts = {name: int(match[name] or 0) for name in UNITS}
    ahead = _ahead(match["zone"] or "")
    if not ahead:
        return parts[unit]  # as it is written, also the 31st of a month that has no such day
    moment = _in_utc(parts, ahead)
    return None if moment is None else getattr(moment, unit)


def _of_number(ms: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=math.floor(ms + 0.5) if type(ms) is float else int(ms))
    except OverflowError:
        return None


def _ahead(zone: str) -> timedelta:
    """How far a time zone is ahead of UTC: +01:30, -05:00, Z."""
    if zone in ("", "Z", "z"):
        return timedelta()
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -ahead if zone[0] == "-" else ahead


def _in_utc(parts: dict[str, int], ahead: timedelta) -> datetime | None:
    try:
        # A day beyond the month's last is one of the next month.
        first = datetime(parts["year"], parts["month"], 1, tzinfo=timezone.utc)
        hours = timedelta(hours=parts["hour"], minutes=parts["minute"], seconds=parts["second"])
        return first + timedelta(days=parts["day"] - 1) + hours - ahead
    except (OverflowError, ValueError):
        return None
