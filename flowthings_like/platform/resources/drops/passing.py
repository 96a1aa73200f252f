"""Drops of flows of capacity 0, which hold none: kept for a minute while somebody follows flows.

Followers in other processes read them from here, and so do those that have lost their connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sql

from ...store.bulk import execute_many, fetch
from ...store.schema import passing_drops as table
from . import rows

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .arrival import Arrival

__all__ = ["KEPT", "Passing", "keep", "prune", "read"]

KEPT = 60_000
"""For how long a drop is kept, in ms, and for how long after somebody has followed a flow drops are."""

_INSERT = sql.insert(table)
_PRUNE = sql.delete(table).where(table.c.stored < sql.bindparam("before"))
_PAGE = "SELECT arrived, body FROM passing_drops WHERE flow_id = ? AND arrived > ? ORDER BY arrived LIMIT ?"


class Passing(NamedTuple):
    """A drop that is kept: the number of its arrival, and the columns of `rows.SELECT`."""

    number: int
    row: tuple[Any, ...]


def keep(connection: Connection, arrivals: list[Arrival], now: int) -> None:
    """Keep drops that have numbers, and remove those that were kept for long enough."""
    prune(connection, now)
    stored = [
        {
            "flow_id": arrival.row["flow_id"],
            "arrived": arrival.row["arrived"],
            "stored": now,
            "body": orjson.dumps(rows.to_row(arrival.row)).decode(),
        }
        for arrival in arrivals
    ]
    execute_many(connection, _INSERT, stored)


def prune(connection: Connection, now: int) -> None:
    """Remove the drops that were kept for long enough."""
    connection.execute(_PRUNE, {"before": now - KEPT})


def read(connection: Connection, flow_id: str, position: int, most: int) -> list[Passing]:
    """The drops of a flow that are kept and arrived after a position, in order."""
    found = fetch(connection, _PAGE, (flow_id, position, most))
    return [Passing(number, tuple(orjson.loads(body))) for number, body in found]
