"""FlowSource: the drops of a flow."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...changes import filter_text, join_filters
from ...filters.build import mem
from ..arrow_columns import UNITS
from ..sinks.base import place_of
from ..table import Chunk, Position, Table
from .base import Source

if TYPE_CHECKING:
    from ...api import API
    from ...filters.nodes import Filter

__all__ = ["FlowSource"]

_PAGE = 1000
"""Drops that are fetched in one request."""


class FlowSource(Source):
    """The drops of a flow, in the order of their ids, which is that of their creation dates.

    A row has the columns `id`, `creationDate` (milliseconds since 1970), and one for each element.

    Args:
        api: whose flow it is.
        flow: its path or id.
        filter: which drops; None for all.
    """

    key = "id"
    time_units = MappingProxyType({"creationDate": UNITS["ms"]})

    def __init__(self, api: API, flow: str, filter: Filter | str | None = None) -> None:
        self._api = api
        self._flow = flow
        self._filter = None if filter is None else filter_text(filter)

    def settings(self) -> dict[str, Any]:
        return {"flow_of": place_of(self._api), "flow": self._flow, "flow_filter": self._filter}

    def chunks(self, size: int, start: Position) -> Generator[Chunk, None, None]:
        filters: list[Any] = [] if self._filter is None else [self._filter]
        if start.mark is not None:
            filters.append(mem.id > start.mark)
        wanted = join_filters(filters) if filters else None
        drops: Any = self._api.drop(self._flow).iterate(wanted, page=min(size, _PAGE), order="asc")
        row = start.row
        with closing(drops):
            while found := list(islice(drops, size)):
                numbers = range(row + 1, row + 1 + len(found))
                row += len(found)
                table = Table.of_dicts(list(map(_as_row, found)), numbers)
                yield Chunk(table, [], Position(row, found[-1]["id"]))


def _as_row(drop: dict[str, Any]) -> dict[str, Any]:
    return {**drop["elems"], "id": drop["id"], "creationDate": drop["creationDate"]}
