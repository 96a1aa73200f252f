"""Selection: a SELECT statement that is made from a filter, for one call of `find`, `first` or `count`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import CannotFilter, InvalidInput
from ...filters.columns import Column, Kind, quote_table
from ...filters.dbapi import FUNCTION, Where, filter_row, to_where
from ...filters.row_members import columns_of, reads_all_columns
from ...filters.target import Explanation, Parts, all_filters, split
from ...green.calls.thunk import unwrap
from .row_documents import row_document
from .rows import convert_rows
from .table_columns import dialect_for, read_columns
from .transaction import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...filters.nodes import Filter
    from ...transport.database.drivers.base import Driver
    from .options import PoolOptions

__all__ = ["Choice", "Selection"]

SIZE = 1_000
"""How many rows are fetched at a time where they are tested here."""


class Choice:
    """Which rows a call returns, and what of them: the arguments of `find`.

    Attributes:
        columns: the columns; None for all.
        sort: the columns to sort by.
        is_descending: whether the last ones come first.
        limit: the most rows; None for no limit.
    """

    __slots__ = ("columns", "is_descending", "limit", "sort")

    def __init__(self, columns: Any = None, sort: Any = None, order: Any = "asc", limit: Any = None) -> None:
        self.columns = None if columns is None else _names(columns, "columns")
        self.sort = () if sort is None else _names(sort, "sort")
        if self.columns == ():
            raise InvalidInput("columns is empty; leave it out for all columns")
        order = order if type(order) is str else unwrap(order)
        if order not in ("asc", "desc"):
            raise InvalidInput(f'order is {order!r}; give "asc" or "desc"')
        self.is_descending = order == "desc"
        limit = limit if limit is None or type(limit) is int else unwrap(limit)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise InvalidInput(f"limit is {limit!r}; give a whole number of 0 or more, or None")
        self.limit: int | None = limit


@dataclass(slots=True)
class _Plan:
    """A filter, as it is run on one table.

    Attributes:
        where: what the database tests; None if that is nothing.
        parts: what was said and what is left.
        columns: the columns that the filter and the order name.
    """

    where: Where | None
    parts: Parts
    columns: Mapping[str, Column]


class Selection:
    """What one call selects.

    Args:
        driver, options: of the pool.
        known: the types of the columns that the pool has asked for, by table and column.
        table: the table's name.
        filters: filters or their texts.
        partial: whether rows may be tested here.
        choice: the other arguments of the call.
    """

    def __init__(
        self,
        driver: Driver,
        options: PoolOptions,
        known: dict[str, dict[str, Column]],
        table: str,
        filters: tuple[Any, ...],
        partial: bool,
        choice: Choice,
    ) -> None:
        self._driver = driver
        self._options = options
        self._known = known
        self._dialect = dialect_for(driver)
        self._table = quote_table(self._dialect, _string(table, "a table's name"))
        self._filter = all_filters(filters)
        self._partial = partial
        self._choice = choice

    # Each of the following is called within an exchange, with the driver's connection.

    def explain(self, connection: Any) -> Explanation:
        """What `rows` would do."""
        plan = self._plan(connection)
        statement = self._statement(self._selected(plan), plan)
        self._driver.commit(connection)
        return Explanation.of("dbapi", [statement.args[0]], plan.parts)

    def rows(self, connection: Any, rows_as: Any) -> list[Any]:
        """The rows."""
        with _Forgetting(self._known, self._table):
            plan = self._plan(connection)
            cursor = self._execute(connection, self._selected(plan), plan)
            if plan.parts.rest is None:
                description, rows = cursor.description, cursor.fetchall()
            else:
                rows = list(islice(self._tested(cursor, plan), self._choice.limit))
                description, rows = self._projected(cursor.description, rows)
            found = convert_rows(rows_as, description, rows)
            self._driver.close_cursor(cursor)
            self._driver.commit(connection)
        return found

    def count(self, connection: Any) -> int:
        """How many rows match."""
        with _Forgetting(self._known, self._table):
            plan = self._plan(connection)
            if plan.parts.rest is None:
                cursor = self._execute(connection, "count(*)", plan)
                (number,) = _values(cursor.fetchone())
            else:
                cursor = self._execute(connection, self._selected(plan), plan)
                number = sum(1 for _ in self._tested(cursor, plan))
            self._driver.close_cursor(cursor)
            self._driver.commit(connection)
        return int(number)

    def _plan(self, connection: Any) -> _Plan:
        node, now = self._filter, time.time_ns() // 1_000_000
        named = [*self._choice.sort, *(() if node is None else columns_of(node))]
        columns = self._columns(connection, named)
        if node is None:
            return _Plan(None, Parts(None, None), columns)

        def write(part: Filter) -> Where:
            return to_where(part, columns, self._dialect, now)

        try:
            return _Plan(write(node), Parts(node, None), columns)
        except CannotFilter:
            parts = split(node, write, partial=self._partial)
        return _Plan(None if parts.said is None else write(parts.said), parts, columns)

    def _columns(self, connection: Any, names: list[str]) -> Mapping[str, Column]:
        known = self._known.get(self._table, {})
        missing = [name for name in names if name not in known]
        if missing:
            known = {**known, **read_columns(self._driver, connection, self._table, missing)}
            self._known[self._table] = known
        return known

    def _selected(self, plan: _Plan) -> str:
        """The columns to ask for. Those that the rest of the filter reads come last."""
        chosen, rest = self._choice.columns, plan.parts.rest
        if chosen is None or (rest is not None and reads_all_columns(rest)):
            return "*"
        read = () if rest is None else columns_of(rest)
        return ", ".join(map(self._dialect.quote, dict.fromkeys([*chosen, *read])))

    def _projected(self, description: Sequence[Any], rows: list[Any]) -> tuple[Sequence[Any], list[Any]]:
        """The description and the rows with the chosen columns alone."""
        chosen = self._choice.columns
        names = [column[0] for column in description]
        if chosen is None or names == list(chosen):
            return description, rows
        places = [names.index(name) for name in chosen]
        projected = [tuple([row[place] for place in places]) for row in map(_values, rows)]
        return [description[place] for place in places], projected

    def _tested(self, cursor: Any, plan: _Plan) -> Iterator[Any]:
        test, now = plan.parts.test(), time.time_ns() // 1_000_000
        assert test is not None
        names = [column[0] for column in cursor.description] if cursor.description else None
        while rows := cursor.fetchmany(SIZE):
            names = names or [column[0] for column in cursor.description]
            for row in rows:
                if test(row_document(names, _values(row)), now):
                    yield row

    def _execute(self, connection: Any, selected: str, plan: _Plan) -> Any:
        statement = self._statement(selected, plan)
        if plan.where is not None and plan.where.calls:
            connection.create_function(FUNCTION, -1, filter_row, deterministic=True)
        if plan.parts.rest is None:
            cursor = self._driver.cursor(connection)
        else:
            cursor = self._driver.streaming_cursor(connection, SIZE)
        cursor.execute(*statement.args)
        return cursor

    def _statement(self, selected: str, plan: _Plan) -> Statement:
        text = f"SELECT {selected} FROM {self._table}"
        values: tuple[Any, ...] = ()
        if plan.where is not None:
            text += f" WHERE {plan.where.text}"
            values = plan.where.parameters
        if self._choice.sort:
            text += f" ORDER BY {self._order(plan.columns)}"
        limit = self._choice.limit
        if limit is not None and plan.parts.rest is None:
            text += f" FETCH FIRST {limit} ROWS ONLY" if self._dialect.fetches else f" LIMIT {limit}"
        return Statement.written_here(self._options, self._driver, text, values)

    def _order(self, columns: Mapping[str, Column]) -> str:
        dialect, parts = self._dialect, []
        for name in self._choice.sort:
            quoted = dialect.quote(name)
            is_text = columns[name].kind in (Kind.TEXT, Kind.ANY)
            column = dialect.text(quoted) if is_text else quoted
            direction = " DESC" if self._choice.is_descending else ""
            parts.append(column + direction + dialect.nulls(self._choice.is_descending))
        return ", ".join(parts)


class _Forgetting:
    """Forgets what is known of a table if a statement fails: its columns may have other types now."""

    __slots__ = ("_known", "_table")

    def __init__(self, known: dict[str, dict[str, Column]], table: str) -> None:
        self._known = known
        self._table = table

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._known.pop(self._table, None)


def _string(value: Any, what: str) -> str:
    if type(value) is str:
        return value
    value = unwrap(value)
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is a {type(value).__name__}; give a str")
    return value


def _names(value: Any, what: str) -> tuple[str, ...]:
    if type(value) is not tuple:
        value = unwrap(value)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise InvalidInput(f"{what} is a {type(value).__name__}; give a column's name, or a list of names")
    what = f"a name in {what}"
    return tuple([_string(name, what) for name in value])


def _values(row: Any) -> Any:
    """The values of a row: a connection's row factory may have made a dict of it."""
    return tuple(row.values()) if isinstance(row, Mapping) else row
