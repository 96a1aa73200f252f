"""Sums and extremes of whole numbers and of reals apart, for databases whose columns hold one type."""

from __future__ import annotations

from typing import NamedTuple

from ....wire.integers import LEAST, MOST

__all__ = ["NumberParts"]


class NumberParts(NamedTuple):
    """What a database says about a group's numbers.

    Attributes:
        whole_count, real_count: how many are whole numbers, and reals.
        whole_sum, real_sum: their sums; None without any.
        whole_min, real_min, whole_max, real_max: their extremes; None without any.
    """

    whole_count: int
    whole_sum: int | None
    whole_min: int | None
    whole_max: int | None
    real_count: int
    real_sum: float | None
    real_min: float | None
    real_max: float | None

    def sum(self) -> float | None:
        """The sum: whole if all numbers are and 64 bits hold it, else a real; None of no numbers."""
        if self.real_sum is not None:
            return self.real_sum + (self.whole_sum or 0)
        if self.whole_sum is None or LEAST <= self.whole_sum <= MOST:
            return self.whole_sum
        return float(self.whole_sum)

    def average(self) -> float | None:
        """The average, None of no numbers."""
        count = self.whole_count + self.real_count
        return ((self.whole_sum or 0) + (self.real_sum or 0)) / count if count else None

    def least(self) -> float | None:
        """The least number, None of no numbers."""
        return min((one for one in (self.whole_min, self.real_min) if one is not None), default=None)

    def greatest(self) -> float | None:
        """The greatest number, None of no numbers."""
        return max((one for one in (self.whole_max, self.real_max) if one is not None), default=None)
