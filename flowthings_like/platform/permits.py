"""Permits for expensive work: a few for each caller, and a few more for all callers together.

Work waits until a permit is free. Waiting callers are served in turn. Work that has waited too long, or finds
too many waiting, is refused and told when to try again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..green.backends import choice as backend
from .problems import TooManyRequests, Unavailable

__all__ = ["PermitLimits", "Permits"]


@dataclass(frozen=True)
class PermitLimits:
    """How many permits there are, in each process.

    Attributes:
        per_caller: for one caller.
        total: for all callers.
        waiting: how many pieces of work of one caller may wait for a permit.
        timeout: seconds that one may wait.
    """

    per_caller: int
    total: int
    waiting: int
    timeout: float = 20.0


class _Waiter:
    """One piece of work that waits for a permit. `granted` is changed with the lock held."""

    __slots__ = ("event", "granted")

    def __init__(self) -> None:
        self.event: Any = backend.detect().event()
        self.granted = False


class Permits:
    """The permits for one kind of work. Usable from any number of green or plain threads.

    Args:
        what: the kind of work, in the plural, for messages.
        limits: how many there are.
    """

    def __init__(self, what: str, limits: PermitLimits) -> None:
        self._what = what
        self._limits = limits
        self._lock = backend.detect().lock()
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[_Waiter]] = {}
        self._total = 0

    @contextmanager
    def hold(self, caller: Hashable) -> Iterator[None]:
        """A block that holds a permit.

        Raises:
            TooManyRequests: the caller holds all that it may have, and waited too long; or too many of its
                pieces of work wait already.
            Unavailable: other callers hold all permits, and this one waited too long.
        """
        self._enter(caller)
        try:
            yield
        finally:
            self._leave(caller)

    def _enter(self, caller: Hashable) -> None:
        limits = self._limits
        with self._lock:
            if self._is_free(caller) and not self._waiting.get(caller):
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
            waiter.event.wait(limits.timeout)
        except BaseException:
            if not self._withdraw(caller, waiter):
                self._leave(caller)
            raise
        if self._withdraw(caller, waiter):
            own = self._running.get(caller, 0) >= limits.per_caller
            whose, most = ("this caller", limits.per_caller) if own else ("others", limits.total)
            problem = (TooManyRequests if own else Unavailable)(
                f"there are {most} {self._what} of {whose} at a time, and none ended within "
                f"{limits.timeout:g} seconds: try again"
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
        """Stop waiting. Returns False if a permit was granted meanwhile."""
        with self._lock:
            if waiter.granted:
                return False
            waiting = self._waiting[caller]
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[caller]
            return True

    def _grant(self) -> None:
        """Give free permits to the waiters, callers in turn. With the lock held."""
        for caller in list(self._waiting):
            while self._is_free(caller) and (waiting := self._waiting.pop(caller, None)):
                waiter = waiting.popleft()
                if waiting:
                    self._waiting[caller] = waiting  # to the end of the dict: another caller is next
                self._take(caller)
                waiter.granted = True
                waiter.event.set()
                break

    def _is_free(self, caller: Hashable) -> bool:
        limits = self._limits
        return self._total < limits.total and self._running.get(caller, 0) < limits.per_caller

    def _take(self, caller: Hashable) -> None:
        self._running[caller] = self._running.get(caller, 0) + 1
        self._total += 1
