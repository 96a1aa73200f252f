"""Converts Python values to operands of filters, and refuses anything that cannot be one.

A value with `unwrap()`, such as a GreenThunk, is waited for. Bytes become str. Dates become milliseconds
since the epoch, as in the platform's documents.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import six

from ..errors import InvalidInput
from ..wire.numpy_values import is_missing, is_numpy_scalar, scalar
from . import nodes
from .nodes import Filter, Json, Operand, Typed
from .operands import milliseconds

_PLAIN = frozenset({str, int, float, bool, type(None)})
_INT64 = range(-(1 << 63), 1 << 63)
_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


def unwrapped(value: Any) -> Any:
    """The plain Python value: of a thunk its result, of bytes the str, of a numpy scalar the number.

    `mem.a` becomes its Member.
    """
    if type(value) in _PLAIN:
        return value
    if hasattr(type(value), "__member__"):
        return value.__member__()
    if callable(getattr(value, "unwrap", None)):
        value = value.unwrap()
    if isinstance(value, bytes):
        try:
            return six.ensure_str(value)
        except UnicodeDecodeError as error:
            raise InvalidInput(f"expected text in UTF-8: {error}") from None
    if is_missing(value):
        raise InvalidInput(f"{value} is a missing value, which compares with nothing; write NOT(EXISTS(…))")
    value = scalar(value)
    if is_numpy_scalar(value):  # scalar() has left it as it is: Python has no equal number
        raise InvalidInput(
            f"a {type(value).__name__} has no exact value to compare with; give plain Python's"
        )
    return value


def operand(value: object) -> Operand:
    """The operand on the right of a comparison. InvalidInput if the value cannot be one."""
    if type(value) in _PLAIN:
        return value  # type: ignore[return-value]
    value = unwrapped(value)
    for kinds, convert in _OPERANDS:
        if isinstance(value, kinds):
            return convert(value)
    hint = " (a filter is combined with & and |)" if isinstance(value, Filter) else ""
    raise InvalidInput(
        "expected a string, number, boolean, None, date, datetime, Decimal, typed value, list, dict "
        f"or member to compare with, not {type(value).__name__}{hint}"
    )


def number(value: object) -> int | float:
    """A finite number; if it is whole, one of at most 64 bits. A boolean is not a number."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[return-value]
    value = unwrapped(value)
    if not isinstance(value, bool):
        if isinstance(value, Decimal):
            return _decimal(value)
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
    raise InvalidInput(f"expected a number, not {value!r}")


def _decimal(value: Decimal) -> int | float:
    if (
        value.is_finite()
        and value.adjusted() < 20
        and value == value.to_integral_value()
        and int(value) in _INT64
    ):
        return int(value)
    return float(value)  # documents hold doubles; the node refuses nan and infinity


def _data(value: Any) -> Operand:
    return Json.of(_plain(value))


def _plain(value: object) -> Any:
    value = unwrapped(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {string(key): _plain(item) for key, item in value.items()}
    inner = operand(value)
    return inner.plain if isinstance(inner, Typed) else inner


def _midnight(day: date) -> int:
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=timezone.utc))


_OPERANDS: list[tuple[type | tuple[type, ...], Callable[[Any], Operand]]] = [
    (str, str.__str__),
    ((bool, type(None), Typed, Json, nodes.Member), lambda value: value),
    ((numbers.Real, Decimal), number),
    (datetime, milliseconds),
    (date, _midnight),
    ((list, tuple, dict), _data),
]


def string(value: object) -> str:
    """A str, from a str, bytes or a subclass of these."""
    value = unwrapped(value)
    if not isinstance(value, str):
        raise InvalidInput(f"expected a string, not {value!r}")
    return str.__str__(value)


def iterable(values: object) -> Iterable[object]:
    """Anything that can be iterated, but neither a string nor a dict."""
    values = unwrapped(values)
    if isinstance(values, (str, dict)) or not isinstance(values, Iterable):
        raise InvalidInput(f"expected a list, not {values!r}")
    return values


def items(given: tuple[object, ...]) -> tuple[Operand, ...]:
    """The operands of `IN(1, 2)` or of `IN([1, 2])`."""
    values: Iterable[object] = given
    if len(given) == 1:
        only = unwrapped(given[0])
        if isinstance(only, (set, frozenset)):
            values = sorted(only, key=repr)  # so that equal sets are written as the same text
        elif isinstance(only, (list, tuple, range)):
            values = only
    return tuple(operand(item) for item in values)


def point(coords: object) -> nodes.Point:
    """The point (lat, lon), from anything that holds two numbers."""
    values = [number(value) for value in iterable(coords)]
    if len(values) != 2:
        raise InvalidInput(f"expected a point (lat, lon), not {len(values)} numbers")
    return values[0], values[1]


def pattern(pattern: object, flags: str) -> tuple[str, str]:
    """The text and flags of a pattern: a str, bytes, or a compiled pattern, whose own flags are added."""
    pattern = unwrapped(pattern)
    if isinstance(pattern, re.Pattern):
        unknown = pattern.flags & ~(re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE)
        if unknown:
            raise InvalidInput(
                f"expected a pattern with the flags I, M and S only, not {re.RegexFlag(unknown)!r}"
            )
        flags += "".join(
            letter for flag, letter in _FLAGS.items() if pattern.flags & flag and letter not in flags
        )
        pattern = pattern.pattern
    return string(pattern), flags
