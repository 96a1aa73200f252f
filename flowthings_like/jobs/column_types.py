"""What the cells of a column are: text, numbers, times; and which of them are no value."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import orjson

from ..errors import FlowThingsError, InvalidInput
from ..services.streams.times import to_nanoseconds
from .arrow_columns import timestamps_of_arrow
from .table import Refusal, Refuse, Table, as_list

__all__ = ["ColumnType", "ColumnTypes", "parse_types"]


class ColumnType(enum.Enum):
    """What the cells of a column are.

    AUTO is what a cell says as JSON, or else a text, also if it is a whole number beyond 64 bits; values that
    are no texts stay as they are. TIME is ISO 8601, or a number of nanoseconds; it becomes nanoseconds since
    1970 UTC.
    """

    AUTO = "auto"
    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    JSON = "json"
    TIME = "time"


_BY_CLASS: dict[Any, ColumnType] = {
    str: ColumnType.TEXT,
    int: ColumnType.INT,
    float: ColumnType.FLOAT,
    bool: ColumnType.BOOL,
}


def parse_types(given: Mapping[str, Any] | None) -> dict[str, ColumnType]:
    """Column types by name, from `{"temp": float}` or `{"temp": "float"}`.

    Raises:
        InvalidInput: a type is none.
    """
    return {name: _parse(name, type) for name, type in (given or {}).items()}


def _parse(name: str, given: Any) -> ColumnType:
    try:
        found: ColumnType = _BY_CLASS.get(given) or ColumnType(given)
    except (ValueError, TypeError):
        names = ", ".join(type.value for type in ColumnType)
        raise InvalidInput(f"the type of column {name!r} is {given!r}; the types are {names}") from None
    return found


class ColumnTypes:
    """Converts the cells of tables.

    Args:
        types: by the names of columns. Others are AUTO.
        na: texts that stand for no value, besides the empty one.
        is_text: whether the source has texts only, as CSV does. If not, columns without a type stay as they
            are.
    """

    def __init__(self, types: Mapping[str, ColumnType], na: Collection[str], is_text: bool) -> None:
        self._types = types
        self._na = frozenset(["", *na])
        self._is_text = is_text

    def check(self, names: Sequence[str]) -> None:
        """Raise InvalidInput if a type is given for a column that is not there."""
        unknown = sorted(self._types.keys() - set(names))
        if unknown:
            raise InvalidInput(f"there is no column {unknown[0]!r}; the columns are {', '.join(names)}")

    def convert(self, table: Table, refuse: Refuse) -> Table:
        """The table with its cells converted, without the rows in which a cell is not of its type."""
        changed: dict[str, Sequence[Any]] = {}
        reasons: dict[int, str] = {}
        for name, column in table.columns.items():
            type = self._types.get(name)
            if type is None and not self._is_text and (not self._na - {""} or _is_arrow_number(column)):
                continue
            if _is_arrow_number(column) and type in (ColumnType.AUTO, ColumnType.FLOAT):
                continue
            convert = _CONVERT[type or ColumnType.AUTO]
            exact = timestamps_of_arrow(column) if type is ColumnType.TIME else None
            cells = as_list(column) if exact is None else exact
            changed[name] = self._column(name, cells, convert, reasons)
        if reasons:
            rows = table.dicts()
            for place, reason in reasons.items():
                refuse(Refusal(table.numbers[place], reason, rows[place]))
        made = table.with_columns(changed) if changed else table
        return made.chosen([place for place in range(len(made)) if place not in reasons]) if reasons else made

    def _column(
        self, name: str, cells: list[Any], convert: Callable[[Any], Any], reasons: dict[int, str]
    ) -> list[Any]:
        try:
            return self._converted(cells, convert)
        except (ValueError, TypeError, OverflowError, FlowThingsError):
            pass  # one by one, to find those that are wrong
        na = self._na
        found: list[Any] = []
        for place, cell in enumerate(cells):
            value = None
            try:
                if cell is not None and not (isinstance(cell, str) and cell in na):
                    value = convert(cell)
            except (ValueError, TypeError, OverflowError, FlowThingsError) as error:
                reasons.setdefault(place, f"column {name!r}: {error}")
            found.append(value)
        return found

    def _converted(self, cells: list[Any], convert: Callable[[Any], Any]) -> list[Any]:
        na = self._na
        if set(map(type, cells)) == {str}:
            distinct = list(set(cells))
            if len(distinct) * 2 < len(cells):  # each text is converted once
                values = [None if cell in na else convert(cell) for cell in distinct]
                if not {list, dict} & set(map(type, values)):  # a row may change these
                    return list(map(dict(zip(distinct, values, strict=True)).__getitem__, cells))
        return [None if cell is None or cell in na else convert(cell) for cell in cells]


def _is_arrow_number(column: Any) -> bool:
    kind = str(getattr(column, "type", ""))
    return kind.startswith(("int", "uint", "float", "double", "halffloat"))


_JSON_BEGINS = frozenset('-0123456789"{[tfn \t\n\r')


def _auto(cell: Any) -> Any:
    if type(cell) is not str or cell[0] not in _JSON_BEGINS:
        return cell
    try:
        found = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    if len(cell) > 18 and cell.strip().lstrip("-").isdigit() and (type(found) is float or found >= 2**63):
        return cell  # a float has fewer digits
    return found


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else str(cell)


def _int(cell: Any) -> int:
    if isinstance(cell, float) and not cell.is_integer():
        raise ValueError(f"{cell!r} is not a whole number")
    try:
        return int(cell)
    except (ValueError, TypeError):
        raise ValueError(f"{cell!r} is not a whole number") from None


def _float(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (ValueError, TypeError):
        raise ValueError(f"{cell!r} is not a number") from None
    if math.isinf(number):
        raise ValueError(f"{cell!r} is not finite")
    return None if math.isnan(number) else number


_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_BOOLS = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}


def _bool(cell: Any) -> bool:
    found = _BOOLS.get(str(cell).lower())
    if found is None:
        raise ValueError(f"{cell!r} is neither true nor false")
    return found


def _json(cell: Any) -> Any:
    try:
        return orjson.loads(cell) if isinstance(cell, str | bytes) else cell
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{cell!r} is not JSON: {error}") from None


_CONVERT: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.AUTO: _auto,
    ColumnType.TEXT: _text,
    ColumnType.INT: _int,
    ColumnType.FLOAT: _float,
    ColumnType.BOOL: _bool,
    ColumnType.JSON: _json,
    ColumnType.TIME: to_nanoseconds,
}
