"""Turns values of databases and of Parquet into values that JSON has."""

from __future__ import annotations

import math
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from .table import Table, as_list

__all__ = ["json_columns"]

_PLAIN = {str, int, bool, dict, list, type(None)}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def json_columns(table: Table, reasons: dict[int, str]) -> Table:
    """A table with values of JSON: times become milliseconds since 1970, NaN becomes no value.

    Args:
        reasons: takes why a row has a value that JSON has not, by its place.
    """
    changed = {}
    for name, column in table.columns.items():
        cells = as_list(column)
        kinds = set(map(type, cells))
        is_flat = not kinds & {dict, list}
        if is_flat and (kinds <= _PLAIN or (kinds <= _PLAIN | {float} and _are_finite(cells))):
            if cells is not column:
                changed[name] = cells
            continue
        converted = []
        for place, cell in enumerate(cells):
            try:
                converted.append(_json_value(cell))
            except ValueError as error:
                converted.append(None)
                reasons.setdefault(place, f"column {name!r}: {error}")
        changed[name] = converted
    return table.with_columns(changed) if changed else table


def _are_finite(cells: list[Any]) -> bool:
    """Whether there is neither NaN nor infinity in a column with floats."""
    try:
        return math.isfinite(sum(filter(None, cells)))  # None and 0 are left out
    except (TypeError, OverflowError):  # there are texts, too
        return all(type(cell) is not float or math.isfinite(cell) for cell in cells)


def _json_value(value: Any) -> Any:
    if type(value) in _PLAIN:
        if type(value) is dict:
            return {str(key): _json_value(member) for key, member in value.items()}
        return list(map(_json_value, value)) if type(value) is list else value
    if isinstance(value, float | Decimal):
        number = float(value)
        if math.isinf(number):
            raise ValueError(f"{value} is not finite")
        return None if math.isnan(number) else number
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        since = moment - _EPOCH
        return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if isinstance(value, tuple):  # a member of a map of Parquet
        return list(map(_json_value, value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str | int):
        return value
    raise ValueError(f"a {type(value).__name__} has no JSON; convert it in the transform function")
