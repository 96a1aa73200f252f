"""Sums and averages that no overflow spoils: SQL aggregates over exact whole numbers.

SQLite's own are faster and do for nearly all data. These are asked where theirs has gone beyond 64 bits, or
beyond what a real can hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_ONE = 1 << 1074
"""Every real is a whole multiple of 1 / _ONE."""

_LEAST, _MOST = -(2**63), 2**63 - 1


class _Sum:
    """`exact_sum`: whole if all numbers are and 64 bits hold it, else a real; infinite beyond the largest."""

    def __init__(self) -> None:
        self.whole = True
        self.count = 0
        self.total = 0  # in units of 1 / _ONE

    def step(self, value: int | float | None) -> None:
        if value is None:
            return
        self.whole = self.whole and type(value) is int
        self.count += 1
        numerator, denominator = value.as_integer_ratio()
        self.total += numerator * (_ONE // denominator)

    def finalize(self) -> int | float | None:
        if not self.count:
            return None
        if self.whole and _LEAST <= self.total // _ONE <= _MOST:
            return self.total // _ONE
        return _divided(self.total, _ONE)


class _Average(_Sum):
    """`exact_avg`: a real, the one next to the true average."""

    def finalize(self) -> float | None:
        return _divided(self.total, _ONE * self.count) if self.count else None


def register(connection: sqlite3.Connection) -> None:
    """Install the aggregates on a raw connection."""
    connection.create_aggregate("exact_sum", 1, _Sum)  # type: ignore[arg-type]  # its step takes any value
    connection.create_aggregate("exact_avg", 1, _Average)  # type: ignore[arg-type]


def _divided(total: int, by: int) -> float:
    try:
        return total / by
    except OverflowError:
        return math.inf if total > 0 else -math.inf
