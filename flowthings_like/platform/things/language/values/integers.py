"""The language's integers: 64 bits with a sign."""

from __future__ import annotations

from .....wire.things import errors

__all__ = ["INT_MAX", "INT_MIN", "bounded"]

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


def bounded(number: int) -> int:
    """Return the number if it fits 64 bits. Raises OverflowError if it does not."""
    if INT_MIN <= number <= INT_MAX:
        return number
    raise errors.OverflowError("integer overflow")
