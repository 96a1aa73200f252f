"""The integers that a stored document may hold: those that fit 64 bits with a sign."""

from __future__ import annotations

__all__ = ["LEAST", "MOST"]

LEAST, MOST = -(2**63), 2**63 - 1
