"""The sizes of flows: how many drops each holds, and the eviction of what no longer fits.

A size is kept in the transaction that changes the drops, so it is never off by a crash.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from ...store.bulk import upsert
from ...store.schema import drops, passing_drops, sizes

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_LAST_TO_GO = (
    select(drops.c.arrived)
    .where(drops.c.flow_id == bindparam("flow"))
    .order_by(drops.c.arrived)
    .limit(1)
    .offset(bindparam("skip"))
    .scalar_subquery()
)
_EVICT = delete(drops).where(drops.c.flow_id == bindparam("flow"), drops.c.arrived <= _LAST_TO_GO)
_SET_SIZE = update(sizes).where(sizes.c.flow_id == bindparam("flow")).values(count=bindparam("now"))


class Size(NamedTuple):
    """How many drops a flow holds, and how many have ever arrived in it."""

    held: int
    arrivals: int


def resize(connection: Connection, flow_id: str, by: int, arrived: int = 0) -> Size:
    """Add `by` to how many drops a flow holds and `arrived` to how many have arrived; return the new size.

    The last has the number `arrivals`, the first `arrivals - arrived + 1`: numbers rise in the order of
    the transactions, whatever the clocks of the processes say.
    """
    statement = _resizing(connection.dialect.name)
    row = connection.execute(statement, {"flow_id": flow_id, "count": by, "arrivals": arrived}).one()
    return Size(*row)


def fit(connection: Connection, flow_id: str, size: int, capacity: int) -> int:
    """Evict the drops that arrived first until `capacity` of the flow's `size` remain; return how many."""
    if size <= capacity:
        return 0
    evicted = connection.execute(_EVICT, {"flow": flow_id, "skip": size - capacity - 1}).rowcount
    connection.execute(_SET_SIZE, {"flow": flow_id, "now": size - evicted})
    return evicted


def shrink(connection: Connection, flow_id: str, capacity: int) -> None:
    """Evict what no longer fits after a flow's capacity was changed to `capacity`."""
    fit(connection, flow_id, resize(connection, flow_id, 0).held, capacity)


def empty(connection: Connection, flow_id: str) -> None:
    """Remove all drops of a flow. The numbers of those that arrive later go on where these ended."""
    connection.execute(delete(drops).where(drops.c.flow_id == flow_id))
    connection.execute(_SET_SIZE, {"flow": flow_id, "now": 0})


def clear(connection: Connection, flow_id: str) -> None:
    """Remove all drops of a flow that is deleted, and its size."""
    connection.execute(delete(drops).where(drops.c.flow_id == flow_id))
    connection.execute(delete(passing_drops).where(passing_drops.c.flow_id == flow_id))
    connection.execute(delete(sizes).where(sizes.c.flow_id == flow_id))


@lru_cache
def _resizing(dialect: str) -> Any:
    insert = upsert(dialect, sizes)
    added = {name: sizes.c[name] + insert.excluded[name] for name in ("count", "arrivals")}
    updating = insert.on_conflict_do_update(index_elements=[sizes.c.flow_id], set_=added)
    return updating.returning(sizes.c.count, sizes.c.arrivals)
