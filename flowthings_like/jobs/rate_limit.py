"""A limit of calls per second that all threads, green or not, share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..errors import InvalidInput

__all__ = ["RateLimit"]


class RateLimit:
    """Lets so many calls begin in a second, evenly spaced. Any number of threads may share one.

    A thread that is interrupted while it waits loses its turn: the rate is lower then, never higher.

    Args:
        calls_per_second: a positive number.
        clock: tells the time in seconds.
        sleep: waits for seconds.

    Raises:
        InvalidInput: it is no positive number.
    """

    def __init__(
        self,
        calls_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        is_number = isinstance(calls_per_second, int | float) and not isinstance(calls_per_second, bool)
        if not is_number or not 0 < calls_per_second < float("inf"):
            raise InvalidInput(f"calls per second are a positive number, not {calls_per_second!r}")
        self._spacing = 1.0 / calls_per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Wait for the turn of the next call."""
        with self._lock:  # for a moment: it is not held while a thread sleeps
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._spacing
        if turn > now:
            (self._sleep or time.sleep)(turn - now)  # looked up now: it may have been patched
