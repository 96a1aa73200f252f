"""Reads and writes the node's tables: a whole database when it is loaded, then its changes in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sql

from ...store.bulk import execute_many, upsert
from ...store.schema import things_collections, things_tokens, things_users, things_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Table

__all__ = ["Change", "Key", "Rows", "highest_collection", "load", "merge", "write"]

Key = tuple[Any, ...]
Rows = dict[str, dict[Key, tuple[Any, ...]]]
"""The columns of a row that are not in its key, by the name of the table and the key."""

_TABLES: dict[str, Table] = {
    "collections": things_collections,  # (number,) -> account, name, body
    "values": things_values,  # (collection's number, kind, key) -> body
    "users": things_users,  # (name,) -> account, body
    "tokens": things_tokens,  # (hash,) -> account, body
}


class Change(NamedTuple):
    """The new values of one row, without its key; None deletes the row."""

    table: str
    key: Key
    values: tuple[Any, ...] | None


def load(connection: Connection, account: str) -> Rows:
    """Read all rows of one account."""
    rows: Rows = {}
    for name in ("collections", "users", "tokens"):
        table = _TABLES[name]
        rows[name] = _read(connection, table, sql.select(table).where(table.c.account == account))
    numbers = [key[0] for key in rows["collections"]]
    statement = sql.select(things_values).where(things_values.c.collection.in_(numbers))
    rows["values"] = _read(connection, things_values, statement)
    return rows


def merge(rows: Rows, changes: Iterable[Change]) -> None:
    """Apply changes to rows that were read before the changes reached the disk, or while they did."""
    for table, key, values in changes:
        if values is None:
            rows[table].pop(key, None)
        else:
            rows[table][key] = values


def write(connection: Connection, changes: Iterable[Change]) -> None:
    """Write the changes. Of several changes of one row, only the last is written."""
    latest = {(change.table, change.key): change for change in changes}
    for name, table in _TABLES.items():
        of_table = [change for change in latest.values() if change.table == name]
        _delete(connection, table, [change.key for change in of_table if change.values is None])
        _store(connection, table, [(*key, *values) for _, key, values in of_table if values is not None])


def highest_collection(connection: Connection) -> int:
    """Return the highest number of a collection in the folder, 0 if there is none."""
    return connection.execute(sql.select(sql.func.max(things_collections.c.number))).scalar_one() or 0


def _read(connection: Connection, table: Table, statement: Any) -> dict[Key, tuple[Any, ...]]:
    width = len(table.primary_key)
    return {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(statement)}


def _delete(connection: Connection, table: Table, keys: list[Key]) -> None:
    columns = list(table.primary_key)
    statement = table.delete().where(*(column == sql.bindparam(f"_{column.name}") for column in columns))
    if keys:
        connection.execute(
            statement, [dict(zip((f"_{c.name}" for c in columns), key, strict=True)) for key in keys]
        )
    if table is things_collections and keys:
        numbers = [key[0] for key in keys]
        connection.execute(things_values.delete().where(things_values.c.collection.in_(numbers)))


def _store(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    names = [column.name for column in table.columns]
    insert = upsert(connection.dialect.name, table)
    kept = {name: insert.excluded[name] for name in names if name not in table.primary_key.columns}
    statement = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=kept)
    execute_many(connection, statement, [dict(zip(names, row, strict=True)) for row in rows])
