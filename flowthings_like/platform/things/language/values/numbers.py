"""The language's numbers: integers of 64 bits with a sign, and the numbers that texts begin with."""

from __future__ import annotations

import math
import re

from .....wire.things import errors

__all__ = ["INT_MAX", "INT_MIN", "check_int64", "float_of", "int_of"]

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1

_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([0-9]+))")
_REAL = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan))",
    re.IGNORECASE,
)
_MAX_DIGITS = 1000  # of an integer in a text: none of 64 bits has as many


def check_int64(number: int) -> int:
    """Return the number if it fits 64 bits. Raises OverflowError if it does not."""
    if INT_MIN <= number <= INT_MAX:
        return number
    raise errors.OverflowError("integer overflow")


def int_of(value: int | float | str) -> int:
    """Return the whole part of a number, or the integer that a text begins with.

    0x… and 0… are read as in C. A text without a number gives 0.

    Raises:
        OverflowError: it needs more than 64 bits.
    """
    if isinstance(value, str):
        found = _WHOLE.match(value)
        if found is None:
            return 0
        sign, sixteen, eight, ten = found.groups()
        digits, base = (sixteen, 16) if sixteen else (eight, 8) if eight else (ten, 10)
        digits = digits.lstrip("0")
        if len(digits) > _MAX_DIGITS:
            raise errors.OverflowError("integer overflow")
        number = int(digits or "0", base)
        return check_int64(-number if sign == "-" else number)
    if isinstance(value, float) and not math.isfinite(value):
        raise errors.OverflowError("integer overflow")
    return check_int64(int(value))


def float_of(text: str) -> float:
    """Return the number that the text begins with, 0.0 if there is none."""
    found = _REAL.match(text)
    return float(found[1]) if found else 0.0
