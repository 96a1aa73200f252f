"""Attempts at what fails for a while: a database server that is restarted, a deadlock."""

from __future__ import annotations

import random
import time

from .pause import pause

__all__ = ["Retries"]

_FIRST, _LONGEST = 0.01, 0.5  # seconds


class Retries:
    """The pauses between the attempts at one thing. Each is up to twice as long as the one before.

    Args:
        seconds: after which there are no more attempts.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._longest = _FIRST

    def wait(self) -> bool:
        """Wait in this native thread, if there is time for another attempt. Returns whether there is."""
        if time.monotonic() >= self._deadline:
            return False
        pause(random.uniform(0, self._longest))
        self._longest = min(2 * self._longest, _LONGEST)
        return True
