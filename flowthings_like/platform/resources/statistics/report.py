"""Statistics: how often something happened, hour by hour, added up by hour, day, month or year (UTC).

The registry says which statistics there are, and of which resources.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import sqlalchemy as sql

from ....wire.rest import LEVELS
from ... import ids
from ...problems import BadRequest, Forbidden
from ...store.schema import counters
from ..base import registry, verbs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore

_HOUR = 3600  # seconds


def read(
    store: ResourceStore,
    caller: Caller,
    stat: str,
    object_id: str,
    date: Sequence[str] = (),
    level: str | None = None,
) -> list[int]:
    """Counts of `stat` for one object.

    Args:
        stat: a statistic's name.
        object_id: the flow, track or identity concerned.
        date: (), (year,), (year, month) or (year, month, day), numbers as text. Without a year: from the year
            in which the object was made until now.
        level: one of LEVELS in any case, what one count is for. Default: one step finer than the date, so
            that a year has 12 counts, a month its days and a day 24.

    Returns:
        One count for each step of the level, the first for the beginning of the date, zero if there was
        nothing.
    """
    counted = registry.statistics().get(stat)
    if counted is None:
        known = ", ".join(registry.statistics())
        raise BadRequest(f"there is no statistic {stat!r}: there are {known}")
    verbs.read(store, caller, counted.resource, object_id)
    right = counted.statistic.account_right
    if right is not None and not caller.may(f"/{caller.account}", right):
        raise Forbidden(
            f"{stat} is counted for the whole account: it takes the right {right} at /{caller.account}"
        )
    step = LEVELS[len(date)] if level is None else level.upper()
    if step not in LEVELS:
        raise BadRequest(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
    first, last = _period(date, object_id)
    starts = list(_steps(first, last, step))
    statement = sql.select(counters.c.hour, counters.c.count).where(
        counters.c.stat == stat,
        counters.c.object_id == object_id,
        counters.c.hour >= starts[0],
        counters.c.hour < _hour(last),
    )
    steps = [0] * len(starts)
    for hour, count in store.read(lambda connection: connection.execute(statement).all()):
        steps[bisect_right(starts, hour) - 1] += count
    return steps


def _period(date: Sequence[str], object_id: str) -> tuple[datetime, datetime]:
    """The times at which the date begins and ends."""
    if not date:
        made = ids.created_of(object_id) // 1000
        first = datetime.fromtimestamp(made, timezone.utc).year
        return _utc(first), _utc(max(first, datetime.now(timezone.utc).year) + 1)
    try:
        if not all(re.fullmatch("[0-9]{1,4}", part) for part in date):
            raise ValueError("each is a number of at most four digits")
        year, month, day = ([int(part) for part in date] + [1, 1])[:3]
        begin = _utc(year, month, day)
        if not 1970 <= year <= 9000:
            raise ValueError("year must be in 1970..9000")
    except ValueError as error:
        shown = "/".join(part[:40] for part in date)
        raise BadRequest(f"{shown} is no date, year/month/day: {error}") from None
    return begin, _next(begin, LEVELS[len(date) - 1])


def _steps(first: datetime, last: datetime, level: str) -> Iterator[int]:
    """The hours at which each step from `first` up to `last` begins."""
    moment = first
    while moment < last:
        yield _hour(moment)
        moment = _next(moment, level)


def _next(moment: datetime, level: str) -> datetime:
    if level == "YEAR":
        return _utc(moment.year + 1)
    if level == "MONTH":
        return _utc(moment.year + moment.month // 12, moment.month % 12 + 1)
    return moment + (timedelta(days=1) if level == "DAY" else timedelta(hours=1))


def _utc(year: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=timezone.utc)


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // _HOUR
