"""The values of a drop's indexed elements as the columns of either database hold them.

SQLite's columns hold values of all types and sort them: numbers, texts, markers. PostgreSQL has two columns a
slot: one for numbers, and one for bytes. A text is stored as its UTF-8, which sorts by code points, and a
marker behind 0xFF, which is in no UTF-8, so that it sorts behind all texts. Sorted by the first column and
then by the second, with nulls last, the values come in SQLite's order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from .schema import NUMBER_NAMES, SLOT_NAMES

__all__ = ["MARKER", "Pair", "columns_of", "pair_of", "written"]

MARKER = b"\xff"
"""What markers begin with in PostgreSQL's columns. All texts sort before it, and all markers after."""


class Pair(NamedTuple):
    """A stored value in PostgreSQL: of both columns at least one is null."""

    number: Decimal | None
    rest: bytes | None


def pair_of(value: Any) -> Pair:
    """The columns' values for a stored value (see filters.index_columns)."""
    kind = type(value)
    if kind is float or kind is int:
        return Pair(Decimal(value), None)  # exactly: all the digits of a float
    if kind is str:
        return Pair(None, value.encode())
    return Pair(None, None if value is None else MARKER + value)


def columns_of(dialect: str) -> tuple[str, ...]:
    """The names of all columns that hold indexed elements in this database."""
    return SLOT_NAMES if dialect == "sqlite" else (*SLOT_NAMES, *NUMBER_NAMES)


def written(values: dict[str, Any], dialect: str) -> dict[str, Any]:
    """A drop's `indexed` and stored values by column, as the database takes them."""
    if dialect == "sqlite":
        return values
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in SLOT_NAMES:
            number = NUMBER_NAMES[SLOT_NAMES.index(name)]
            found[number], found[name] = pair_of(value)
        else:
            found[name] = value
    return found
