"""SQLSink: rows are inserted into a table of a database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ...errors import InvalidInput
from ...services.database.placeholders import translate, translate_many
from ..errors import LoadStopped
from .base import Delivery, Outcome, Run, Sink, unknown_column
from .halving import send_halving

if TYPE_CHECKING:
    from ...services.database.pool import ConnectionPool
    from ..table import Refuse, Table

__all__ = ["SQLSink"]

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)

MARKS = "flowthings_loads"
"""The table in which loads with a checkpoint note what is stored, in the same transaction."""


class SQLSink(Sink):
    """Inserts rows into a table, whose columns have the names of those of the source.

    A load with a checkpoint creates the table `flowthings_loads`. Each transaction notes there which rows it
    has stored, so that they are stored once. When the load is complete its notes are removed.

    Args:
        pool: the database: `api.db`, or a pool of `flowthings_like.database`.
        table: the name of the table, of letters, digits and `_`, with the schema before it if needed.
        columns: which columns; those of the first rows unless given.

    Raises:
        InvalidInput: a name cannot be used.
    """

    noun = "rows of the table"

    def __init__(self, pool: ConnectionPool, table: str, columns: Sequence[str] | None = None) -> None:
        if not _TABLE.fullmatch(table):
            raise InvalidInput(f"the table is called {table!r}; give letters, digits and _")
        self._pool = pool
        self._table = table
        self._given = columns
        self._columns: list[str] = []
        self._driver = pool._driver
        module = self._driver.module
        self._refusals = (module.DataError, module.IntegrityError, OverflowError)

    def settings(self) -> dict[str, Any]:
        return {
            "database": self._pool._connections.place,
            "table": self._table,
            "columns": self._given and list(self._given),
        }

    def check(self, names: Sequence[str], run: Run) -> None:
        self._columns = list(names if self._given is None else self._given)
        for name in self._columns:
            if name not in names:
                raise unknown_column(name, names, f"the table {self._table}")
            if not _NAME.fullmatch(name):
                raise InvalidInput(f"the column {name!r} cannot be one of a table; rename it in a function")
        try:
            self._pool.run_query(f"select {', '.join(self._columns)} from {self._table} where 1 = 0")
        except self._driver.error as error:
            raise InvalidInput(f"the table {self._table} cannot be used: {error}") from error
        if run.is_resumable:
            self._create_marks()

    def _create_marks(self) -> None:
        try:
            self._pool.run_operation(
                f"create table if not exists {MARKS} "
                "(id varchar(32) not null, first_row bigint not null, last_row bigint not null, "
                "primary key (id, first_row, last_row))"
            )
        except self._driver.error as error:
            raise InvalidInput(
                f"the table {MARKS}, which a load with a checkpoint needs, cannot be created: {error}"
            ) from error

    def prepare(self, table: Table, run: Run, refuse: Refuse) -> list[Delivery]:
        columns = [[_parameter(cell) for cell in table.values(name)] for name in self._columns]
        rows = list(zip(*columns, strict=True))
        return [Delivery(None, rows, table.numbers)]

    def deliver(self, delivery: Delivery, run: Run) -> Outcome:
        def send(rows: Sequence[Any], numbers: Sequence[int]) -> int:
            self._pool.run_interaction(self._insert, rows, numbers, run)
            return len(rows)

        return send_halving(send, delivery.items, delivery.numbers, self._refusals, run)

    def _insert(self, cursor: Any, rows: Sequence[Any], numbers: Sequence[int], run: Run) -> None:
        style, driver = self._driver.paramstyle, self._driver.name
        if run.is_resumable:
            mark = (run.id, numbers[0], numbers[-1])
            # Also a half of these rows, which was stored when all together were refused.
            known = (
                f"select first_row, last_row from {MARKS} where id = ? and first_row >= ? and last_row <= ?"
            )
            cursor.call(lambda raw: raw.execute(*translate(known, mark, style, driver)))
            rows = _without_stored(rows, numbers, cursor.fetchall())
            if not rows:
                return
            note = f"insert into {MARKS} (id, first_row, last_row) values (?, ?, ?)"
            cursor.call(lambda raw: raw.execute(*translate(note, mark, style, driver)))
        places = ", ".join("?" * len(self._columns))
        insert = f"insert into {self._table} ({', '.join(self._columns)}) values ({places})"
        cursor.call(lambda raw: raw.executemany(*translate_many(insert, rows, style, driver)))

    def finish(self, run: Run) -> None:
        if run.is_resumable and self._columns:
            forget = f"delete from {MARKS} where id = ?"
            parts = translate(forget, (run.id,), self._driver.paramstyle, self._driver.name)
            try:
                self._pool.run_operation(*parts)
            except self._driver.error as error:
                raise LoadStopped(f"all rows are stored; the notes in {MARKS} are left: {error}") from error


def _without_stored(
    rows: Sequence[Any], numbers: Sequence[int], marks: list[tuple[int, int]]
) -> Sequence[Any]:
    """The rows whose numbers are in none of the ranges of the marks."""
    if not marks:
        return rows
    is_stored = [any(first <= number <= last for first, last in marks) for number in numbers]
    return [row for row, stored in zip(rows, is_stored, strict=True) if not stored]


def _parameter(value: Any) -> Any:
    """A value as a driver takes it: lists and maps are JSON."""
    return orjson.dumps(value).decode() if type(value) in (dict, list) else value
