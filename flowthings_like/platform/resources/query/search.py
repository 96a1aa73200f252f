"""A search: the statement of a query, and what is left to do with its rows.

A database that cannot test a whole filter gives the rows that may match, in order and in batches. The rest of
the filter is tested here, until the page is full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ....filters.predicate import compile_predicate
from ...store.cancellation import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.selectable import Select

    from ....filters.nodes import Filter

__all__ = ["BATCH", "Search", "stream"]

BATCH = 500
"""Rows that are fetched at once from a database that cannot test a whole filter."""


class Search(NamedTuple):
    """How a query is done.

    Attributes:
        statement: gives the rows in order; with `rest` None, only those of the page.
        rest: the filter that the rows must be tested with.
        start, limit: the page, counted among the rows that match.
        now: ms since the epoch, from which AGE is counted.
    """

    statement: Select[Any]
    rest: Filter | None
    start: int
    limit: int
    now: int

    def fetch(
        self,
        connection: Connection,
        parameters: Mapping[str, Any],
        document: Callable[[Any], Mapping[str, Any]],
    ) -> list[Any]:
        """The rows of the page.

        Args:
            document: a row -> what filters test.

        Raises:
            Problem: the context's CancelScope has ended the search.
        """
        if self.rest is None:
            return list(connection.execute(self.statement, parameters).all())
        test, found, skip = compile_predicate(self.rest), [], self.start
        for row in stream(connection, self.statement, parameters) if self.limit else ():
            if not test(document(row), self.now):
                continue
            if skip:
                skip -= 1
                continue
            found.append(row)
            if len(found) == self.limit:
                break
        return found


def stream(connection: Connection, statement: Select[Any], parameters: Mapping[str, Any]) -> Iterator[Any]:
    """The rows of a statement, fetched in batches.

    Raises:
        Problem: the context's CancelScope has ended the search.
    """
    scope = CURRENT.get()
    with connection.execute(statement, parameters, execution_options={"yield_per": BATCH}) as result:
        for batch in result.partitions():
            if scope is not None and scope.is_cancelled() and scope.problem is not None:
                raise scope.problem
            yield from batch
