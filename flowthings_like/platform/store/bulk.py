"""Statements that go straight to the database driver, past SQLAlchemy: for many rows, and for hot paths.

SQLAlchemy prepares every parameter of every row, which costs as much as SQLite's insertion itself. The
columns here are text and whole numbers, which need no preparation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.dml import Insert, Update
    from sqlalchemy.sql.selectable import Select

# SQLite and PostgreSQL share this form; SQLAlchemy has it once for each.
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def execute_many(
    connection: Connection, statement: Insert | Update, values: Sequence[Mapping[str, Any]]
) -> None:
    """Run `statement` once for each of `values`, which all have the same keys: its parameters or columns."""
    if not values:
        return
    text, pick = _compiled(statement, connection.dialect, frozenset(values[0]))
    connection.exec_driver_sql(text, values if pick is None else list(map(pick, values)))


def execute_one(connection: Connection, statement: Insert, values: Mapping[str, Any]) -> int:
    """Run `statement`, whose columns are the keys of `values`; return how many rows it changed."""
    text, pick = _compiled(statement, connection.dialect, frozenset(values))
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, values if pick is None else pick(values))
        changed: int = cursor.rowcount
    except connection.dialect.loaded_dbapi.OperationalError as error:
        raise OperationalError(text, None, error) from error
    finally:
        cursor.close()
    return changed


def fetch(connection: Connection, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement that is written out, each parameter a `?` in it."""
    if connection.dialect.paramstyle != "qmark":
        text = text.replace("?", "%s")
    return _fetched(connection, text, values)


def fetch_by(
    connection: Connection, statement: Select[Any], values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """The rows of a statement that stays the same, executed again and again, by its parameters."""
    text, pick = _compiled(statement, connection.dialect, frozenset(values))
    return _fetched(connection, text, values if pick is None else pick(values))


def _fetched(connection: Connection, text: str, values: Any) -> list[Any]:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, values)
        found = list(cursor.fetchall())
    except connection.dialect.loaded_dbapi.OperationalError as error:
        raise OperationalError(text, None, error) from error
    finally:
        cursor.close()
    return found


def upsert(dialect: str, table: Table) -> Any:
    """An insert that can be told what to do about a row that is there already."""
    return _INSERTS[dialect](table)


@lru_cache(maxsize=64)
def _compiled(
    statement: Insert | Update | Select[Any], dialect: Dialect, keys: frozenset[str]
) -> tuple[str, Any]:
    """The statement's text, and what puts a row's values in its order (None: it takes them by name)."""
    columns = sorted(keys) if statement.is_insert else None
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    order = getattr(compiled, "positiontup", None)
    if order is not None and len(order) < 2:  # itemgetter makes no tuple of one
        return str(compiled), lambda values: tuple(values[name] for name in order)
    return str(compiled), None if order is None else itemgetter(*order)
