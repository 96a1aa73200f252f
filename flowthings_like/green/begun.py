"""Calls that are on their way without a thread of their own: whoever needs the result first waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from flowthings_like.errors import CallCancelled, DeadlineExceeded

from .backend import detect
from .failure import Failure
from .outcome import Raised, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from .failure import Origin
    from .outcome import Latch, Outcome

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
    """A call that was begun: a Pending."""

    __slots__ = ("_call", "_free", "_origin", "_others", "_outcome")

    def __init__(self, call: Underway, origin: Origin) -> None:
        self._call = call
        self._origin = origin
        self._outcome: Outcome | None = None
        self._free = [True]  # taken by the one who waits for the answer
        self._others: list[Latch] = []  # where all others wait for that one
        call.hold(self)  # so that a failure is told even if nobody keeps the thunk

    def ready(self) -> bool:
        return self._outcome is not None or self._call.arrived()

    def settle(self, timeout: float | None = None) -> Outcome:
        end = None if timeout is None else time.monotonic() + timeout
        while self._outcome is None:
            left = None if end is None else max(0.0, end - time.monotonic())
            try:
                self._free.pop()
            except IndexError:
                done = self._wait_for_another(left)
            else:
                try:
                    done = self._call.wait(left)
                    if done and self._outcome is None:
                        self._outcome = self._finish()
                finally:
                    self._free.append(True)
                    if self._others:
                        others, self._others = self._others, []
                        for latch in others:
                            latch.set()
            if not done:
                raise DeadlineExceeded(f"the call was not done after {timeout} s")
        return self._outcome

    def _finish(self) -> Outcome:
        try:
            return self._call.result(), None
        except Exception as error:
            # As from a lazy call's thread: the last one to hold it knows whether it was seen.
            return Failure(without_frames(error), None, self._origin), None

    def _wait_for_another(self, timeout: float | None) -> bool:
        latch = detect().latch()
        others = self._others
        others.append(latch)
        # Asked after the latch is there to set: who has just ended leaves the turn free.
        return bool(self._free) or self._outcome is not None or latch.wait(timeout)

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
