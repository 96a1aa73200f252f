"""What has been committed, as the database says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tables import LONG, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..duckdb.database import Database
    from .tables import Table

__all__ = ["Committed", "read_committed"]


@dataclass(frozen=True, slots=True)
class Committed:
    """The end of what is stored.

    Attributes:
        last_stamp: the highest stamp that was given out, 0 if none was.
        rows: {table: rows}: one more than the number of the table's last row.
        payload_end: behind the last payload in the payload file.
    """

    last_stamp: int
    rows: Mapping[Table, int]
    payload_end: int


def read_committed(database: Database) -> Committed:
    """Read it. Called in a native thread, while nothing is being committed."""
    ((last_stamp,),) = database.rows("select coalesce(max(acq), 0) from commits")
    ((last,),) = database.rows(f"select coalesce(max(position), 0) from {LONG.name}")  # fast: of statistics
    ((payload_end,),) = database.rows(
        f"select coalesce(max(position + size), 0) from {LONG.name} where position = {last}"
    )
    rows = {
        table: database.rows(f"select coalesce(max(rowid) + 1, 0) from {table.name}")[0][0]
        for table in TABLES
    }
    return Committed(last_stamp, rows, payload_end)
