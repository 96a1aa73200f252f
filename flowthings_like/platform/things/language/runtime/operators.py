"""The operators: the types that they accept, and arithmetic on 64-bit integers that detects overflow.

A bool counts as 0 or 1. `/` of two integers is an integer, rounded towards zero as in C. `%` always is an
integer, with the sign of its left side. The bitwise operators also combine sets.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from .....wire.things import errors
from .. import limits
from ..values.equality import encoded, equal
from ..values.numbers import INT_MAX, INT_MIN, check_int64
from ..values.types import INTEGERS, MOMENTS, NUMBERS, TEXTS, ThingSet, Value, type_name

__all__ = ["BINARY", "PREFIX", "Operator"]

Operator = Callable[[Value, Value], Value]


def _unsupported(sign: str, a: Value, b: Value) -> errors.TypeError:
    return errors.TypeError(f"{sign} not supported between `{type_name(a)}` and `{type_name(b)}`")


def _arithmetic(compute: Callable[[Any, Any], Any], others: Operator) -> Operator:
    def apply(a: Value, b: Value) -> Value:
        kind, other = type(a), type(b)
        if kind in INTEGERS and other in INTEGERS:
            result = compute(a, b)
            return result if INT_MIN <= result <= INT_MAX else check_int64(result)
        if kind in NUMBERS and other in NUMBERS:
            return compute(float(a), float(b))
        return others(a, b)

    return apply


def _join(a: Value, b: Value) -> Value:
    """Concatenate two texts. The result is bytes if one of them is."""
    if type(a) not in TEXTS or type(b) not in TEXTS:
        raise _unsupported("`+`", a, b)
    if len(a) + len(b) > limits.MAX_TEXT:
        raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
    if type(a) is not type(b):
        a, b = encoded(a), encoded(b)
    return a + b


def _difference(a: Value, b: Value) -> Value:
    if type(a) is ThingSet and type(b) is ThingSet:
        return ThingSet(thing for thing in a if thing not in b)
    raise _unsupported("`-`", a, b)


def _no_product(a: Value, b: Value) -> Value:
    raise _unsupported("`*`", a, b)


def _divide(a: Value, b: Value) -> int | float:
    if type(a) not in NUMBERS or type(b) not in NUMBERS:
        raise _unsupported("`/`", a, b)
    if not b:
        raise errors.ZeroDivisionError("division or modulo by zero")
    if type(a) is float or type(b) is float:
        return float(a) / float(b)
    quotient: int = abs(a) // abs(b)
    return check_int64(quotient if (a < 0) == (b < 0) else -quotient)


def _remainder(a: Value, b: Value) -> int:
    if type(a) not in NUMBERS or type(b) not in NUMBERS:
        raise _unsupported("`%`", a, b)
    a, b = _whole(a), _whole(b)
    if not b:
        raise errors.ZeroDivisionError("division or modulo by zero")
    rest: int = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _whole(number: int | float) -> int:
    if type(number) is float and not INT_MIN <= number < -float(INT_MIN):
        raise errors.OverflowError("integer overflow")
    return int(number)


def _compare(sign: str, compare: Callable[[Any, Any], bool]) -> Operator:
    def apply(a: Value, b: Value) -> bool:
        kind, other = type(a), type(b)
        if kind in NUMBERS and other in NUMBERS:
            return compare(float(a), float(b)) if float in (kind, other) else compare(a, b)
        if kind in TEXTS and other in TEXTS:
            return compare(a, b) if kind is other else compare(encoded(a), encoded(b))
        if kind in MOMENTS and other in MOMENTS:
            return compare(a, b)
        raise _unsupported(f"`{sign}`", a, b)

    return apply


def _bitwise(
    sign: str, compute: Callable[[int, int], int], sets: Callable[[Any, Any], Any] | None
) -> Operator:
    def apply(a: Value, b: Value) -> Value:
        kind, other = type(a), type(b)
        if kind in INTEGERS and other in INTEGERS:
            return compute(int(a), int(b))
        if sets is not None and kind is ThingSet and other is ThingSet:
            return ThingSet(sets(a, b))
        raise _unsupported(f"bitwise `{sign}`", a, b)

    return apply


def _shift_left(a: int, b: int) -> int:
    """Shift as the processor does: bits beyond the 64th are lost, and only the last 6 bits of `b` count."""
    bits = (a << (b & 63)) & ((1 << 64) - 1)
    return bits - (1 << 64) if bits > INT_MAX else bits


def _shift_right(a: int, b: int) -> int:
    return a >> (b & 63)


def _negative(value: Value) -> Value:
    result = -_number(value)
    return result if type(result) is float else check_int64(result)


def _positive(value: Value) -> Value:
    return +_number(value)


def _number(value: Value) -> Any:
    if type(value) not in NUMBERS:
        raise errors.TypeError(f"operation not supported by type `{type_name(value)}`")
    return value


def _inverted(value: Value) -> int:
    if type(_number(value)) is float:
        raise errors.TypeError("bit inversion on float")
    return ~int(value)


BINARY: dict[str, Operator] = {
    "+": _arithmetic(operator.add, _join),
    "-": _arithmetic(operator.sub, _difference),
    "*": _arithmetic(operator.mul, _no_product),
    "/": _divide,
    "%": _remainder,
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": _compare("<", operator.lt),
    ">": _compare(">", operator.gt),
    "<=": _compare("<=", operator.le),
    ">=": _compare(">=", operator.ge),
    "&": _bitwise("&", operator.and_, lambda a, b: (thing for thing in a if thing in b)),
    "|": _bitwise("|", operator.or_, lambda a, b: {**a, **b}),
    "^": _bitwise("^", operator.xor, lambda a, b: {**a, **b}.keys() - (a.keys() & b.keys())),
    "<<": _bitwise("<<", _shift_left, None),
    ">>": _bitwise(">>", _shift_right, None),
}

PREFIX: dict[str, Callable[[Value], Value]] = {
    "!": operator.not_,
    "-": _negative,
    "+": _positive,
    "~": _inverted,
}
