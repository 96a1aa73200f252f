"""The statistics that are counted, and their counters: one number for each object and hour.

A statistic is declared here, and by the resource that it is counted for. What drops and tracks count is
recorded in the transaction that writes the drops, so it is never off by a crash.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ...store.bulk import execute_many, upsert
from ...store.schema import counters

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

HOUR_MS = 3_600_000


class Statistic(NamedTuple):
    """Something that is counted.

    Attributes:
        name: as in URLs, and in the table.
        account_right: the permission at the account's root that it takes, because it counts what happens in
            the whole account, whichever object it is asked of; None if it does not.
    """

    name: str
    account_right: str | None = None


DROP_ADDED = Statistic("flowDropAdded")
"""Drops that arrived in a flow."""
TRACKED = Statistic("flowTracked")
"""Drops that tracks brought to a flow."""
TRACK_HIT = Statistic("trackHit")
"""Drops that reached a track."""
TRACK_PASS = Statistic("trackPass")
"""Drops that passed a track's filter."""
API_CALLS = Statistic("apiCallByIdentity", "read")
"""Requests that an identity made."""
DROPS_CREATED = Statistic("dropCreatedBy", "dropRead")
"""Drops that an identity created."""

Counts = Counter[tuple[str, str]]
"""How often something happened to an object: {(name of the statistic, id of the object): times}."""


def record(connection: Connection, counts: Counts, now_ms: int) -> None:
    """Add to the statistics of the hour of `now_ms`."""
    rows = [
        {"stat": stat, "object_id": name, "hour": now_ms // HOUR_MS, "count": times}
        for (stat, name), times in counts.items()
        if times
    ]
    if rows:
        execute_many(connection, _adding(connection.dialect.name, counters), rows)


@lru_cache
def _adding(dialect: str, table: Table) -> Any:
    insert = upsert(dialect, table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={"count": table.c.count + insert.excluded.count}
    )
