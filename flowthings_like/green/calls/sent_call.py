"""Calls that were sent without a thread of their own: the first caller that needs the result waits for it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Protocol

from ..future import Failure, Future, too_late, without_frames

if TYPE_CHECKING:
    from ..backends.contract import Pool
    from ..future import Origin

__all__ = ["SentCall", "SentFuture"]


class SentCall(Protocol):
    """What a service's method that sends a call returns; see `markers.sends_at_once`."""

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


class SentFuture(Future):
    """The result of a call that was sent without a thread.

    Args:
        pool: in whose threads it may be waited for.
    """

    __slots__ = ("_call", "_origin", "_pid", "_pool", "_turn")

    def __init__(self, call: SentCall, origin: Origin, pool: Pool) -> None:
        super().__init__()
        self._origin = origin
        self._call = call
        self._pool = pool
        self._pid = os.getpid()
        self._turn = pool.backend.lock()  # held by the one who waits for the answer; all others wait for it
        call.hold(self)  # so that a failure is told even if nobody keeps the thunk

    @property
    def origin(self) -> Origin:
        """Where the call was made."""
        return self._origin

    def done(self) -> bool:
        """Whether there is a result, or an answer to make it from."""
        return super().done() or self._call.arrived()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the answer, or for another thread that does."""
        if super().done():
            return
        self._pool.check_thread()
        if self._pid != os.getpid() and not self._pool.backend.is_cooperative:
            # In a forked child: the thread that may hold it has stayed in the parent.
            self._turn, self._pid = self._pool.backend.lock(), os.getpid()
        if timeout is None:
            with self._turn:  # cannot be left held by a signal, see _primitives
                self._wait_first(None)
            return
        end = time.monotonic() + timeout
        if not self._turn.acquire(timeout=max(0.0, timeout)):
            raise too_late(timeout)
        try:
            self._wait_first(max(0.0, end - time.monotonic()))
        finally:
            self._turn.release()
        if not super().done():
            raise too_late(timeout)

    def _wait_first(self, timeout: float | None) -> None:
        """Wait for the answer so many seconds. Called by one thread at a time."""
        if not super().done() and self._call.wait(timeout):
            self._finish()

    def _finish(self) -> None:
        try:
            result = self._call.result()
        except Exception as error:
            self.set_exception(Failure(without_frames(error), None, self.origin))
        else:
            self.set_result(result)

    def cancel(self) -> bool:
        """Nobody needs the result: fail with CallCancelled unless it is there."""
        if not super().done():
            super().cancel()
            self._call.give_up()
        return True

    def __del__(self) -> None:
        if not super().done() and self._call.arrived():
            self._call.give_up()
            self._finish()  # a failure that nobody looks at says so when it goes
