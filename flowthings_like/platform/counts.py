"""What is counted as drops come and go: how many a flow holds, and what happened in which hour.

Both are kept in the transaction that changes the drops, so they are never off by a crash.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from .store.bulk import execute_many, upsert
from .store.schema import counters, drops, sizes

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection

HOUR_MS = 3_600_000

Happened = Counter[tuple[str, str]]
"""How often a statistic happened to an object: {(stat, id of the object): times}."""

_CUT = (
    select(drops.c.id)
    .where(drops.c.flow_id == bindparam("flow"))
    .order_by(drops.c.id)
    .limit(1)
    .offset(bindparam("skip"))
    .scalar_subquery()
)
_EVICT = delete(drops).where(drops.c.flow_id == bindparam("flow"), drops.c.id <= _CUT)
_SET_SIZE = update(sizes).where(sizes.c.flow_id == bindparam("flow")).values(count=bindparam("now"))


def record(connection: Connection, happened: Happened, now_ms: int) -> None:
    """Add to the statistics of the hour of `now_ms`."""
    rows = [
        {"stat": stat, "object_id": name, "hour": now_ms // HOUR_MS, "count": times}
        for (stat, name), times in happened.items()
        if times
    ]
    if rows:
        execute_many(connection, _adding(connection.dialect.name, counters), rows)


def resize(connection: Connection, flow_id: str, by: int) -> int:
    """Note that a flow holds `by` drops more (or fewer); return how many it holds now."""
    statement = _resizing(connection.dialect.name)
    size: int = connection.execute(statement, {"flow_id": flow_id, "count": by}).scalar_one()
    return size


def fit(connection: Connection, flow_id: str, size: int, capacity: int) -> None:
    """Evict the oldest of a flow's `size` drops so that `capacity` remain."""
    if size > capacity:
        connection.execute(_EVICT, {"flow": flow_id, "skip": size - capacity - 1})
        connection.execute(_SET_SIZE, {"flow": flow_id, "now": capacity})


def shrink(connection: Connection, flow_id: str, capacity: int) -> None:
    """Evict what no longer fits after a flow's capacity was changed to `capacity`."""
    fit(connection, flow_id, resize(connection, flow_id, 0), capacity)


def clear(connection: Connection, flow_id: str) -> None:
    """Remove all drops of a flow."""
    connection.execute(delete(drops).where(drops.c.flow_id == flow_id))
    connection.execute(delete(sizes).where(sizes.c.flow_id == flow_id))


@lru_cache
def _adding(dialect: str, table: Table) -> Any:
    insert = upsert(dialect, table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={"count": table.c.count + insert.excluded.count}
    )


@lru_cache
def _resizing(dialect: str) -> Any:
    return _adding(dialect, sizes).returning(sizes.c.count)
