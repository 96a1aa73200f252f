"""Masks: a filter as an array of booleans over columns of numpy. Needs numpy, and is imported only for this.

A row of the columns is a document. Its members are the columns' names. NaN and NaT mean that the row does
not have the member. A structured dtype is a map, and a dtype with a shape is a list. Bytes are the text that
they hold in UTF-8.

    columns = {"time": times, "value": values}
    mask(mem.value > 30, columns)            # CannotFilter for a rule that no operation of numpy can test
    matching(mem.value > 30, columns)        # tests such rules row by row, with the predicate
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInput
from .nodes import (
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Inside,
    Matches,
    Member,
    Modulo,
    Not,
    Operand,
    Or,
    Regex,
    Within,
)
from .operands import plain
from .patterns import searcher
from .predicate import COMPARE, MIRRORED
from .rows import rows_of
from .target import cannot, split
from .values import ELEMENTS, TYPE_NAMES, ends_in_value, is_index, is_number, remainder
from .whole_numbers import range_of

__all__ = ["Columns", "Mask", "mask", "matching"]

Column = NDArray[Any]
Columns = Mapping[str, Column]
"""Arrays of equal lengths by the names of the members."""
Mask = NDArray[np.bool_]

_SCALARS = "biufU"  # the kinds of dtype that are compared as a whole
_EXACT = 1 << 53  # whole numbers up to here have an equal float


def mask(node: Filter, columns: Columns, now: int = 0) -> Mask:
    """For each row, whether it matches the filter.

    Args:
        node: the filter.
        columns: the columns. None may be called "elems".
        now: ms since the epoch, from which AGE is counted.

    Raises:
        CannotFilter: a rule needs a value that is in no plain column: a map, a list, bytes, an object.
        InvalidInput: the filter cannot be evaluated, see `compile_predicate`.
    """
    return _Masks(columns, now).of(node)


def matching(node: Filter, columns: Columns, now: int = 0) -> Mask:
    """For each row, whether it matches the filter.

    It takes the same arguments as `mask`. What `mask` cannot say is tested by the predicate, on those rows
    that the other parts of the filter have left.
    """
    parts = split(node, lambda part: mask(part, {name: column[:0] for name, column in columns.items()}, now))
    size = _length(columns)
    found = np.ones(size, np.bool_) if parts.said is None else mask(parts.said, columns, now)
    test = parts.test()
    if test is not None:
        places = np.flatnonzero(found)
        documents = rows_of({name: column[places] for name, column in columns.items()})
        found[places] = np.fromiter((test(one, now) for one in documents), np.bool_, len(places))
    return found


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values()))) if columns else 0


class _Masks:
    """Makes masks over columns. Each mask is a new array, which its receiver may change."""

    def __init__(self, columns: Columns, now: int) -> None:
        if ELEMENTS in columns:
            raise InvalidInput(f"a column cannot be called {ELEMENTS!r} where a filter is tested; rename it")
        self.columns = columns
        self.now = now
        self.size = _length(columns)

    def of(self, node: Filter) -> Mask:
        match node:
            case And(filters):
                return reduce(np.logical_and, map(self.of, filters))
            case Or(filters):
                return reduce(np.logical_or, map(self.of, filters))
            case Not(one):
                return ~self.of(one)
            case Compare(left, "!=", value):
                return ~self.of(Compare(left, "==", value))
            case Compare(left, op, value):
                return self._compare(self._column(node, left), op, self._operand(node, value))
            case In(left, items):
                return self._in(self._column(node, left), [self._operand(node, item) for item in items])
            case Exists(member):
                column = self._column(node, member)
                return self._none() if column is None else _exists(column)
            case Modulo(left, divisor, op, left_over):
                leaves = self._modulo(self._column(node, left), divisor, left_over)
                return leaves if op == "==" else ~leaves
            case Age(field, "!=", ms):
                return ~self.of(Age(field, "==", ms))
            case Age(field, op, ms):
                column = self._column(node, field or Member(("creationDate",)))
                return self._compare(column, MIRRORED[op], self.now - ms)
            case Regex(left, pattern, flags):
                return self._search(self._column(node, left), searcher(pattern, flags))
            case Contains(left) | Within(left) | Inside(left):
                self._column(node, left)  # a plain column holds neither lists nor locations
                return self._none()
            case Matches(pattern, flags):
                search = searcher(pattern, flags)
                found = [self._search(column, search) for column in self._all(node)]
                return reduce(np.logical_or, found, self._none())
            case Has(name):
                wanted = TYPE_NAMES.get(name)
                found = [_exists(column) for column in self._all(node) if _type_of(column) is wanted]
                return reduce(np.logical_or, found, self._none())
        raise InvalidInput(f"expected a filter, not {type(node).__name__}")

    def _none(self) -> Mask:
        return np.zeros(self.size, np.bool_)

    # Where a member is

    def _column(self, node: Filter, member: Member) -> Column | None:
        """The plain column of a member; None if no row has it."""
        parts = member.parts
        column = self._walk(node, parts)
        if ends_in_value(parts):
            if column is not None:
                cannot("numpy", node, "has no rule for a field `value` within a map")
            return self._column(node, Member(parts[:-1]))
        return None if column is None else self._checked(node, column)

    def _walk(self, node: Filter, parts: Sequence[str]) -> Column | None:
        column = self.columns.get(parts[0])
        for part in parts[1:]:
            if column is None or column.dtype == object:
                break
            if column.dtype.names is not None:
                column = column[part] if part in column.dtype.names else None
            elif column.ndim > 1:
                column = column[:, int(part)] if is_index(part) and int(part) < column.shape[1] else None
            else:
                column = None
        return column

    def _checked(self, node: Filter, column: Column) -> Column:
        if column.ndim > 1 or column.dtype.kind not in _SCALARS:
            cannot(
                "numpy", node, f"compares columns of numbers, booleans and texts only, and not {column.dtype}"
            )
        return column.astype(np.float64) if column.dtype.kind == "f" else column

    def _all(self, node: Filter) -> list[Column]:
        return [self._checked(node, column) for column in self.columns.values()]

    def _operand(self, node: Filter, value: Operand) -> Any:
        """A plain value, or the column of a member, or _ABSENT."""
        if not isinstance(value, Member):
            return plain(value)
        column = self._column(node, value)
        return _ABSENT if column is None else column

    # Rules. A column of None is a member that no row has.

    def _compare(self, column: Column | None, op: str, value: Any) -> Mask:
        if column is None or value is _ABSENT:
            return self._none()
        if isinstance(value, np.ndarray):
            return _compare_columns(column, op, value)
        kind = _type_of(column)
        if is_number(value) and kind in (int, float):
            return _compare_number(column, op, value)
        if type(value) is str and kind is str:
            return _compare_text(column, op, value)
        if type(value) is bool and kind is bool:
            return column if value else ~column
        return self._none()

    def _in(self, column: Column | None, items: list[Any]) -> Mask:
        if column is None:
            return self._none()
        kind = _type_of(column)
        others = [item for item in items if isinstance(item, np.ndarray)]
        found = [self._compare(column, "==", other) for other in others]
        values = [item for item in items if type(item) in (bool, int, float, str)]
        wanted: list[Any]
        if kind is float:
            wanted = [float(one) for one in values if is_number(one) and float(one) == one]
        elif kind is int:
            least, most = _limits(column)
            wanted = [
                int(one) for one in values if is_number(one) and least <= one <= most and one == int(one)
            ]
        elif kind is str:
            wanted = [one for one in values if type(one) is str and one[-1:] != "\0"]
        else:
            wanted = [one for one in values if type(one) is bool]
        if wanted:
            dtype = None if kind is str else column.dtype
            found.append(np.isin(column, np.array(wanted, dtype)))
        return reduce(np.logical_or, found, self._none())

    def _modulo(self, column: Column | None, divisor: int | float, left_over: int | float) -> Mask:
        if column is None or _type_of(column) not in (int, float):
            return self._none()
        size = abs(divisor)
        if type(size) is float and size.is_integer():
            size = int(size)
        is_whole = column.dtype.kind in "iu"
        if is_whole:
            column = column.astype(np.int64 if column.dtype.kind == "i" else np.uint64)
        if is_whole and type(size) is int:
            if size > _limits(column)[1]:
                return _modulo_each(column, divisor, left_over)
            # The lowest number has no positive counterpart, hence a divisor that is not negative.
            return _compare_number(np.fmod(column, column.dtype.type(size)), "==", left_over)
        if float(size) != size:
            return _modulo_each(column, divisor, left_over)
        with np.errstate(invalid="ignore"):
            found = _compare_number(np.fmod(column.astype(np.float64), float(size)), "==", left_over)
        if is_whole:
            large = _compare_number(column, ">", _EXACT) | _compare_number(column, "<", -_EXACT)
            found[large] = _modulo_each(column[large], divisor, left_over)
        return found

    def _search(self, column: Column | None, search: Callable[[str], object]) -> Mask:
        if column is None or _type_of(column) is not str:
            return self._none()
        texts = column.tolist()
        known = {text: search(text) is not None for text in set(texts)}
        return np.fromiter(map(known.__getitem__, texts), np.bool_, len(texts))


_ABSENT: Any = object()


def _type_of(column: Column) -> type:
    """The type of the values in a plain column."""
    return {"b": bool, "i": int, "u": int, "f": float, "U": str}[column.dtype.kind]


def _exists(column: Column) -> Mask:
    return ~np.isnan(column) if column.dtype.kind == "f" else np.ones(len(column), np.bool_)


def _limits(column: Column) -> tuple[int, int]:
    limits = np.iinfo(column.dtype)
    return int(limits.min), int(limits.max)


def _compare_number(column: Column, op: str, number: int | float) -> Mask:
    """Compare a column of numbers with a number, exactly."""
    if column.dtype.kind == "f":
        return _compare_float(column, op, number)
    least, most = _limits(column)
    low, high = range_of(op, number)
    first, last = least if low is None else max(low, least), most if high is None else min(high - 1, most)
    if first > last:
        return np.zeros(len(column), np.bool_)
    # The bounds are values of the column's own type, so that numpy converts neither side.
    bound = column.dtype.type
    if first == last:
        found: Mask = column == bound(first)
    elif first == least:
        found = column <= bound(last)
    else:
        found = column >= bound(first)
    return found


def _compare_float(column: Column, op: str, number: int | float) -> Mask:
    nearest = float(number)
    if nearest != number:  # no float equals it, so it stands between two of them
        if op == "==":
            return np.zeros(len(column), np.bool_)
        is_above = nearest > number
        op = op[0] if (op[0] == "<") == is_above else op[0] + "="
    found: Mask = COMPARE[op](column, nearest)  # type: ignore[assignment]
    return found


def _compare_text(column: Column, op: str, text: str) -> Mask:
    """Compare a column of texts with a text, by code points. No text of numpy's ends in U+0000."""
    if text[-1:] == "\0":
        if op == "==":
            return np.zeros(len(column), np.bool_)
        # No text of the column is between `text` and the same without these, nor is it `text`.
        text, op = text.rstrip("\0"), "<=" if op[0] == "<" else ">"
    found: Mask = COMPARE[op](column, text)  # type: ignore[assignment]
    return found


