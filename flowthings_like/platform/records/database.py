"""The database of the records: its file and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..duckdb import database
from .problems import Refused
from .tables import TABLES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "Database"]

FILE = "records/records.duckdb"
"""The database in the platform's folder."""

FORMAT = 1
"""The number of the tables' layout. It changes when an older program could not use them."""

_TABLES = "\n".join(
    [*(table.statement for table in TABLES), "create table if not exists commits (acq bigint not null);"]
)


class Database(database.Database):
    """The open database. `commits` has the last stamp of each commit.

    Args:
        path: the file, which is made if it is missing. One process at a time can have it open.
        memory: how much DuckDB may hold, such as "512MB".

    Raises:
        ConfigurationError: DuckDB is not installed, the file cannot be used, or another process has it open.
    """

    def __init__(self, path: Path, memory: str = "512MB") -> None:
        super().__init__(path, database.Schema("records", FORMAT, _TABLES), _closed, memory)


def _closed() -> Refused:
    return Refused("the store is closed")
