"""QuerySource: the rows of an SQL query."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError, InvalidInput
from ..errors import LoadStopped
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

    Raises:
        InvalidInput: the statement is empty.

    The load raises InvalidInput if the database refuses the query, and LoadStopped if it fails later.
    """

    def __init__(self, pool: ConnectionPool, sql: str, *parameters: Any) -> None:
        if not sql.strip():
            raise InvalidInput("the query is empty")
        self._pool = pool
        self._sql = sql
        self._parameters = parameters

    def settings(self) -> dict[str, Any]:
        return {
            "query_of": self._pool._connections.place,
            "query": self._sql,
            "parameters": repr(self._parameters),
        }

    def check_resumable(self) -> None:
        if not _ORDER.search(self._sql):
            raise ConfigurationError(
                "a query without an order may give other rows the next time, so that a load cannot go on; "
                "add order by, with columns that make an order without ties"
            )

    def chunks(self, size: int, start: Position) -> Generator[Chunk, None, None]:
        rows: Any = self._pool.iterate(self._sql, *self._parameters, size=size, rows_as=dict)
        with closing(rows):
            row = sum(len(passed) for passed in self._groups(islice(rows, start.row), size))
            for found in self._groups(rows, size, row):
                numbers = range(row + 1, row + 1 + len(found))
                row += len(found)
                yield Chunk(Table.of_dicts(found, numbers), [], Position(row))

    def _groups(
        self, rows: Iterator[dict[str, Any]], size: int, after: int = 0
    ) -> Iterator[list[dict[str, Any]]]:
        """Rows, so many at a time. `after` is how many there were before."""
        while found := self._group(rows, size, after):
            after += len(found)
            yield found

    def _group(self, rows: Iterator[dict[str, Any]], size: int, after: int) -> list[dict[str, Any]]:
        try:
            return list(islice(rows, size))
        except self._pool._driver.error as error:
            if after:
                raise LoadStopped(f"the query failed after row {after:,}: {error}") from error
            raise InvalidInput(f"the query cannot be made: {error}") from error