def _compare_columns(one: Column, op: str, other: Column) -> Mask:
    types = {_type_of(one), _type_of(other)}
    if types <= {int, float}:
        if len(types) == 1 and one.dtype.kind == other.dtype.kind:
            return COMPARE[op](one, other)  # type: ignore[return-value]
        if one.dtype.kind == "f":
            return _compare_mixed(other, MIRRORED[op], one)
        return _compare_mixed(one, op, other)
    if len(types) == 1 and (str in types or op == "=="):
        return COMPARE[op](one, other)  # type: ignore[return-value]
    return np.zeros(len(one), np.bool_)


def _compare_mixed(whole: Column, op: str, other: Column) -> Mask:
    """Compare a column of whole numbers with one of floats, or of another signedness, exactly."""
    if other.dtype.kind != "f":
        signed, unsigned = (whole, other) if whole.dtype.kind == "i" else (other, whole)
        sign = op if whole is signed else MIRRORED[op]
        compared = COMPARE[sign](signed.astype(np.uint64), unsigned)
        return np.where(signed < 0, sign[0] == "<", compared)
    bits = whole.dtype.itemsize * 8
    least, above = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1)) if whole.dtype.kind == "i" else (0.0, 2.0**bits)
    rounded = np.ceil(other) if op in ("<", ">=") else np.floor(other)
    fits = (rounded >= least) & (rounded < above)
    compared = COMPARE[op](whole, np.where(fits, rounded, 0).astype(whole.dtype))
    found = np.where(fits, compared, (rounded < least) if op[0] == ">" else (rounded >= above) & (op != "=="))
    return found & (rounded == other) if op == "==" else found


def _modulo_each(column: Column, divisor: int | float, left_over: int | float) -> Mask:
    values = column.tolist()
    return np.fromiter(
        (value - value == 0 and remainder(value, divisor) == left_over for value in values),
        np.bool_,
        len(values),
    )
