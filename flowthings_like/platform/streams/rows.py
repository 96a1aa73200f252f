"""Devices and units: rows that clients write and read through SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .transaction import Transaction

__all__ = ["DEVICES", "UNITS", "Table", "create", "delete", "update"]

_LONGEST = 64 << 10
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows clients write.

    Attributes:
        name: of the table.
        texts: the columns that take texts.
        objects: the columns that take JSON objects.
    """

    name: str
    texts: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def checked(self, fields: bytes) -> dict[str, Any]:
        """The columns in a JSON object. Raises INVALID_PARAMETER."""
        if len(fields) > _LONGEST:
            raise _invalid(f"a row has at most {_LONGEST:,} bytes")
        try:
            found = orjson.loads(fields or b"{}")
        except ValueError:
            raise _invalid("fields is a JSON object") from None
        if not isinstance(found, dict):
            raise _invalid("fields is a JSON object")
        for name, value in found.items():
            if name in self.texts:
                if not isinstance(value, str | None):
                    raise _invalid(f"{name} is a text, or null")
            elif name in self.objects:
                if not isinstance(value, dict | None):
                    raise _invalid(f"{name} is a JSON object, or null")
            else:
                known = ", ".join((*self.texts, *self.objects))
                raise _invalid(f"{self.name} have no column {name[:64]!r} to write; there are {known}")
        return found


DEVICES = Table("devices", ("name", "description", "type", "location"), ("properties",))
UNITS = Table("units", ("name", "symbol", "description"))


def create(transaction: Transaction, table: Table, account: str, fields: Mapping[str, Any]) -> int:
    """Add a row. Returns its id."""
    cursor = transaction.cursor
    ((highest, count),) = cursor.execute(
        f"select coalesce(max(id), 0), count(*) from {table.name} where account = $1", [account]
    ).fetchall()
    if count >= _MOST:
        raise StreamProblem(Code.RESOURCES_DEPLETED, f"there are {_MOST:,} {table.name} already")
    cursor.execute(
        f"insert into {table.name} values ($1, $2, $3, now(), now())",
        [account, highest + 1, orjson.dumps(fields).decode()],
    )
    transaction.has_changed_metadata = True
    return int(highest) + 1


def update(transaction: Transaction, table: Table, account: str, id: int, fields: Mapping[str, Any]) -> None:
    """Change columns of a row. Raises NOT_FOUND."""
    key = [account, id]
    found = transaction.cursor.execute(
        f"select fields from {table.name} where account = $1 and id = $2", key
    ).fetchone()
    if found is None:
        raise _not_found(table)
    now = {**orjson.loads(found[0]), **fields}
    transaction.cursor.execute(
        f"update {table.name} set fields = $3, updated_at = now() where account = $1 and id = $2",
        [*key, orjson.dumps(now).decode()],
    )
    transaction.has_changed_metadata = True


def delete(transaction: Transaction, table: Table, account: str, id: int) -> None:
    """Delete a row. Raises NOT_FOUND."""
    key = [account, id]
    found = transaction.cursor.execute(
        f"select 1 from {table.name} where account = $1 and id = $2", key
    ).fetchone()
    if found is None:
        raise _not_found(table)
    transaction.cursor.execute(f"delete from {table.name} where account = $1 and id = $2", key)
    transaction.has_changed_metadata = True


def _invalid(message: str) -> StreamProblem:
    return StreamProblem(Code.INVALID_PARAMETER, message)


def _not_found(table: Table) -> StreamProblem:
    return StreamProblem(Code.NO_SUCH_STREAM, f"{table.name} have no row with this id")
