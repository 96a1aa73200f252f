"""Sums and averages that do not overflow: accumulators over exact whole numbers.

SQLite's own functions are faster. These are used when theirs has gone beyond 64 bits, or beyond the largest
real.
"""

from __future__ import annotations

import math

from ....wire.integers import LEAST, MOST

__all__ = ["ExactAverage", "ExactSum"]

_ONE = 1 << 1074
"""Every real is a whole multiple of 1 / _ONE."""


class ExactSum:
    """A sum: whole if all numbers are whole and 64 bits hold it, else a real; infinite beyond the largest."""

    def __init__(self) -> None:
        self.whole = True
        self.count = 0
        self.total = 0  # in units of 1 / _ONE

    def step(self, value: float | None) -> None:
        """Add one number."""
        if value is None:
            return
        self.whole = self.whole and type(value) is int
        self.count += 1
        numerator, denominator = value.as_integer_ratio()
        self.total += numerator * (_ONE // denominator)

    def finalize(self) -> float | None:
        """The sum, None of no numbers."""
        if not self.count:
            return None
        if self.whole and LEAST <= self.total // _ONE <= MOST:
            return self.total // _ONE
        return _divided(self.total, _ONE)


class ExactAverage(ExactSum):
    """An average: the real next to the true one."""

    def finalize(self) -> float | None:
        """The average, None of no numbers."""
        return _divided(self.total, _ONE * self.count) if self.count else None


def _divided(total: int, by: int) -> float:
    try:
        return total / by
    except OverflowError:
        return math.inf if total > 0 else -math.inf
