"""QuerySource: the rows of an SQL query."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ..table import Chunk, Position, Table
from .base import Source

if TYPE_CHECKING:
    from ...services.database.pool import ConnectionPool

__all__ = ["QuerySource"]

_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


class QuerySource(Source):
    """The rows of an SQL query. They are fetched as they are needed.

    Args:
        pool: the database.
        sql: the statement. A load with a checkpoint needs `order by` with columns that make an order without
            ties: it goes on by the number of the row.
        parameters: what `pool.run_query` takes after the statement.
    """

    def __init__(self, pool: ConnectionPool, sql: str, *parameters: Any) -> None:
        self._pool = pool
        self._sql = sql
        self._parameters = parameters

    def settings(self) -> dict[str, Any]:
        return {"query": self._sql, "parameters": repr(self._parameters)}

    def check_resumable(self) -> None:
        if not _ORDER.search(self._sql):
            raise ConfigurationError(
                "a query without an order may give other rows the next time, so that a load cannot go on; "
                "add order by, with columns that make an order without ties"
            )

    def chunks(self, size: int, start: Position) -> Generator[Chunk, None, None]:
        rows: Any = self._pool.iterate(self._sql, *self._parameters, size=size, rows_as=dict)
        with closing(rows):
            row = sum(1 for _ in islice(rows, start.row))
            for found in _groups(rows, size):
                numbers = range(row + 1, row + 1 + len(found))
                row += len(found)
                yield Chunk(Table.of_dicts(found, numbers), [], Position(row))


def _groups(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    while found := list(islice(rows, size)):
        yield found
