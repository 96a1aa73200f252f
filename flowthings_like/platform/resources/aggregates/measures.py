"""The measures that an aggregate can put out, `$avg`, `$sum` and so on: one entry each in MEASURES.

To add one, say `$stddev`, add its entry here and nothing else. A measure of numbers is a function of the
database, or an accumulator in Python if the database has none:

    NumberMeasure("stddev", accumulator=StandardDeviation)

The same entry serves a flow that is read from its documents and one that is read from its indexes, and a
database that calls the accumulator as well as one that cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from sqlalchemy import func

from .exact_sums import ExactAverage, ExactSum
from .extremes import Greatest, Least
from .number_parts import NumberParts
from .ranking import rank

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

__all__ = ["MEASURES", "Accumulator", "CountMeasure", "ListMeasure", "Measure", "NumberMeasure", "described"]

_INSTALLED = "flowthings-measures"
"""Where a raw connection's record says which accumulators the connection knows."""


class Accumulator(Protocol):
    """An aggregate function in Python, as SQLite calls it: takes numbers one by one, and has a result."""

    def step(self, value: float | None) -> None:
        """Take one drop's number, None if it has none."""

    def finalize(self) -> float | None:
        """The result, None if there is none."""


@dataclass(frozen=True, slots=True)
class NumberMeasure:
    """A measure of the numbers that a member holds. The database computes it.

    Attributes:
        name: as in `$name:member`.
        accumulator: computes it in Python.
        function: SQLite's function, None if it has none.
        may_overflow: whether the function's result may be too large for the database. Then the accumulator is
            used.
        of_parts: computes it from what PostgreSQL says about the numbers. If None, the accumulator does.
    """

    name: str
    accumulator: type[Accumulator]
    function: str | None = None
    may_overflow: bool = False
    of_parts: Callable[[NumberParts], float | None] | None = None
    takes_member: ClassVar[bool] = True

    def of(self, numbers: ColumnElement[Any], *, exact: bool = False) -> ColumnElement[Any]:
        """The measure of a column; with `exact`, by the accumulator if the function may overflow."""
        if self._is_in_python(exact):
            return getattr(func, self._python_name)(numbers)  # type: ignore[no-any-return]
        assert self.function is not None
        return getattr(func, self.function)(numbers)  # type: ignore[no-any-return]

    def install(self, connection: Connection, *, exact: bool = False) -> None:
        """Make the accumulator known to a connection before a statement uses it."""
        installed: dict[str, type[Accumulator]] = connection.info.setdefault(_INSTALLED, {})
        if self._is_in_python(exact) and installed.get(self.name) is not self.accumulator:
            raw: Any = connection.connection.driver_connection
            raw.create_aggregate(self._python_name, 1, self.accumulator)
            installed[self.name] = self.accumulator

    def _is_in_python(self, exact: bool) -> bool:
        return self.function is None or (exact and self.may_overflow)

    @property
    def _python_name(self) -> str:
        return f"measure_{self.name}"


@dataclass(frozen=True, slots=True)
class ListMeasure:
    """A measure of all values that a member holds, which are read from the drops' documents.

    Attributes:
        name: as in `$name:member`.
        finish: the result, of the values in the order of the drops, the oldest first.
    """

    name: str
    finish: Callable[[list[Any]], list[Any]]
    takes_member: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CountMeasure:
    """The number of drops, of no member: `$name`."""

    name: str
    takes_member: ClassVar[bool] = False


Measure: TypeAlias = NumberMeasure | ListMeasure | CountMeasure


def _unique(values: list[Any]) -> list[Any]:
    """Each value once, sorted; 1 and 1.0 are the same, 1 and true are not."""
    kept: dict[Any, Any] = {}
    for value in values:
        kept.setdefault(rank(value), value)
    return [kept[each] for each in sorted(kept)]


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        NumberMeasure("avg", ExactAverage, "avg", may_overflow=True, of_parts=NumberParts.average),
        NumberMeasure("min", Least, "min", of_parts=NumberParts.least),
        NumberMeasure("max", Greatest, "max", of_parts=NumberParts.greatest),
        NumberMeasure("sum", ExactSum, "sum", may_overflow=True, of_parts=NumberParts.sum),
        ListMeasure("unique", _unique),
        ListMeasure("all", list),
        CountMeasure("count"),
    )
}
"""All measures, by name."""


def described() -> str:
    """All outputs that a request may ask for, as messages list them."""
    of_members = [f"${one.name}:member" for one in MEASURES.values() if one.takes_member]
    others = [f"${one.name}" for one in MEASURES.values() if not one.takes_member]
    return f"{', '.join(of_members)} or {', '.join(others)}"
