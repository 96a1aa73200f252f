"""Columns of tables as arrays of numpy, for points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrow_columns import UNITS
from ..table import as_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PointColumns"]


class PointColumns:
    """Makes arrays of times and values."""

    def times_of_arrow(self, column: Any, unit: int) -> NDArray[np.int64] | None:
        """The times of an Arrow column of timestamps or whole numbers without gaps; None for another one."""
        kind = str(getattr(column, "type", ""))
        if not kind.startswith(("timestamp", "int", "uint32", "uint16")) or column.null_count:
            return None
        if not kind.startswith("timestamp"):
            counts, size = np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64), unit
        else:
            import pyarrow as pa

            counts = np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False))
            size = UNITS[column.type.unit]
        return counts if size == 1 else self._multiplied(counts, size)

    def _multiplied(self, counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Counts of `size` nanoseconds. Those that do not fit are the latest time, and do not wrap."""
        most = (2**63 - 1) // size
        is_outside = (counts > most) | (counts < -most)
        return np.where(is_outside, np.int64(2**63 - 1), counts * size) if is_outside.any() else counts * size

    def times_of_list(self, times: list[int]) -> NDArray[np.int64]:
        """The times of a list, as they are; those that do not fit are moved to the latest time there is."""
        try:
            return np.array(times, np.int64)
        except OverflowError:
            latest = 2**63 - 1
            return np.array([time if -latest <= time <= latest else latest for time in times], np.int64)

    def outside(self, times: NDArray[np.int64], earliest: int, end: int) -> list[int]:
        """The places of times that no stream can have."""
        if not len(times) or (int(times.min()) >= earliest and int(times.max()) < end):
            return []
        found: list[int] = np.flatnonzero((times < earliest) | (times >= end)).tolist()
        return found

    def values(self, column: Any, reasons: dict[int, str], what: str) -> NDArray[np.float64]:
        """The values of a column, NaN for none.

        Args:
            reasons: takes what is wrong with a cell, by its place.
        """
        kind = str(getattr(column, "type", ""))
        if kind.startswith(("int", "uint", "float", "double", "halffloat")):
            found = np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
        else:
            found = self._of_list(as_list(column), reasons, what)
        infinite = np.isinf(found)
        if infinite.any():
            for place in np.flatnonzero(infinite).tolist():
                reasons.setdefault(place, f"column {what!r}: {found[place]} is not finite")
        return found

    def _of_list(self, cells: list[Any], reasons: dict[int, str], what: str) -> NDArray[np.float64]:
        if set(map(type, cells)) <= {int, float, type(None)}:
            try:
                return np.array([np.nan if cell is None else cell for cell in cells], np.float64)
            except OverflowError:
                pass
        found = np.full(len(cells), np.nan)
        for place, cell in enumerate(cells):
            try:
                if cell is not None:
                    found[place] = float(cell)
            except (ValueError, TypeError, OverflowError):
                reasons.setdefault(place, f"column {what!r}: {cell!r} is not a number")
        return found

    def points(
        self,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        places: Sequence[int],
        reasons: dict[int, str],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """The points at some places that have a value; None if there are none."""
        wanted = ~np.isnan(values)
        if reasons:
            wanted[list(reasons)] = False
        if len(places) < len(times):
            chosen = np.zeros(len(times), bool)
            chosen[np.asarray(places, np.intp)] = True
            wanted &= chosen
        if wanted.all():
            return times, values
        return (times[wanted], values[wanted]) if wanted.any() else None
