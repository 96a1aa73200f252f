"""Makes a store's tables on PostgreSQL, and brings those of an earlier version up to date.

Processes that do so at the same time wait for each other. PostgreSQL undoes all of it if a part fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.schema import CreateTable

from . import schema
from .migrations.upgrade import REVISIONS, upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

__all__ = ["LOCK", "Upgrade", "bring_up_to_date", "make_tables", "version"]

LOCK = 0x666C6F77
"""The first number of the advisory locks that belong to a platform."""

_LOCK_TABLES = f"SELECT pg_advisory_xact_lock({LOCK}, 2)"
_STATE = schema.platform_state
# Not to_regclass, which may answer from what this session knew before it waited for another one.
_HAS_TABLES = (
    f"SELECT 1 FROM pg_tables WHERE tablename = '{_STATE.name}' AND schemaname = ANY (current_schemas(false))"
)


def version(connection: Connection) -> int | None:
    """The version of the tables; None if there are none."""
    if connection.exec_driver_sql(_HAS_TABLES).first() is None:
        return None
    found: int = connection.execute(select(_STATE.c.version)).scalar_one()
    return found


def make_tables(connection: Connection, partitions: int = 0) -> int:
    """Make the tables if there are none. Returns their version.

    Args:
        connection: within a transaction.
        partitions: in how many parts to cut the tables that grow, by a hash; 0 for not at all.
    """
    connection.exec_driver_sql(_LOCK_TABLES)
    found = version(connection)
    if found is not None:
        return found
    for table in (*schema.metadata.sorted_tables, *schema.on_server.sorted_tables):
        statement = str(CreateTable(table).compile(dialect=connection.dialect))
        key = schema.DISTRIBUTED.get(table.name) if partitions else None
        if key is None:
            connection.exec_driver_sql(statement)
        else:
            connection.exec_driver_sql(f"{statement} PARTITION BY HASH ({key})")
            for part in range(partitions):
                connection.exec_driver_sql(
                    f"CREATE TABLE {table.name}_{part} PARTITION OF {table.name} "
                    f"FOR VALUES WITH (MODULUS {partitions}, REMAINDER {part})"
                )
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection)
            if key is not None:
                _name_parts(connection, str(index.name))
    connection.execute(insert(_STATE).values(version=schema.VERSION, changes=0))
    return schema.VERSION


def _name_parts(connection: Connection, index: str) -> None:
    """Name the parts of an index after it, for those who read the plan of a statement."""
    of_parts = (
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent "
        f"WHERE relname = '{index}' AND pg_table_is_visible(inhparent) ORDER BY inhrelid"
    )
    for part, name in enumerate(connection.exec_driver_sql(of_parts).scalars().all()):
        if name != f"{index}_{part}":  # another database's index of that name is not made here
            connection.exec_driver_sql(f"ALTER INDEX {name} RENAME TO {index}_{part}")


class Upgrade(NamedTuple):
    """The versions that tables had before, and have now."""

    found: int
    last: int


def bring_up_to_date(connection: Connection, revisions: Path = REVISIONS) -> Upgrade:
    """Make the tables those of this version. Writers wait meanwhile."""
    connection.exec_driver_sql(_LOCK_TABLES)
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK}, 1)")
    found = version(connection)
    assert found is not None
    last = upgrade(connection, found, revisions)
    connection.execute(update(_STATE).values(version=last, changes=_STATE.c.changes + 1))
    return Upgrade(found, last)
