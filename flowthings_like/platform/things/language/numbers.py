"""Functions of numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from .... import things_errors as errors
from .operators import bounded
from .signature import FUNCTIONS, Builtin, function

if TYPE_CHECKING:
    from .run import Run
    from .signature import Number

__all__ = ["whole"]


def whole(value: int | float | str, base: int = 10) -> int:
    """The number's whole part, or the number that the text spells.

    Raises:
        ValueError: the text spells none.
        OverflowError: it needs more than 64 bits.
    """
    if isinstance(value, str):
        if not (base == 0 or 2 <= base <= 36):
            raise errors.ValueError(f"expected a base from 2 to 36, not {base}")
        try:
            return bounded(int(value[:100], base))
        except ValueError as error:
            if isinstance(error, errors.OverflowError):
                raise
            raise errors.ValueError(
                f"expected a str that spells a whole number, not {value[:60]!r}"
            ) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise errors.OverflowError("integer overflow: expected a number of 64 bits")
    return bounded(int(value))


@function
def abs_(run: Run, number: Number) -> int | float:
    return bounded(abs(int(number))) if isinstance(number, int) else abs(number)


@function
def round_(run: Run, number: Number, digits: int | None = None) -> int | float:
    if digits is None:
        return (
            whole(math.floor(abs(number) + 0.5) * (-1 if number < 0 else 1))
            if math.isfinite(number)
            else whole(number)
        )
    if not -20 <= digits <= 20:
        raise errors.ValueError(f"expected -20 to 20 digits, not {digits}")
    return round(float(number), digits)


@function
def floor(run: Run, number: Number) -> int:
    return whole(math.floor(number) if math.isfinite(number) else number)


@function
def ceil(run: Run, number: Number) -> int:
    return whole(math.ceil(number) if math.isfinite(number) else number)


@function
def pow_(run: Run, base: Number, exponent: Number) -> float:
    return _computed(math.pow, base, exponent)


@function
def rand(run: Run) -> float:
    return random.random()


@function
def randint(run: Run, least: int, most: int) -> int:
    """A number from `least` on, below `most`."""
    if least >= most:
        raise errors.ValueError(f"expected two numbers, the smaller one first, not {least} and {most}")
    return random.randrange(least, most)


def _computed(compute: Callable[..., float], *numbers: int | float) -> float:
    try:
        return compute(*map(float, numbers))
    except ArithmeticError:
        raise errors.OverflowError(f"the result for {', '.join(map(str, numbers))} is too large") from None
    except ValueError:
        raise errors.ValueError(f"there is no such number for {', '.join(map(str, numbers))}") from None


def _declare() -> None:
    computed = {
        "sqrt": math.sqrt,
        "exp": math.exp,
        "loge": math.log,
        "log2": math.log2,
        "log10": math.log10,
        "sin": math.sin,
        "cos": math.cos,
        "tan": math.tan,
    }
    for name, compute in computed.items():

        def call(run: Run, number: Number, compute: Callable[[float], float] = compute) -> float:
            return _computed(compute, number)

        FUNCTIONS[name] = Builtin(call, name, most=1)


_declare()
