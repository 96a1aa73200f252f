"""The least and the greatest of numbers: accumulators for databases that leave aggregates to Python."""

from __future__ import annotations

__all__ = ["Greatest", "Least"]


class Least:
    """The least of all numbers, the first among equal ones."""

    def __init__(self) -> None:
        self.found: float | None = None

    def step(self, value: float | None) -> None:
        """Take one number."""
        if value is not None and (self.found is None or value < self.found):
            self.found = value

    def finalize(self) -> float | None:
        """The least, None of no numbers."""
        return self.found


class Greatest(Least):
    """The greatest of all numbers, the first among equal ones."""

    def step(self, value: float | None) -> None:
        if value is not None and (self.found is None or value > self.found):
            self.found = value
