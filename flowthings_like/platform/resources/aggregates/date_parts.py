"""Parts of the UTC date of a value, as SQLite's `strftime` reads it: milliseconds, or an ISO 8601 string."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from ....filters.values import is_number

__all__ = ["date_part"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATE = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(?:[ T]+([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
    r"\s*(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?\s*)?",
    re.IGNORECASE | re.ASCII,
)


def date_part(unit: str, value: Any) -> int | None:
    """A part of a date: its `year`, `month`, `day`, `hour`, `minute` or `second`; None if it is no date."""
    moment = _of_number(value) if is_number(value) else _of_text(value) if type(value) is str else None
    return None if moment is None else getattr(moment, unit)


def _of_number(ms: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=math.floor(ms + 0.5) if type(ms) is float else int(ms))
    except OverflowError:
        return None


def _of_text(text: str) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.group(1, 2, 3))
    hour, minute, second = (int(part or 0) for part in match.group(4, 5, 6))
    seconds = second + float(f"0.{match[7] or 0}")
    try:
        # A day beyond the month's last is one of the next month.
        moment = datetime(year, month, 1, tzinfo=timezone.utc) + timedelta(days=day - 1)
        moment += timedelta(hours=hour, minutes=minute, seconds=seconds)
        zone = match[8]
        if zone and zone not in "Zz":
            ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            moment += ahead if zone[0] == "-" else -ahead
        return moment
    except (OverflowError, ValueError):
        return None
