"""A line on the terminal that says how far a command is. Pipes and files get none."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Progress"]

_EVERY = 0.2


class Progress:
    """Counts records, and shows the count and the rate on stderr, if that is a terminal.

    Args:
        verb: what is done to the records, such as "got".
    """

    def __init__(self, verb: str) -> None:
        self.records = 0
        self._verb = verb
        self._is_shown = sys.stderr.isatty()
        self._began = self._shown_at = time.monotonic()

    def add(self, records: int) -> None:
        """Count more records."""
        self.records += records
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
        rate = self.records / max(now - self._began, 1e-9)
        line = f"\r{self._verb} {self.records:,} records, {rate:,.0f} a second\x1b[K{end}"
        print(line, end="", file=sys.stderr, flush=True)
