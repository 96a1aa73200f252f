"""Drops as rows of the database and as documents: reading rows and converting them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ColumnElement, Text, bindparam, literal, select

from ....filters.values import TYPES
from ...store.bulk import fetch
from ...store.schema import drops
from . import elements

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .flow_cache import Flow

_COLUMNS = (
    *("flow_id", "id", "created", "edited", "creator", "fhash"),
    *("elems", "types", "location", "parent"),
)

SELECT = select(*(drops.c[name] for name in _COLUMNS))
"""Drops with all the columns that make a document, in the order that `to_document` takes."""

SELECT_TEXT = f"SELECT {', '.join(_COLUMNS)} FROM drops"
"""The same, written out."""

NEWEST = (drops.c.id,)
"""Ids begin with the creation time, so within one flow they alone tell the order."""

_IN_CHUNKS = 500

# For many hashes SQLite would read the whole flow, because it expects a flow to hold few drops.
_HINTS = {"id": "", "fhash": "INDEXED BY one_drop_a_hash"}

IN_FLOW = drops.c.flow_id == bindparam("in_flow", required=False)
"""The condition that selects one flow's drops; `of(flow)` gives its parameter."""

COLUMNS: dict[str, ColumnElement[Any]] = {
    "id": drops.c.id,
    "flowId": drops.c.flow_id,
    "path": bindparam("in_path", type_=Text, required=False),
    "creationDate": drops.c.created,
    "creatorId": drops.c.creator,
    "lastEditDate": drops.c.edited,
    "fhash": drops.c.fhash,
    "version": literal(0),
    "location": drops.c.location,
    "parentDropId": drops.c.parent,
    "elems": drops.c.elems,
    TYPES: drops.c.types,
}
"""A drop's members as columns; any other name is one of its elements. `of(flow)` says whose path."""


def of(flow: Flow) -> dict[str, str]:
    """The parameters that a statement over one flow's drops is executed with."""
    return {"in_flow": flow.id, "in_path": flow.path}


def to_document(row: Any, path: str, hints: bool = False) -> dict[str, Any]:
    """A row as the document that readers see.

    Args:
        row: the columns of SELECT.
        path: the flow's path, which is not repeated in every row.
        hints: whether elements read {"type": T, "value": V}.
    """
    flow_id, drop_id, created, edited, creator, fhash, elems, types, location, parent = row
    values = orjson.loads(elems)
    if hints:
        values = elements.with_hints(values, None if types is None else orjson.loads(types))
    document = {
        "id": drop_id,
        "flowId": flow_id,
        "path": path,
        "creationDate": created,
        "creatorId": creator,
        "elems": values,
        "version": 0,
    }
    if fhash is not None:
        document["fhash"] = fhash
    if location is not None:
        document["location"] = orjson.loads(location)
    if edited is not None:
        document["lastEditDate"] = edited
    if parent is not None:
        document["parentDropId"] = orjson.loads(parent)
    return document


def to_filtered(row: Any, path: str) -> dict[str, Any]:
    """A row as the document that filters test: with the stated types."""
    document = to_document(row, path)
    types = types_of(row)
    if types is not None:
        document[TYPES] = orjson.loads(types)
    return document


def from_row(row: Any) -> dict[str, Any]:
    """A row as a map from column to value."""
    return dict(zip(_COLUMNS, row, strict=True))


def to_row(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """A map from column to value as a row of SELECT."""
    return tuple(map(values.__getitem__, _COLUMNS))


def types_of(row: Any) -> str | None:
    """The types that the writer of a row of SELECT has stated, as JSON; None without any."""
    types: str | None = row[_COLUMNS.index("types")]
    return types


def find_one(connection: Connection, flow_id: str, drop_id: str) -> Any:
    """One drop's row, None if there is none."""
    found = fetch(connection, f"{SELECT_TEXT} WHERE flow_id = ? AND id = ?", (flow_id, drop_id))
    return found[0] if found else None


def find_by_id(connection: Connection, flow_id: str, ids: list[str]) -> dict[str, Any]:
    """The rows of those of `ids` that exist, by id."""
    column = _COLUMNS.index("id")
    return {row[column]: row for row in _in_chunks(connection, "id", flow_id, ids)}


def find_by_fhash(connection: Connection, flow_id: str, hashes: list[str]) -> dict[str, Any]:
    """The rows of those of `hashes` that exist, by fhash."""
    column = _COLUMNS.index("fhash")
    return {row[column]: row for row in _in_chunks(connection, "fhash", flow_id, hashes)}


def _in_chunks(connection: Connection, column: str, flow_id: str, names: list[str]) -> list[Any]:
    found: list[Any] = []
    hint = _HINTS[column] if connection.dialect.name == "sqlite" else ""
    for start in range(0, len(names), _IN_CHUNKS):
        chunk = names[start : start + _IN_CHUNKS]
        marks = ", ".join("?" * len(chunk))
        text = f"{SELECT_TEXT} {hint} WHERE flow_id = ? AND {column} IN ({marks})"
        found += fetch(connection, text, (flow_id, *chunk))
    return found
