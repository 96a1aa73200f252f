"""Which rows are loaded, and what a function makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..changes import filter_text
from ..errors import InvalidInput
from ..filters.predicate import Test, compile_predicate
from ..filters.text import parse
from .table import Refusal, Refuse, Table

if TYPE_CHECKING:
    from ..filters.nodes import Filter

__all__ = ["Selection", "Transform"]

Transform = Callable[[dict[str, Any]], "Mapping[str, Any] | None"]
"""Makes another row of a row, or None to leave it out."""


class Selection:
    """A filter and a function.

    Args:
        filter: which rows are loaded; None for all. A column is a member of its name, or an element of it:
            `temp > 90` and `elems.temp > 90` are the same.
        transform: makes another row of each row that the filter matches. A row for which it raises an
            Exception is refused.

    Raises:
        InvalidInput: the filter cannot be used, or the function is none.
    """

    def __init__(self, filter: Filter | str | None, transform: Transform | None) -> None:
        self.filter = None if filter is None else filter_text(filter)
        self._test = None if self.filter is None else _compile(self.filter)
        if transform is not None and not callable(transform):
            raise InvalidInput(f"transform is {transform!r}; give a function that gets a row as a dict")
        self._transform = transform

    def select(self, table: Table, refuse: Refuse) -> Table:
        """The rows to be loaded."""
        if self._test is not None:
            now = time.time_ns() // 1_000_000
            rows = map(_as_document, table.dicts())
            table = table.chosen([place for place, row in enumerate(rows) if self._test(row, now)])
        return table if self._transform is None else self._transformed(table, self._transform, refuse)

    def _transformed(self, table: Table, transform: Transform, refuse: Refuse) -> Table:
        rows, numbers = [], []
        for row, number in zip(table.dicts(), table.numbers, strict=True):
            try:
                made = transform(dict(row))
                if made is None:
                    continue
                found = dict(made)
                if not set(map(type, found)) <= {str}:
                    raise TypeError("the names of columns are texts")
                rows.append(found)
                numbers.append(number)
            except Exception as error:
                refuse(Refusal(number, f"the function: {type(error).__name__}: {error}", row))
        return Table.of_dicts(rows, numbers)


def _compile(text: str) -> Test | None:
    node = parse(text)
    return None if node is None else compile_predicate(node)


def _as_document(row: dict[str, Any]) -> dict[str, Any]:
    return row if type(row.get("elems")) is dict else {**row, "elems": row}
