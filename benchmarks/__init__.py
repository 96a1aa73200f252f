"""Benchmarks, each a module; see `python -m benchmarks --help`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """A ratio to be reached.

    Attributes:
        contender, peer: whose figure over whose; without a peer it is the figure itself.
        at_most, at_least: one of them is given.
    """

    contender: str
    peer: str = ""
    at_most: float | None = None
    at_least: float | None = None

    def is_reached(self, ratio: float) -> bool:
        """Whether a ratio will do."""
        if self.at_most is not None:
            return ratio <= self.at_most
        return self.at_least is not None and ratio >= self.at_least

    @property
    def wanted(self) -> str:
        """The target in words."""
        if self.at_most is not None:
            return f"at most {self.at_most:,.3f}".rstrip("0").rstrip(".")
        return f"at least {self.at_least}"
