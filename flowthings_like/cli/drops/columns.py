"""Drops as rows of a table: which columns there are, and what is in their cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .text import iso_time, to_json

__all__ = ["ID", "PREFIX", "TIME", "Table", "cell_text"]

ID, TIME = "id", "creationDate"
PREFIX = "elems."

_INT64 = range(-(2**63), 2**63)


class Table:
    """Turns drops into rows: the id, the creation date, and a column for each element.

    An element that is called `id` or `creationDate` has the column `elems.id` or `elems.creationDate`.

    Args:
        names: the elements, in order. None: those of all drops that `add` has seen.
    """

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self._kinds: dict[str, set[type]] = {name: set() for name in names or ()}
        self._is_fixed = names is not None

    def add(self, drop: Mapping[str, Any]) -> None:
        """Take note of a drop's elements and their types."""
        for name, value in (drop.get("elems") or {}).items():
            if name not in self._kinds:
                if self._is_fixed:
                    continue
                self._kinds[name] = set()
            self._kinds[name].add(_kind(value))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [ID, TIME, *(PREFIX + name if name in (ID, TIME) else name for name in self._kinds)]

    def kind(self, column: int) -> type:
        """The type of a column of elements, for all drops that `add` has seen: int, float, bool or str."""
        kinds = [*self._kinds.values()][column] - {type(None)}
        if len(kinds) == 1:
            return kinds.pop()
        return float if kinds and kinds <= {int, float} else str

    def row(self, drop: Mapping[str, Any]) -> list[Any]:
        """A drop's id, its creation date in milliseconds, and its elements; None for one that it has not."""
        elems = drop.get("elems") or {}
        return [drop.get(ID), drop.get(TIME), *map(elems.get, self._kinds)]

    def texts(self, drop: Mapping[str, Any]) -> list[str]:
        """A drop as the cells of a line of CSV."""
        id, time, *elems = self.row(drop)
        return [str(id), iso_time(time), *map(cell_text, elems)]


def cell_text(value: Any) -> str:
    """A text as it is, nothing for None, and JSON of other values."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value)


def _kind(value: Any) -> type:
    if value is None:
        return type(None)
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return int if value in _INT64 else str
    return float if isinstance(value, float) else str
