"""Finds streams by filters on their metadata: `client.find(mem.collection == "sensors/jfk")`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload
from uuid import UUID

from ...errors import InvalidInput, InvalidResponse
from ...filters.predicate import compile_predicate
from ...filters.streams import Lookup, Query, StreamPlan, plan
from ...filters.target import Explanation, filter_of
from ...green.calls.markers import plain, reads
from ...transport.outgoing_values import resolve
from .dialect import Descriptor
from .metadata import document_of
from .stream import Stream
from .stream_order import StreamOrder
from .streamset import StreamSet

if TYPE_CHECKING:
    from ...filters.nodes import Filter
    from .dialect import Dialect

__all__ = ["Finding"]

MOST_IN_A_PAGE = 100_000
_COLUMNS = "uuid, collection, name, unit, ingress, distiller, annotations, property_version"
_TAGS = ("name", "unit", "ingress", "distiller")


class Finding:
    """The calls of a client that find streams by filters."""

    def _dialect(self) -> Dialect:
        raise NotImplementedError

    @overload
    def find(
        self,
        *filters: Filter | str,
        limit: int | None = None,
        sort: str | None = None,
        order: Literal["asc", "desc"] = "asc",
        partial: bool = False,
        explain: Literal[False] = False,
    ) -> StreamSet: ...

    @overload
    def find(
        self,
        *filters: Filter | str,
        limit: int | None = None,
        sort: str | None = None,
        order: Literal["asc", "desc"] = "asc",
        partial: bool = False,
        explain: Literal[True],
    ) -> Explanation: ...

    @reads
    def find(
        self,
        *filters: Filter | str,
        limit: int | None = None,
        sort: str | None = None,
        order: Literal["asc", "desc"] = "asc",
        partial: bool = False,
        explain: bool = False,
    ) -> Any:
        """Find the streams whose metadata match all filters.

        >>> client.find(mem.collection == "sensors/jfk", mem.tags.unit == "F")  # doctest: +SKIP
        >>> client.find(mem.name.re("^t"), mem.annotations.floor > 2, sort="name")  # doctest: +SKIP

        The server finds them, by LookupStreams if that says it all, else by SQL with parameters. Annotations
        are tested again when they come, because the server knows their texts alone.

        Args:
            filters: filters, or their texts; none for all streams. Members are `uuid`, `collection`, `name`,
                `unit`, `tags.…` and `annotations.…`. A tag that is empty is missing.
            limit: return the first so many.
            sort: the member to sort by: numbers, then texts by code points, then the others; streams without
                it come last. Equal ones, and without `sort` all, are in the order of collection, name, uuid.
            order: "asc" or "desc".
            partial: test here what the server cannot be asked for, on the streams that it finds by the rest.
            explain: return the Explanation of the search, which is not made.

        Raises:
            CannotFilter: the server cannot be asked for a part of the filter, and `partial` is False.
            InvalidInput: an argument cannot be used.
        """
        search = self._search(filters, partial)
        wanted = StreamOrder.of(sort, order)
        most = _check_count(limit, "limit", 0)
        if explain:
            return search.explanation()
        found = search.sorted(wanted, most)
        return StreamSet([Stream._of(self, each) for each in found], client=self)  # type: ignore[arg-type]

    @plain
    def find_pages(
        self, *filters: Filter | str, page: int = 1000, partial: bool = False
    ) -> Iterator[StreamSet]:
        """Find streams as `find` does, and return them in parts as they are asked for, in any order.

        Args:
            filters, partial: as for `find`.
            page: streams in a part, at most, 1 to 100,000.

        Yields:
            StreamSets, none of which is empty. Streams that are made meanwhile may be left out.
        """
        size = _check_count(page, "page", 1)
        if size is None or size > MOST_IN_A_PAGE:
            raise InvalidInput(f"page is {page!r}; give a number of streams, 1 to {MOST_IN_A_PAGE:,}")
        search = self._search(filters, partial)

        def pages() -> Iterator[StreamSet]:
            for found in search.pages(size):
                yield StreamSet([Stream._of(self, each) for each in found], client=self)  # type: ignore[arg-type]

        return pages()

    def _search(self, filters: tuple[Any, ...], partial: bool) -> _Search:
        given = [node for node in map(filter_of, filters) if node is not None]
        node = reduce(lambda one, other: one & other, given) if given else None
        dialect = self._dialect()
        return _Search(dialect, plan(node, partial=bool(resolve(partial)), has_sql=dialect.has_sql))


@dataclass(frozen=True, slots=True)
class _Search:
    """A planned search on one server."""

    dialect: Dialect
    plan: StreamPlan

    def explanation(self) -> Explanation:
        request, rest = self.plan.request, self.plan.rest
        said = str(request) if isinstance(request, Lookup) else f"SQLQuery: {_select(request)}"
        return Explanation("streams", (said,), "" if rest is None else str(rest))

    def sorted(self, order: StreamOrder, limit: int | None) -> list[Descriptor]:
        """The streams in an order, the first so many."""
        request = self.plan.request
        if isinstance(request, Query) and self.plan.rest is None and (by := order.sql()) is not None:
            most = "" if limit is None else f" limit {limit}"
            return list(self._rows(f"{_select(request)} order by {by}{most}", request.parameters))
        found = self._matching(self._everything())
        return order.sorted(found)[:limit]

    def pages(self, size: int) -> Iterator[list[Descriptor]]:
        """The streams in parts of at most that size."""
        request = self.plan.request
        if isinstance(request, Lookup):
            found = self._matching(self._everything())
            while part := list(islice(found, size)):
                yield part
            return
        last = ""
        while True:
            behind = f"${len(request.parameters) + 1}"
            query = f"{_select(request)} and uuid::text > {behind} order by uuid::text limit {size}"
            rows = list(self._rows(query, (*request.parameters, last)))
            matching = list(self._matching(rows))
            if matching:
                yield matching
            if len(rows) < size:
                return
            last = str(rows[-1].uuid)

    def _everything(self) -> Iterable[Descriptor]:
        request = self.plan.request
        if isinstance(request, Query):
            return self._rows(_select(request), request.parameters)
        return self.dialect.lookup(request.collection, request.is_prefix, request.tags, request.annotations)

    def _matching(self, found: Iterable[Descriptor]) -> Iterator[Descriptor]:
        if self.plan.rest is None:
            return iter(found)
        test, now = compile_predicate(self.plan.rest), int(time.time() * 1000)
        return (each for each in found if test(document_of(each), now))

    def _rows(self, query: str, parameters: tuple[str, ...]) -> Iterator[Descriptor]:
        return map(_descriptor, self.dialect.sql(query, parameters))


def _select(request: Query) -> str:
    return f"select {_COLUMNS} from streams where {request.where}"


def _descriptor(row: Any) -> Descriptor:
    """The metadata in a row of the table streams."""
    try:
        annotations = row["annotations"] or {}
        if isinstance(annotations, str):
            annotations = json.loads(annotations)
        return Descriptor(
            UUID(row["uuid"]),
            str(row["collection"]),
            {name: row.get(name) or "" for name in _TAGS},
            {str(key): "" if text is None else str(text) for key, text in annotations.items()},
            int(row.get("property_version") or 0),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidResponse("a row of the server's answer is not a row of the table streams") from None


def _check_count(value: Any, what: str, least: int) -> int | None:
    """Return a number of streams, or None.

    Raises:
        InvalidInput: it is something else.
    """
    value = resolve(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{what} is {value!r}; give a number of streams, {least} or more")
    return value
