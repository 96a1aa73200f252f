"""Finding: the methods of a ConnectionPool that select rows by a filter, without SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .rows import check_rows_as
from .selection import Choice, Selection

if TYPE_CHECKING:
    from ...filters.columns import Column
    from ...filters.nodes import Filter
    from ...filters.target import Explanation
    from ...transport.database.drivers.base import Driver
    from ...transport.database.session import Session
    from .options import PoolOptions

__all__ = ["Finding"]

T = TypeVar("T")
Names = str | Iterable[str]


class Finding:
    """The part of a ConnectionPool that finds rows by filters."""

    _driver: Driver
    _options: PoolOptions
    _known_columns: dict[str, dict[str, Column]]

    def _run(self, what: str, body: Callable[[Session], T], idempotent: bool) -> T:
        """Call a function with a session of the pool."""
        raise NotImplementedError

    @overload
    def find(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        partial: bool = False,
        explain: Literal[False] = False,
        rows_as: None = None,
    ) -> list[tuple[Any, ...]]: ...
    @overload
    def find(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        partial: bool = False,
        explain: Literal[False] = False,
        rows_as: type[dict[str, Any]],
    ) -> list[dict[str, Any]]: ...
    @overload
    def find(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        partial: bool = False,
        explain: Literal[False] = False,
        rows_as: Callable[..., T],
    ) -> list[T]: ...
    @overload
    def find(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        partial: bool = False,
        explain: Literal[True],
        rows_as: Any = None,
    ) -> Explanation: ...
    def find(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: str = "asc",
        limit: int | None = None,
        partial: bool = False,
        explain: bool = False,
        rows_as: Any = None,
    ) -> Any:
        """Return the rows of a table that match all these filters: `find("users", mem.login == "yoen")`.

        The database tests the filter, with its values as parameters of the statement. It means what it means
        everywhere: see docs/filters.md. The first call for a table asks for the types of its columns.

        Args:
            table: a table or view: "users", "schema.users". A name with dots stands in backquotes.
            filters: filters or their texts. Without a filter every row matches.
            columns: the columns to return; by default all, in the table's order.
            sort: columns to sort by; `order` is "asc" or "desc". Null counts as the least value, and texts
                are ordered by code points.
            limit: the most rows to return.
            partial: whether a part of the filter that the database cannot test may be tested here, on the
                rows that the rest of it finds.
            explain: return what would be asked of the database, and what would be tested here.
            rows_as: what a row becomes; see `run_query`.

        Raises:
            CannotFilter: the database cannot test a part of the filter, and `partial` is False.
            InvalidInput: an argument is not valid.
            Exception: the driver's own error, for example if there is no such table or column.
        """
        check_rows_as(rows_as)
        selection = self._selection(table, filters, partial, Choice(columns, sort, order, limit))

        def find(connection: Any) -> Any:
            return selection.explain(connection) if explain else selection.rows(connection, rows_as)

        return self._run("find", lambda session: session.finish(find), idempotent=True)

    def first(
        self,
        table: str,
        *filters: Filter | str | None,
        columns: Names | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] = "asc",
        partial: bool = False,
        rows_as: Any = None,
    ) -> Any:
        """Return the first row that `find` would return; None if there is none."""
        check_rows_as(rows_as)
        selection = self._selection(table, filters, partial, Choice(columns, sort, order, 1))

        def find(connection: Any) -> list[Any]:
            return selection.rows(connection, rows_as)

        found = self._run("first", lambda session: session.finish(find), idempotent=True)
        return found[0] if found else None

    def count(self, table: str, *filters: Filter | str | None, partial: bool = False) -> int:
        """Return how many rows of a table match all these filters. See `find`."""
        selection = self._selection(table, filters, partial, Choice())
        number: int = self._run("count", lambda session: session.finish(selection.count), idempotent=True)
        return number

    def _selection(self, table: str, filters: tuple[Any, ...], partial: bool, choice: Choice) -> Selection:
        return Selection(self._driver, self._options, self._known_columns, table, filters, partial, choice)
