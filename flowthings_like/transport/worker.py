"""A thread that does one thing again each time it is told that there is something to do."""

from __future__ import annotations

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
        self._started = False
        self._running: dict[str, object] = {}
        self._asleep: Latch | None = None  # where it waits, or is about to
        self._woken: Latch | None = None  # the last one that was set

    def wake(self) -> None:
        """There is something to do.

        Nothing is taken away here before it is used, so a call that fails or is interrupted costs nobody
        else anything: the next one does the same again.
        """
        if not self._started:
            self._spawn(self._run)
            self._started = True
        asleep = self._asleep
        if asleep is not None and asleep is not self._woken:
            asleep.set()
            self._woken = asleep

    def _run(self) -> None:
        mine = object()
        # Two threads are started where a caller is interrupted, or two call at once: one of them ends here.
        if self._running.setdefault("by", mine) is not mine:
            return
        while True:
            latch = self._asleep = self._latch()
            # What comes from here on wakes it; this is for what came before.
            if self._work():
                return
            latch.wait()
