"""A row as the document that a filter tests: its columns are the members."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ...filters.operands import milliseconds
from ...filters.values import ELEMENTS, Document

__all__ = ["row_document"]

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_INT64 = 1 << 63


def row_document(names: Iterable[str], values: Iterable[Any]) -> Document:
    """The document of a row. `mem.login` and `mem.elems.login` both find the column `login`."""
    row = {name: _plain(value) for name, value in zip(names, values, strict=True)}
    return {**row, ELEMENTS: row}


def _plain(value: Any) -> Any:
    """A driver's value as it counts in a filter: a date as milliseconds, a decimal as a number."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return milliseconds(value)
    if isinstance(value, date):
        return milliseconds(datetime.combine(value, time()))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else _Opaque()


class _Opaque:
    """A value that equals no other: of a type that filters do not know."""

    __slots__ = ()


def _number(value: Decimal) -> int | float:
    if not value.is_finite():
        return float("nan") if value.is_nan() else float(value)
    if value.adjusted() < 20 and value == value.to_integral_value() and -_INT64 <= value < _INT64:
        return int(value)
    return float(value)
