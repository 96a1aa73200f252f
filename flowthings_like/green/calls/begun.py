"""Calls that are on their way without a thread of their own: whoever needs the result first waits for it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Protocol

from flowthings_like.errors import CallCancelled, DeadlineExceeded

from .failure import Failure
from .future import Raised, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.contract import Pool
    from .failure import Origin
    from .future import Outcome

__all__ = ["Begun", "Underway"]


class Underway(Protocol):
    """What a service's method that begins a call returns; see `marks.begins`."""

    def arrived(self) -> bool:
        """Whether `result` would not wait."""

    def wait(self, timeout: float | None) -> bool:
        """Wait until the answer is there, or none will come. False if `timeout` seconds are less."""

    def result(self) -> Any:
        """The call's value, or its exception. Asked by one thread at a time; again, if it was interrupted."""

    def give_up(self) -> None:
        """Nobody needs the result: what `result` says from here on is what is known by now."""

    def hold(self, holder: object) -> None:
        """Keep `holder` alive until the answer is there, or none will come."""


class Begun:
    """A call that was begun: a Pending.

    Args:
        pool: in whose threads it may be waited for.
    """

    __slots__ = ("__weakref__", "_call", "_origin", "_outcome", "_pid", "_pool", "_turn")

    def __init__(self, call: Underway, origin: Origin, pool: Pool) -> None:
        self._call = call
        self._origin = origin
        self._outcome: Outcome | None = None
        self._pool = pool
        self._pid = os.getpid()
        self._turn = pool.backend.lock()  # held by the one who waits for the answer; all others wait for it
        call.hold(self)  # so that a failure is told even if nobody keeps the thunk

    def ready(self) -> bool:
        return self._outcome is not None or self._call.arrived()

    def settle(self, timeout: float | None = None) -> Outcome:
        outcome = self._outcome
        if outcome is None:
            self._pool.check_thread()
            if self._pid != os.getpid() and not self._pool.backend.in_turns:
                # In a forked child: the thread that may hold it has stayed in the parent.
                self._turn, self._pid = self._pool.backend.lock(), os.getpid()
        if outcome is None and timeout is None:
            with self._turn:  # cannot be left held by a signal, see _primitives
                outcome = self._wait(None)
        elif outcome is None:
            assert timeout is not None
            end = time.monotonic() + timeout
            if not self._turn.acquire(timeout=max(0.0, timeout)):
                raise _too_late(timeout)
            try:
                outcome = self._wait(max(0.0, end - time.monotonic()))
            finally:
                self._turn.release()
            if outcome is None:
                raise _too_late(timeout)
        assert outcome is not None
        return outcome

    def _wait(self, timeout: float | None) -> Outcome | None:
        """The outcome; None if there is none after so many seconds. Called by one thread at a time."""
        if self._outcome is None and self._call.wait(timeout):
            outcome = self._finish()
            if self._outcome is None:  # else it was given up meanwhile
                self._outcome = outcome
        return self._outcome

    def _finish(self) -> Outcome:
        try:
            return self._call.result(), None
        except Exception as error:
            # As from a lazy call's thread: the last one to hold it knows whether it was seen.
            return Failure(without_frames(error), None, self._origin), None

    def when_done(self, callback: Callable[[], object]) -> bool:
        if self._outcome is None:
            return False
        callback()
        return True

    def hurry(self) -> None: ...

    def abandon(self) -> bool:
        if self._outcome is None:
            self._outcome = None, Raised(CallCancelled("the call was given up"), None)
            self._call.give_up()
        return True

    def __del__(self) -> None:
        if self._outcome is None and self._call.arrived():
            self._call.give_up()
            self._outcome = self._finish()  # a failure that nobody looks at says so when it goes


def _too_late(timeout: float) -> DeadlineExceeded:
    return DeadlineExceeded(f"the call was not done after {timeout} s")
