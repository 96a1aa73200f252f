"""How fast each token may make requests and send bytes: token buckets.

A bucket fills at a steady rate up to its size, and each request takes out what it costs. If there is not
enough, the request is refused at once, and the caller is told when to come again. What a body costs is known
when it has come: it may take out more than there is, and the caller waits longer afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from ...green.backends import choice as backend
from ..problems import TooManyRequests

__all__ = ["Rate", "RateLimiter"]

_MOST_BUCKETS = 10_000
"""Buckets beyond which full ones, which say nothing, are removed."""


@dataclass(frozen=True)
class Rate:
    """What one token may do in each process.

    Attributes:
        per_second: how much in the long run.
        burst: how much at once; None for what two seconds bring, at least 1.
    """

    per_second: float
    burst: float | None = None

    @property
    def size(self) -> float:
        """How much a full bucket holds."""
        return max(1.0, 2 * self.per_second) if self.burst is None else self.burst


class _Bucket:
    """What one token has left. Changed with the limiter's lock held."""

    __slots__ = ("at", "level")

    def __init__(self, level: float, at: float) -> None:
        self.level = level
        self.at = at


class RateLimiter:
    """The buckets of all tokens. Usable from any number of green or plain threads.

    Args:
        what: what is counted, in the plural, for messages.
        rate: what each may do.
        clock: monotonic seconds.
    """

    def __init__(self, what: str, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._rate = rate
        self._clock = clock
        self._lock = backend.detect().lock()
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, caller: Hashable, cost: float = 1.0) -> None:
        """Take out what a request costs, which may be 0 as long as that is not known.

        Raises:
            TooManyRequests: there is nothing left; nothing was taken.
        """
        with self._lock:
            bucket = self._bucket(caller)
            left = bucket.level
            is_enough = left >= cost and left > 0
            if is_enough:
                bucket.level = left - cost
        if not is_enough:
            rate = self._rate.per_second
            problem = TooManyRequests(
                f"this token may send {rate:,g} {self._what} a second, and has sent more: send less, or wait"
            )
            problem.retry_after = max(1, math.ceil((cost - left) / rate))
            raise problem

    def charge(self, caller: Hashable, cost: float) -> None:
        """Take out what a request has cost, whatever is left."""
        with self._lock:
            self._bucket(caller).level -= cost

    def _bucket(self, caller: Hashable) -> _Bucket:
        """The caller's bucket, filled up to now. With the lock held."""
        now, size = self._clock(), self._rate.size
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._remove_full(now)
            bucket = self._buckets[caller] = _Bucket(size, now)
        self._fill(bucket, now)
        return bucket

    def _fill(self, bucket: _Bucket, now: float) -> None:
        bucket.level = min(self._rate.size, bucket.level + (now - bucket.at) * self._rate.per_second)
        bucket.at = now

    def _remove_full(self, now: float) -> None:
        size = self._rate.size
        for caller, bucket in list(self._buckets.items()):
            self._fill(bucket, now)
            if bucket.level >= size:
                del self._buckets[caller]
