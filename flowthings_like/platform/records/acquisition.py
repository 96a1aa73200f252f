"""The acquisition clock: stamps records, and says up to which stamp nothing changes any more."""

from __future__ import annotations

import time

from ..store.group_commit import NativeLock

__all__ = ["AcquisitionClock", "now"]

_EPOCH = 978_307_200 * 10**9
"""2001-01-01 UTC in Unix time, in nanoseconds."""


def now() -> int:
    """The time in nanoseconds since 2001-01-01 UTC, as records have it. Leap seconds are ignored."""
    return time.time_ns() - _EPOCH


class AcquisitionClock:
    """Gives out stamps that only grow, however the system's clock is set.

    A horizon is a stamp below which all records are committed: every stamp that is given out afterwards is at
    least as high. While a commit is under way, the horizon is its first stamp.

    The methods are called in native threads.

    Args:
        last: the highest stamp that was ever given out.
    """

    def __init__(self, last: int) -> None:
        self._lowest = last + 1  # of the stamps that may still be given out
        self._pending: int | None = None  # the first stamp of the commit that is under way
        self._lock = NativeLock()

    def begin(self, count: int) -> int:
        """Give out `count` stamps for one commit, until `end` is called. Returns the first one."""
        with self._lock:
            first = self._pending = max(now(), self._lowest)
            self._lowest = first + count
            return first

    def end(self) -> None:
        """The commit has ended: its records can be read, or there are none."""
        with self._lock:
            self._pending = None

    def horizon(self) -> int:
        """The present horizon. It never decreases."""
        with self._lock:
            if self._pending is not None:
                return self._pending
            self._lowest = max(now(), self._lowest)
            return self._lowest
