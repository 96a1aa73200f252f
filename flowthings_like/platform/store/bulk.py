"""One statement for many rows, straight to the driver.

SQLAlchemy prepares every parameter of every row, which costs as much as SQLite's insertion itself. Our
columns are text and whole numbers, which need no preparing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql.dml import Insert, Update


def execute_many(
    connection: Connection, statement: Insert | Update, values: Sequence[Mapping[str, Any]]
) -> None:
    """Run `statement` once for each of `values`, which all have the same keys: its parameters or columns."""
    if not values:
        return
    text, pick = _compiled(statement, connection.dialect, frozenset(values[0]))
    connection.exec_driver_sql(text, values if pick is None else list(map(pick, values)))


@lru_cache(maxsize=64)
def _compiled(statement: Insert | Update, dialect: Dialect, keys: frozenset[str]) -> tuple[str, Any]:
    """The statement's text, and what puts a row's values in its order (None: it takes them by name)."""
    columns = None if statement.is_update else sorted(keys)
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    order = getattr(compiled, "positiontup", None)
    return str(compiled), None if order is None else itemgetter(*order)
