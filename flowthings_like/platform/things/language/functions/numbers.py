"""Functions that compute with numbers, and random numbers, texts and ranges."""

from __future__ import annotations

import math
import random
import string
from typing import TYPE_CHECKING

from .....wire.things import errors
from ..runtime.builtin import FUNCTIONS, Builtin, function
from ..values.numbers import check_int64, int_of
from ..values.types import List

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.builtin import Number
    from ..runtime.run import Run


@function
def abs_(run: Run, number: Number) -> int | float:
    return check_int64(abs(number)) if isinstance(number, int) else abs(number)


@function
def round_(run: Run, number: Number, digits: int | None = None) -> int | float:
    """Round to so many digits, halves away from zero. An int stays an int."""
    try:
        scale = 1.0 if digits is None else math.pow(10.0, digits)
    except OverflowError:
        scale = math.inf
    scaled = float(number) * scale
    if math.isfinite(scaled):
        below = math.floor(abs(scaled))
        scaled = math.copysign(below + (abs(scaled) - below >= 0.5), scaled)
    rounded = scaled / scale if scale else math.nan
    return int_of(rounded) if isinstance(number, int) else rounded


@function
def floor(run: Run, number: Number) -> int:
    return int_of(math.floor(number) if math.isfinite(number) else number)


@function
def ceil(run: Run, number: Number) -> int:
    return int_of(math.ceil(number) if math.isfinite(number) else number)


@function
def pow_(run: Run, base: Number, exponent: Number) -> float:
    """Raise to a power, as C does: nan if there is no such number, inf if it is too large."""
    a, b = float(base), float(exponent)
    odd = b.is_integer() and b % 2 == 1
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and odd else math.inf
    except ValueError:
        if a == 0:
            return math.copysign(math.inf, a) if odd else math.inf
        return math.nan


@function
def exp(run: Run, number: Number) -> float:
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf


@function
def rand(run: Run) -> float:
    return random.random()


@function
def randint(run: Run, least: int, most: int) -> int:
    """Return a random number that is at least `least` and less than `most`."""
    if least >= most:
        raise errors.ValueError("function `randint` does not accept an empty range")
    check_int64(most - least)
    return random.randrange(least, most)


_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase + "-_"
_LONGEST = 1024


@function
def randstr(run: Run, length: int, characters: str = _CHARACTERS) -> str:
    """Return a text of so many random characters."""
    if not 0 <= length <= _LONGEST:
        raise errors.ValueError(f"function `randstr` requires a length between 0 and {_LONGEST}")
    if not characters:
        raise errors.ValueError(
            "function `randstr` requires a character set with at least one valid ASCII character"
        )
    if not characters.isascii():
        raise errors.ValueError("function `randstr` requires a character set with ASCII characters only")
    return "".join(random.choices(characters, k=length))


_LONGEST_RANGE = 100_000


@function
def range_(run: Run, first: int, stop: int | None = None, step: int = 1) -> List:
    if step == 0:
        raise errors.ValueError("step value must not be zero")
    numbers = range(first) if stop is None else range(first, stop, step)
    if numbers and (abs(numbers[-1] - numbers[0]) // abs(step)) >= _LONGEST_RANGE:
        raise errors.OperationError("maximum range length exceeded")
    run.spend(len(numbers))
    return List(numbers)


def _declare() -> None:
    computed = {
        "sqrt": math.sqrt,
        "loge": math.log,
        "log2": math.log2,
        "log10": math.log10,
        "sin": math.sin,
        "cos": math.cos,
        "tan": math.tan,
    }
    for name, compute in computed.items():

        def call(run: Run, number: Number, compute: Callable[[float], float] = compute) -> float:
            try:
                return compute(float(number))
            except ValueError:
                raise errors.ValueError("math domain error") from None

        FUNCTIONS[name] = Builtin(call, name, most=1)


_declare()
