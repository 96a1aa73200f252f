"""Comparisons of a number with a column of one type, as tests that the column's own type decides exactly.

A database compares a whole number with a real one, or a date with a number, after a conversion that may
round. So each comparison becomes tests with values of the type of the column. They are true for exactly
those values of the column that the comparison is true for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

__all__ = [
    "ALWAYS",
    "INT64",
    "NEVER",
    "Bounds",
    "date_bounds",
    "decimal_bounds",
    "moment_bounds",
    "real_bounds",
    "whole_bounds",
]

INT64 = range(-(1 << 63), 1 << 63)
MOST_DECIMAL = 1 << 52
"""Below this number a double that is near a decimal is nearer to it than to any other whole number."""

_EPOCH = datetime(1970, 1, 1)
_EXACT = Context(prec=2_000)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Tests of a column. All of them have to be true.

    Attributes:
        tests: pairs of an operator (= < <= > >=) and a value. Without a test every value passes but null.
        possible: whether any value can pass. If not, there are no tests.
    """

    tests: tuple[tuple[str, Any], ...] = ()
    possible: bool = True


NEVER = Bounds(possible=False)
"""No value of the column passes."""
ALWAYS = Bounds()
"""Every value of the column passes, except null."""


def whole_bounds(op: str, value: int | float, numbers: range = INT64) -> Bounds:
    """The bounds of a column of whole numbers.

    Args:
        op: == < <= > >=
        numbers: the numbers that the column can hold. Other numbers are not sent: they may not fit.
    """
    if isinstance(value, float) and not value.is_integer():
        if op == "==":
            return NEVER
        op, value = ("<=", math.floor(value)) if op[0] == "<" else (">=", math.floor(value) + 1)
    bound = int(value)
    if bound in numbers:
        return _one(op, bound)
    return _beyond(op, is_above=bound >= numbers.stop)


def real_bounds(op: str, value: int | float) -> Bounds:
    """The bounds of a column of doubles."""
    nearest = float(value)
    if nearest == value:  # Python compares an int with a float exactly
        return _one(op, nearest)
    if op == "==":
        return NEVER
    # `value` lies between two neighbouring doubles, and `nearest` is one of them.
    if nearest > value:
        return _one("<" if op[0] == "<" else ">=", nearest)
    return _one("<=" if op[0] == "<" else ">", nearest)


def decimal_bounds(op: str, value: int | float, scale: int | None) -> Bounds | None:
    """The bounds of a column of decimals. A decimal counts as the double that is nearest to it.

    Args:
        scale: how many digits the column has after its point; None if that is not known.

    Returns:
        None if no bounds say it: the number is so large that a double has no digits after the point.
    """
    if scale == 0:
        return whole_bounds(op, value) if INT64.start <= value < INT64.stop else None
    if abs(value) >= MOST_DECIMAL:
        return None
    middle = float(value)
    # Decimals from `least` to `most` are nearest to `middle`; a tie goes to the double with an even last bit.
    least = (Fraction(math.nextafter(middle, -math.inf)) + Fraction(middle)) / 2
    most = (Fraction(middle) + Fraction(math.nextafter(middle, math.inf))) / 2
    includes_ties = _is_even(middle)
    if scale is None:
        return _between(op, _decimal(least), _decimal(most), includes_ties)
    grid = 10**scale
    first, last = math.ceil(least * grid), math.floor(most * grid)
    if not includes_ties:
        first += first == least * grid
        last -= last == most * grid
    lower, upper = (Decimal(edge).scaleb(-scale, _EXACT) for edge in (first, last))
    if op == "==":
        if first > last:
            return NEVER
        return _one("==", lower) if first == last else Bounds(((">=", lower), ("<=", upper)))
    return _between(op, lower, upper, True)


def _between(op: str, least: Decimal, most: Decimal, inclusive: bool) -> Bounds:
    """The bounds for `op`, where `==` would be true from `least` to `most`."""
    above, below = (">=", "<=") if inclusive else (">", "<")
    match op:
        case "==":
            return Bounds(((above, least), (below, most)))
        case "<":
            return Bounds((("<" if inclusive else "<=", least),))
        case "<=":
            return Bounds(((below, most),))
        case ">":
            return Bounds(((">" if inclusive else ">=", most),))
    return Bounds(((above, least),))


def moment_bounds(op: str, ms: int | float, *, zoned: bool) -> Bounds:
    """The bounds of a column of dates with times, which count as their milliseconds since 1970, rounded down.

    Args:
        zoned: whether the column has time zones. If not, its dates count as UTC.
    """
    return _in_units(op, Fraction(ms) * 1000, 1000, lambda us: _moment(us, zoned))


def date_bounds(op: str, ms: int | float) -> Bounds:
    """The bounds of a column of dates, which count as the milliseconds of their midnight in UTC."""
    return _in_units(
        op, Fraction(ms) / _DAY_MS, None, lambda day: _moment(day * _DAY_MS * 1000, False).date()
    )


def _in_units(op: str, at: Fraction, step: int | None, made: Callable[[int], date]) -> Bounds:
    """The bounds of a column that counts units.

    Args:
        at: the number to compare with, in units.
        step: the column's values are rounded down to multiples of this many units; None: they are not.
        made: the value of the column for a number of units. OverflowError if there is none.
    """
    size = step or 1
    ticks = at / size
    lower, upper = math.ceil(ticks) * size, (math.floor(ticks) + 1) * size
    if op == "==" and ticks.denominator != 1:
        return NEVER
    edges = {"==": ((">=", lower), ("<", upper)), "<": (("<", lower),), "<=": (("<", upper),)}
    edges |= {">": ((">=", upper),), ">=": ((">=", lower),)}
    tests = []
    if op == "==" and step is None:
        edges["=="] = (("=", lower),)
    for sign, units in edges[op]:
        try:
            tests.append((sign, made(units)))
        except OverflowError:
            one = _beyond("==" if sign == "=" else sign, is_above=units > 0)
            if not one.possible:
                return NEVER
    return Bounds(tuple(tests))


def _moment(us: int, zoned: bool) -> datetime:
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.replace(tzinfo=timezone.utc) if zoned else moment


def _one(op: str, value: Any) -> Bounds:
    return Bounds((("=" if op == "==" else op, value),))


def _beyond(op: str, *, is_above: bool) -> Bounds:
    """The bounds for a number that is above or below all values of the column."""
    return ALWAYS if op != "==" and (op[0] == "<") == is_above else NEVER


def _is_even(number: float) -> bool:
    mantissa, _ = math.frexp(number)
    lowest = math.ulp(number)
    return int(Fraction(number) / Fraction(lowest)) % 2 == 0 if mantissa else True


def _decimal(number: Fraction) -> Decimal:
    """The decimal that is exactly this number, whose denominator is a power of 2."""
    places = number.denominator.bit_length() - 1
    return Decimal(number.numerator * 5**places).scaleb(-places, _EXACT)
