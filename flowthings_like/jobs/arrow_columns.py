"""Columns of Arrow as values of Python, and as exact times."""

from __future__ import annotations

from typing import Any

__all__ = ["UNITS", "timestamps_of_arrow", "values_of_arrow"]

UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
"""Units of times that are numbers, in nanoseconds."""


def values_of_arrow(column: Any) -> list[Any]:
    """An array of Arrow as a list.

    Python's times end with microseconds, so nanoseconds are cut off. A time that Python cannot have at all
    stays a scalar of Arrow.
    """
    if "[ns" in str(column.type):
        column = column.cast(_with_microseconds(column.type), safe=False)
    try:
        found: list[Any] = column.to_pylist()
    except OverflowError:  # a year after 9999
        found = [_value(cell) for cell in column]
    return found


def timestamps_of_arrow(column: Any) -> list[int | None] | None:
    """The nanoseconds since 1970 UTC of an array of timestamps, exact; None if it is another array."""
    kind = getattr(column, "type", None)
    if not str(kind).startswith("timestamp["):
        return None
    unit = UNITS[column.type.unit]
    counts = column.cast(_arrow().int64()).to_pylist()
    return counts if unit == 1 else [None if count is None else count * unit for count in counts]


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except OverflowError:
        return cell


def _with_microseconds(kind: Any) -> Any:
    """The same type with microseconds instead of nanoseconds, also inside lists, structs and maps."""
    pa = _arrow()
    types = pa.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if types.is_list(kind):
        return pa.list_(_with_microseconds(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_with_microseconds(kind.value_type))
    if types.is_map(kind):
        return pa.map_(_with_microseconds(kind.key_type), _with_microseconds(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([field.with_type(_with_microseconds(field.type)) for field in kind])
    if types.is_dictionary(kind):
        return _with_microseconds(kind.value_type)
    return kind


def _arrow() -> Any:
    """The module pyarrow, which is there if there is an array of it."""
    import pyarrow as pa

    return pa
