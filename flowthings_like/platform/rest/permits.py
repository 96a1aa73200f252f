"""Places for work that takes much: each caller has a few, and all callers together have a few more.

Who finds no place free waits for one, callers in turn. Who has waited too long, or would be one too many to
wait, is told to come again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...green.backends import contract as backend
from ..problems import TooManyRequests, Unavailable

__all__ = ["PlaceLimits", "Places"]


@dataclass(frozen=True)
class PlaceLimits:
    """How many places there are, in each process.

    Attributes:
        per_caller: for one caller.
        total: for all callers.
        waiting: how many of one caller may wait for a place.
        patience: seconds that one waits at most.
    """

    per_caller: int
    total: int
    waiting: int
    patience: float = 20.0


class _Waiter:
    """One that waits for a place. `granted` is changed with the lock held."""

    __slots__ = ("event", "granted")

    def __init__(self) -> None:
        self.event: Any = backend.detect().event()
        self.granted = False


class Places:
    """Those of one kind of work. Usable from any number of green or plain threads.

    Args:
        what: the kind of work, in the plural.
        limits: how many there are.
    """

    def __init__(self, what: str, limits: PlaceLimits) -> None:
        self._what = what
        self._limits = limits
        self._lock = backend.detect().lock()
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[_Waiter]] = {}
        self._total = 0

    @contextmanager
    def hold(self, caller: Hashable) -> Iterator[None]:
        """A block that has a place.

        Raises:
            TooManyRequests: the caller has too many already, and waited too long or has too many that wait.
            Unavailable: others have them all, and it waited too long.
        """
        self._enter(caller)
        try:
            yield
        finally:
            self._leave(caller)

    def _enter(self, caller: Hashable) -> None:
        limits = self._limits
        with self._lock:
            if self._has_place(caller) and not self._waiting.get(caller):
                self._take(caller)
                return
            waiting = self._waiting.setdefault(caller, deque())
            if len(waiting) >= limits.waiting:
                raise TooManyRequests(
                    f"{limits.waiting} {self._what} of this caller wait already: make fewer at the same time"
                )
            waiter = _Waiter()
            waiting.append(waiter)
        try:
            waiter.event.wait(limits.patience)
        except BaseException:
            if not self._withdraw(caller, waiter):
                self._leave(caller)
            raise
        if self._withdraw(caller, waiter):
            own = self._running.get(caller, 0) >= limits.per_caller
            whose, most = ("this caller", limits.per_caller) if own else ("others", limits.total)
            problem = (TooManyRequests if own else Unavailable)(
                f"there are {most} {self._what} of {whose} at a time, and none ended within "
                f"{limits.patience:g} seconds: try again"
            )
            problem.retry_after = 1
            raise problem

    def _leave(self, caller: Hashable) -> None:
        with self._lock:
            self._total -= 1
            left = self._running[caller] - 1
            if left:
                self._running[caller] = left
            else:
                del self._running[caller]
            self._grant()

    def _withdraw(self, caller: Hashable, waiter: _Waiter) -> bool:
        """Stop waiting; False if a place was granted meanwhile."""
        with self._lock:
            if waiter.granted:
                return False
            waiting = self._waiting[caller]
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[caller]
            return True

    def _grant(self) -> None:
        """Give free places to those that wait, callers in turn. With the lock held."""
        for caller in list(self._waiting):
            while self._has_place(caller) and (waiting := self._waiting.pop(caller, None)):
                waiter = waiting.popleft()
                if waiting:
                    self._waiting[caller] = waiting  # at the end: it is the next caller's turn
                self._take(caller)
                waiter.granted = True
                waiter.event.set()
                break

    def _has_place(self, caller: Hashable) -> bool:
        limits = self._limits
        return self._total < limits.total and self._running.get(caller, 0) < limits.per_caller

    def _take(self, caller: Hashable) -> None:
        self._running[caller] = self._running.get(caller, 0) + 1
        self._total += 1
