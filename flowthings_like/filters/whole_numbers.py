"""Comparisons of whole numbers with any number, as ranges of whole numbers. They are exact beyond 2^53."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Range", "range_of"]


class Range(NamedTuple):
    """The whole numbers from `low` up to and without `high`. None: there is no bound. It may be empty."""

    low: int | None
    high: int | None


NOTHING = Range(0, 0)


def range_of(op: str, number: int | float) -> Range:
    """The whole numbers x for which `x op number` is true. `op` is any comparison but !=.

    >>> range_of("<", 2.5), range_of("==", 3), range_of(">", 2**53)
    (Range(low=None, high=3), Range(low=3, high=4), Range(low=9007199254740993, high=None))
    """
    below, above = math.floor(number), math.ceil(number)
    match op:
        case "<":
            return Range(None, above)
        case "<=":
            return Range(None, below + 1)
        case ">":
            return Range(below + 1, None)
        case ">=":
            return Range(above, None)
    return Range(below, below + 1) if below == above else NOTHING
