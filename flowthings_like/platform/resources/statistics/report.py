"""Statistics: how often something happened, hour by hour, added up by hour, day, month or year (UTC).

Drops and tracks are counted by whoever writes them, in the transaction that writes them. API calls are
counted here, in memory, and written down every few seconds: a crash forgets the last of them.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import sqlalchemy as sql

from ... import ids
from ...problems import BadRequest, Forbidden
from ...store.schema import counters
from ..base import verbs as resources
from ..drops import flow_sizes
from ..flows import FLOW
from ..identities import IDENTITY
from ..tracks import TRACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...store.store import Store
    from ..access.rights import Caller
    from ..drops.resource_store import ResourceStore

CALLS = "apiCallByIdentity"
CREATED = "dropCreatedBy"
KINDS = {
    "flowDropAdded": FLOW,
    "flowTracked": FLOW,
    "trackHit": TRACK,
    "trackPass": TRACK,
    CALLS: IDENTITY,
    CREATED: IDENTITY,
}
LEVELS = ("YEAR", "MONTH", "DAY", "HOUR")

_FLUSH_SECONDS = 5.0
_FLUSH_CALLS = 1000
_HOUR = 3600  # seconds

log = logging.getLogger("flowthings_like.platform")


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
        stat: a name in KINDS.
        object_id: the flow, track or identity concerned.
        date: (), (year,), (year, month) or (year, month, day), numbers as text. Without a year: from the year
            in which the object was made until now.
        level: one of LEVELS in any case, what one count is for. Default: one step finer than the date, so
            that a year has 12 counts, a month its days and a day 24.

    Returns:
        One count for each step of the level, the first for the beginning of the date, zero where nothing was.
    """
    kind = KINDS.get(stat)
    if kind is None:
        raise BadRequest(f"there is no statistic {stat!r}: there are {', '.join(KINDS)}")
    resources.read(store, caller, kind, object_id)
    if stat == CREATED and not caller.may(f"/{caller.account}", "dropRead"):
        raise Forbidden(
            f"{CREATED} counts the drops of the whole account: "
            f"it takes the right dropRead at /{caller.account}"
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
    """The moments at which the date begins and ends."""
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


class Calls:
    """Counts API calls by identity and hour.

    Args:
        store: where the counts are written every few seconds, by whichever call is next.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._pending = 0
        self._due = time.monotonic() + _FLUSH_SECONDS

    def count(self, identity: str) -> None:
        """One call more."""
        key = identity, int(time.time()) // _HOUR
        with self._lock:
            self._counts[key] += 1
            self._pending += 1
            due = self._pending >= _FLUSH_CALLS or time.monotonic() >= self._due
        if due:
            self.flush()

    def flush(self) -> None:
        """Write down what has been counted. A failure is logged, and the counts kept for the next time."""
        with self._lock:
            counted, self._counts = self._counts, Counter()
            self._pending = 0
            self._due = time.monotonic() + _FLUSH_SECONDS
        if not counted:
            return

        def work(connection: sql.Connection) -> None:
            for (identity, hour), calls in counted.items():
                flow_sizes.record(connection, Counter({(CALLS, identity): calls}), hour * flow_sizes.HOUR_MS)

        try:
            self._store.write(work)
        except Exception as error:
            log.warning("API calls could not be counted: %s", error)
            with self._lock:
                self._counts.update(counted)
