"""A line on the terminal that says how far a command is. Pipes and files get none."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Progress"]

_EVERY = 0.2


class Progress:
    """Counts things, and shows the count and the rate on stderr, if that is a terminal.

    Args:
        verb: what is done to them, such as "got".
        noun: what they are, in the plural.
    """

    def __init__(self, verb: str, noun: str = "records") -> None:
        self.count = 0
        self._verb = verb
        self._noun = noun
        self._is_shown = sys.stderr.isatty()
        self._began = self._shown_at = time.monotonic()

    def add(self, count: int) -> None:
        """Count more of them."""
        self.count += count
        if self._is_shown and time.monotonic() - self._shown_at >= _EVERY:
            self._show("")

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._show("\n")

    def _show(self, end: str) -> None:
        now = self._shown_at = time.monotonic()
        rate = self.count / max(now - self._began, 1e-9)
        line = f"\r{self._verb} {self.count:,} {self._noun}, {rate:,.0f} a second\x1b[K{end}"
        print(line, end="", file=sys.stderr, flush=True)
