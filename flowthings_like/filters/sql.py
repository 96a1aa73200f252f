"""Turns a filter into a SQLAlchemy expression that is true or false for every row, never null.

Comparisons with values, EXISTS, IN, AGE, NOT, && and || become plain SQL, which the database runs by itself
and with its indexes. For all other rules SQLite calls the Python predicate, through a function that
`register` installs, so SQL and predicate cannot disagree. PostgreSQL cannot call it: there the SQL leaves the
rows that may match, and the reader tests them with the predicate.

To add a database, add a Writer to WRITERS.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import true

from ..errors import CannotFilter, ConfigurationError
from .postgresql import PostgreSQL
from .predicate import compile_predicate
from .sql_writer import JSON_MEMBERS, Columns, Writer
from .sqlite import SQLite, register
from .target import split

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from . import index_columns
    from .nodes import Filter

__all__ = ["JSON_MEMBERS", "WRITERS", "Translation", "register", "to_sql", "translate"]

WRITERS: dict[str, type[Writer]] = {"sqlite": SQLite, "postgresql": PostgreSQL}
"""The writer for each database, by SQLAlchemy's name of it."""


class Translation(NamedTuple):
    """A filter as a condition on rows.

    Attributes:
        condition: true for every row that matches, false or true for others; never null.
        rest: the filter that the rows must be tested with as well; None if the condition is false for all
            rows that do not match.
    """

    condition: ColumnElement[bool]
    rest: Filter | None


def translate(
    node: Filter,
    *,
    columns: Columns,
    document: ColumnElement[Any],
    dialect: str,
    now: int,
    indexed: index_columns.Columns | None = None,
) -> Translation:
    """A filter as a condition on rows, and what is left to be tested in Python.

    The statement that it is for names the table itself: in some conditions the columns are in subqueries.

    Args:
        node: the filter.
        columns: the top-level members that have columns, by name; null means that the member is missing. If
            `elems` is among them the rows are drops: names that are not a drop's members are elements, and
            the column TYPES holds the types that were stated for the elements.
        document: the JSON text of everything else: a drop's elements, or a whole resource. Non-ASCII
            characters stand in it without escapes, as orjson writes them.
        dialect: SQLAlchemy's name of the database.
        now: ms since the epoch, from which AGE is counted.
        indexed: the columns of indexed members, which are read in place of the document.

    Raises:
        InvalidInput: the filter cannot be evaluated; see `compile_predicate`.
        ConfigurationError: the dialect is unknown, or re2 is needed and not installed.
    """
    writer = _writer(dialect)(columns, document, now, indexed)
    compile_predicate(node)  # raises now, and not row by row, if the filter cannot be evaluated
    try:
        return Translation(writer.write(node), None)
    except CannotFilter:
        parts = split(node, writer.write)
    if parts.said is not None:
        with contextlib.suppress(CannotFilter):  # its rules are too many together
            return Translation(writer.write(parts.said), parts.rest)
    return Translation(true(), node)


def to_sql(
    node: Filter,
    *,
    columns: Columns,
    document: ColumnElement[Any],
    dialect: str,
    now: int,
    indexed: index_columns.Columns | None = None,
) -> ColumnElement[bool]:
    """A filter as a condition that is true for the rows that match and false for all others.

    Args:
        as for `translate`.

    Raises:
        InvalidInput: the filter cannot be evaluated.
        CannotFilter: the database cannot evaluate it.
        ConfigurationError: as `translate`.
    """
    compile_predicate(node)  # raises now, and not row by row, if the filter cannot be evaluated
    return _writer(dialect)(columns, document, now, indexed).write(node)


def _writer(dialect: str) -> type[Writer]:
    found = WRITERS.get(dialect)
    if found is None:
        raise ConfigurationError(f"expected a database among {', '.join(WRITERS)}, not {dialect}")
    return found
