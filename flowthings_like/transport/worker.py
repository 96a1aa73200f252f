"""A thread that does one thing again each time it is told that there is something to do."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..green.backend import detect

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.outcome import Latch

__all__ = ["Worker"]


class Worker:
    """Runs `work()` in a thread of its own, which starts when it is first needed.

    Args:
        work: does what there is to do at the moment, and returns whether that was the last.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._latch = detect().latches()
        self._spawn = detect().spawn
        self._asleep: list[Latch] = []  # where it waits, if it does
        self._to_start = [True]

    def wake(self) -> None:
        """There is something to do. Costs next to nothing while it is at work."""
        if self._asleep:
            with suppress(IndexError):
                self._asleep.pop().set()
        elif self._to_start:
            with suppress(IndexError):
                self._to_start.pop()
                try:
                    self._spawn(self._run)
                except BaseException:  # no thread to be had; the next call tries again
                    self._to_start.append(True)
                    raise

    def _run(self) -> None:
        while True:
            latch = self._latch()
            self._asleep.append(latch)
            # What comes from here on wakes it; this is for what came before.
            if self._work():
                return
            latch.wait()
