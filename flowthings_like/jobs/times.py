"""Columns of times, as nanoseconds since 1970 UTC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ..errors import FlowThingsError, InvalidInput
from ..services.streams.times import to_nanoseconds
from .arrow_columns import UNITS, timestamps_of_arrow
from .table import as_list

__all__ = ["UNITS", "check_unit", "nanoseconds"]

_EPOCH, _SECOND = datetime(1970, 1, 1), timedelta(seconds=1)


def check_unit(unit: str) -> int:
    """The nanoseconds of a unit.

    Raises:
        InvalidInput: it is none.
    """
    if unit not in UNITS:
        raise InvalidInput(f"the unit of times is {unit!r}; the units are {', '.join(UNITS)}")
    return UNITS[unit]


def nanoseconds(column: Sequence[Any], unit: int, reasons: dict[int, str], what: str) -> list[int]:
    """The times of a column.

    Args:
        column: numbers of `unit` nanoseconds, ISO 8601, datetimes.
        reasons: takes what is wrong with a cell, by its place. Its time is 0 then.
        what: the name of the column.
    """
    exact = timestamps_of_arrow(column)
    cells: list[Any] = as_list(column) if exact is None else exact
    unit = unit if exact is None else 1
    kinds = set(map(type, cells))
    if kinds <= {int}:
        return cells if unit == 1 else [cell * unit for cell in cells]
    found = []
    for place, cell in enumerate(cells):
        try:
            found.append(_nanoseconds(cell, unit))
        except (FlowThingsError, ValueError, TypeError) as error:
            found.append(0)
            reasons.setdefault(place, f"column {what!r}: {error}")
    return found


def _nanoseconds(cell: Any, unit: int) -> int:
    if cell is None:
        raise ValueError("there is no time")
    if isinstance(cell, str):
        if len(cell) == 20 and cell[-1] == "Z":  # most times look so, and this is five times as fast
            try:
                return (datetime.fromisoformat(cell[:19]) - _EPOCH) // _SECOND * 1_000_000_000
            except ValueError:
                pass
        if cell.lstrip("-").isdigit():
            cell = int(cell)
    if type(cell) is int:
        return cell * unit
    if type(cell) is float and math.isfinite(cell):
        whole = math.floor(cell)  # apart: the product would not be exact
        return whole * unit + round((cell - whole) * unit)
    return to_nanoseconds(cell)
