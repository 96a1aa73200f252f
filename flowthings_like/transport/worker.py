"""Threads that start when they are first needed; and one that does the same again each time it is woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..green.backends.contract import detect

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.calls.future import Latch

__all__ = ["OneThread", "Worker"]


class OneThread:
    """Runs a function in a thread of its own, once.

    That there is such a thread is noted by the thread itself. So a start that fails, or is interrupted, costs
    nothing: the next one tries again.
    """

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._spawn = detect().spawn
        self._started = False
        self._running: dict[str, object] = {}

    def start(self) -> None:
        """Start it, unless that was done. It may be called any number of times, at once too.

        Raises:
            RuntimeError: the system gives no thread.
        """
        if not self._started:
            self._spawn(self._run_once)
            self._started = True

    @property
    def started(self) -> bool:
        """Whether there is such a thread, or was."""
        return self._started or bool(self._running)

    def _run_once(self) -> None:
        mine = object()
        # Two threads are started where a caller is interrupted, or two call at once: one of them ends here.
        if self._running.setdefault("by", mine) is mine:
            self._run()


class Worker:
    """Runs `work()` in a thread of its own each time it is woken; the first time starts it.

    Args:
        work: does what there is to do at the moment, and returns whether that was the last.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._latch = detect().latches()
        self._thread = OneThread(self._run)
        self._asleep: Latch | None = None  # where it waits, or is about to
        self._woken: Latch | None = None  # the last one that was set

    def wake(self) -> None:
        """There is something to do.

        Nothing is taken away here before it is used, so a call that fails or is interrupted costs nobody
        else anything: the next one does the same again.
        """
        self._thread.start()
        asleep = self._asleep
        if asleep is not None and asleep is not self._woken:
            asleep.set()
            self._woken = asleep

    def _run(self) -> None:
        while True:
            latch = self._asleep = self._latch()
            # What comes from here on wakes it; this is for what came before.
            if self._work():
                return
            latch.wait()
