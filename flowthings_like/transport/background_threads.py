"""Background threads: one that is started on demand, and one that works whenever it is woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..green.backends.choice import detect
from .permit import Permit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.future import OneShotEvent

__all__ = ["OneThread", "Worker"]


class OneThread:
    """Runs a function once, in a thread of its own that is started on demand.

    The thread itself notes that it runs. So a start that fails or is interrupted leaves nothing behind, and
    the next one tries again.
    """

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._spawn = detect().spawn
        self._started = False
        self._running = Permit()

    def start(self) -> None:
        """Start the thread, unless it was started. May be called any number of times, by several threads.

        Raises:
            RuntimeError: the system gives no thread.
        """
        if not self._started:
            self._spawn(self._run_once)
            self._started = True

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._started or self._running.is_taken

    def _run_once(self) -> None:
        # Two threads start if a caller is interrupted, or if two call at once. The second one ends here.
        if self._running.take(object()):
            self._run()


class Worker:
    """Runs a function in a thread of its own each time it is woken. The first `wake` starts the thread.

    Args:
        work: called when the thread was woken. Returns whether the thread ends.
    """

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._new_event = detect().event_factory()
        self._thread = OneThread(self._run)
        self._asleep: OneShotEvent | None = None  # what the thread waits for, or is about to
        self._woken: OneShotEvent | None = None  # the last event that was set

    def wake(self) -> None:
        """Have `work` called.

        Nothing is changed before it has been acted on. So if a call fails or is interrupted, the next one
        does the same again, and no other caller is affected.
        """
        self._thread.start()
        asleep = self._asleep
        if asleep is not None and asleep is not self._woken:
            asleep.set()
            self._woken = asleep

    def _run(self) -> None:
        while True:
            event = self._asleep = self._new_event()
            # From here on `wake` sets this event. What came before is done by this call.
            if self._work():
                return
            event.wait()
