"""Some rows of a source as columns, and the rows that cannot be loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import InvalidInput
from ..wire.gc_paused import with_gc_paused
from .arrow_columns import values_of_arrow

__all__ = ["Chunk", "Position", "Refusal", "Refuse", "Table"]


class Refusal(NamedTuple):
    """A row that cannot be loaded.

    Attributes:
        row: which row of the source, from 1.
        reason: what is wrong with it.
        values: what it has, for the reject file.
    """

    row: int
    reason: str
    values: Any


Refuse = Callable[[Refusal], object]
"""Takes note of a row that cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source, between two rows.

    Attributes:
        row: how many rows are before it.
        mark: what the source needs to go on there, besides the number: a byte of a file, an id; or None.
    """

    row: int = 0
    mark: Any = None


class Table:
    """Some rows, as columns.

    Args:
        columns: a sequence of values for each name, or an array of Arrow. None is no value.
        numbers: which rows of the source these are, from 1.
    """

    __slots__ = ("_dicts", "columns", "numbers")

    def __init__(self, columns: Mapping[str, Sequence[Any]], numbers: Sequence[int]) -> None:
        self.columns = columns
        self.numbers = numbers
        self._dicts: list[dict[str, Any]] | None = None

    @classmethod
    def of_dicts(cls, rows: list[dict[str, Any]], numbers: Sequence[int]) -> Table:
        """A table of dicts, which may have different keys."""
        names = dict.fromkeys(name for row in rows for name in row)
        made = cls({name: [row.get(name) for row in rows] for name in names}, numbers)
        made._dicts = rows
        return made

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> Sequence[Any]:
        """A column by its name; one without values if no row has it."""
        found = self.columns.get(name)
        return [None] * len(self) if found is None else found

    def values(self, name: str) -> list[Any]:
        """The same as a list of Python's values."""
        return as_list(self.column(name))

    def dicts(self) -> list[dict[str, Any]]:
        """Each row as a dict, without the columns in which it has no value."""
        if self._dicts is None:
            self._dicts = with_gc_paused(self._made_dicts)  # none of the new objects is garbage
        return self._dicts

    def _made_dicts(self) -> list[dict[str, Any]]:
        columns = {name: as_list(column) for name, column in self.columns.items()}
        # Column by column: to test each cell of each row would take twice as long.
        full = [name for name, column in columns.items() if None not in column]
        names = [*full, *(name for name in columns if name not in full)]
        rows = zip(*(columns[name] for name in names), strict=True)
        found = [dict(zip(names, row, strict=True)) for row in rows] or [{} for _ in self.numbers]
        for name in names[len(full) :]:
            for row, cell in zip(found, columns[name], strict=True):
                if cell is None:
                    del row[name]
        return found

    def with_columns(self, changed: Mapping[str, Sequence[Any]]) -> Table:
        """The same rows, with some columns changed."""
        return Table({**self.columns, **changed}, self.numbers)

    def chosen(self, places: Sequence[int]) -> Table:
        """Some of the rows, by their places in this table."""
        if len(places) == len(self):
            return self
        numbers = [self.numbers[place] for place in places]
        made = Table({name: _taken(column, places) for name, column in self.columns.items()}, numbers)
        if self._dicts is not None:
            made._dicts = [self._dicts[place] for place in places]
        return made


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a source has read at once.

    Attributes:
        table: the rows that could be read.
        refusals: those that could not.
        end: where the source goes on.
    """

    table: Table
    refusals: list[Refusal]
    end: Position


def as_list(column: Any) -> list[Any]:
    """A column as a list of Python's values."""
    if type(column) is list:
        return column
    return values_of_arrow(column) if hasattr(column, "to_pylist") else list(column)


def _taken(column: Any, places: Sequence[int]) -> Any:
    if hasattr(column, "to_pylist"):
        return column.take(list(places))
    return [column[place] for place in places]


def check_names(names: Sequence[str]) -> None:
    """Refuse columns without different names.

    Raises:
        InvalidInput: two have the same name.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"there are several columns called {', '.join(map(repr, twice))}; rename them")
