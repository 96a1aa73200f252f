"""Reading JSON columns in SQL: what a member's path is called there, and how its values compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import case, func, null

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

Columns = Mapping[str, "ColumnElement[Any]"]
"""A document's top-level members that are columns of their own. Those that hold JSON may be asked for deeper
members; everything that is named by no column is looked up in the document's JSON."""


def json_path(parts: Sequence[str]) -> str:
    """The SQLite JSON path of nested members. A number names a member too; it is no index into a list."""
    return "$" + "".join("." + orjson.dumps(part).decode() for part in parts)


def locate(
    parts: Sequence[str], columns: Columns, document: ColumnElement[Any]
) -> tuple[ColumnElement[Any], str | None]:
    """Where a member is: a column and the path within its JSON, None if it is the column itself."""
    column = columns.get(parts[0])
    if column is None:
        return document, json_path(parts)
    return column, json_path(parts[1:]) if len(parts) > 1 else None


def value(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member as an SQL value: a number or text; truth as 1 or 0; lists and maps as JSON text; else null."""
    column, path = locate(parts, columns, document)
    return column if path is None else func.json_extract(column, path)


def number(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member's value where it is a number, null where it is anything else."""
    column, path = locate(parts, columns, document)
    if path is None:
        return case((func.typeof(column).in_(("integer", "real")), column), else_=null())
    is_number = func.json_type(column, path).in_(("integer", "real"))
    return case((is_number, func.json_extract(column, path)), else_=null())


def text(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member as JSON text, null where it is missing."""
    column, path = locate(parts, columns, document)
    if path is None:
        return case((column.is_(None), null()), else_=func.json_quote(column))
    return func.json_quote(func.json_extract(column, path)) if path == "$" else column.op("->")(path)
