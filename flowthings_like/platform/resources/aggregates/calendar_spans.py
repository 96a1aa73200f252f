"""Parts of the UTC calendar as spans of time, so that a group of a day or month is one range of an index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from .plan import UNITS

MOST = 500
"""Most spans that are read one by one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_STEPS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_FIRST = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}


class Span(NamedTuple):
    """From `start` until before `end`, in ms since the epoch; `key` is what each of the units is in it."""

    key: tuple[int, ...]
    start: int
    end: int


def spans(units: Sequence[str], first: int, last: int) -> list[Span] | None:
    """The spans that cover the time from `first` to `last`, one for each combination of these units.

    None if there would be more than MOST, or two with one key, such as the Januaries of two years.
    """
    finest = max(units, key=UNITS.index)
    finer = UNITS[UNITS.index(finest) + 1 :]
    begun: dict[str, Any] = {"microsecond": 0, **{unit: _FIRST[unit] for unit in finer}}
    moment = (_EPOCH + timedelta(milliseconds=first)).replace(**begun)
    found: list[Span] = []
    seen: set[tuple[int, ...]] = set()
    while (start := (moment - _EPOCH) // timedelta(milliseconds=1)) <= last:
        key = tuple(getattr(moment, unit) for unit in units)
        moment = _next(moment, finest)
        if key in seen or len(found) == MOST:
            return None
        seen.add(key)
        found.append(Span(key, start, (moment - _EPOCH) // timedelta(milliseconds=1)))
    return found


def _next(moment: datetime, unit: str) -> datetime:
    if unit == "year":
        return moment.replace(year=moment.year + 1)
    if unit == "month":
        return moment.replace(year=moment.year + moment.month // 12, month=moment.month % 12 + 1)
    return moment + _STEPS[unit]
