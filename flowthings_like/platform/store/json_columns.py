"""Reading JSON columns in SQL: where a member is, what its value is there, and how it is sorted.

Names follow the filter language: a name that is not a column's is looked up in the document, digits may be an
index of a list, and a trailing `.value` may mean the member before it. What SQLite's paths cannot express is
looked up by the function `json_member`, which is defined here.

`value`, `number` and `text` are SQLite's alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import case, func, null
from sqlalchemy.sql.elements import Null

from ...filters import postgresql_json
from ...filters.sql import JSON_MEMBERS

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

Columns = Mapping[str, "ColumnElement[Any]"]
"""A document's top-level members that are columns of their own; everything else is in the document's JSON."""

_WHOLE = "$"
_NUMBERS = ("integer", "real")
_AN_INDEX = re.compile(r"[0-9]{1,9}")
_AWKWARD = re.compile(r'["\\\x00-\x1f]|^[0-9]+$')  # versions of SQLite differ about quotes in a path


def value(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member as an SQL value: a number or text; truth as 1 or 0; lists and maps as JSON text; else null."""
    column, path = _locate(parts, columns, document)
    return column if path is None else func.json_extract(column, path)


def number(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member's value where it is a number, null where it is anything else."""
    column, path = _locate(parts, columns, document)
    kind = func.typeof(column) if path is None else func.json_type(column, path)
    found = column if path is None else func.json_extract(column, path)
    return case((kind.in_(_NUMBERS), found), else_=null())


def text(parts: Sequence[str], columns: Columns, document: ColumnElement[Any]) -> ColumnElement[Any]:
    """A member as JSON text, null where it is missing."""
    column, path = _locate(parts, columns, document)
    if path is None:
        return case((column.is_not(None), func.json_quote(column)), else_=null())
    return column if path == _WHOLE else column.op("->")(path)


def order(
    parts: Sequence[str],
    columns: Columns,
    document: ColumnElement[Any],
    *,
    descending: bool,
    dialect: str,
) -> list[ColumnElement[Any]]:
    """The order by a member, with documents last in which it is missing or null.

    Numbers, among them truth as 1 and 0, come before strings, lists and maps, which are sorted as text.
    """
    if dialect == "postgresql" and (parts[0] not in columns or parts[0] in JSON_MEMBERS):
        column = columns.get(parts[0], document)
        found = member_in_postgresql(parts, columns, document)
        is_nothing = postgresql_json.computed(column, found, postgresql_json.is_nothing)
        keys = [postgresql_json.computed(column, found, key) for key in postgresql_json.SORT_KEYS]
    else:
        found = value(parts, columns, document)
        if isinstance(found, Null):
            return []  # all are missing, and PostgreSQL refuses to sort by a constant
        is_nothing, keys = found.is_(None), [found]
    return [is_nothing, *(key.desc() if descending else key.asc() for key in keys)]


def register(connection: Any) -> None:
    """Install on a raw connection the function that the expressions call."""
    connection.create_function("json_member", 2, _json_member, deterministic=True)


def _locate(
    parts: Sequence[str], columns: Columns, document: ColumnElement[Any]
) -> tuple[ColumnElement[Any], str | None]:
    """An expression and the member's path within its JSON; None if the expression is the member itself."""
    column = columns.get(parts[0])
    if column is None:
        column, rest = document, tuple(parts)
    elif parts[0] in JSON_MEMBERS:
        rest = tuple(parts[1:])
    else:
        return (null() if len(parts) > 1 else column), None
    if any(_AWKWARD.search(part) for part in rest) or (len(rest) > 1 and rest[-1] == "value"):
        return func.json_member(column, orjson.dumps(rest).decode()), _WHOLE
    return column, _WHOLE + "".join(f'."{part}"' for part in rest)


def member_in_postgresql(
    parts: Sequence[str], columns: Columns, document: ColumnElement[Any]
) -> ColumnElement[Any]:
    """A member as PostgreSQL's `json`, null where it is missing; its column is one of JSON text."""
    column, rest = columns.get(parts[0], document), tuple(parts)
    if parts[0] in columns:
        rest = rest[1:]
    found = postgresql_json.member(column, rest)
    if len(rest) > 1 and rest[-1] == "value":
        return func.coalesce(found, postgresql_json.member(column, rest[:-1]))
    return found


def _json_member(document: str | None, path: str) -> str | None:
    """SQLite's `json_member`: the JSON text of what is at `path`, a JSON list of names; null if missing."""
    if document is None:
        return None
    whole, parts = orjson.loads(document), orjson.loads(path)
    found = _walk(whole, parts)
    if found is _MISSING and parts[-1] == "value":
        found = _walk(whole, parts[:-1])
    return None if found is _MISSING else orjson.dumps(found).decode()


_MISSING: Any = object()


def _walk(value: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and _AN_INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value
