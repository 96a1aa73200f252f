"""The callers that wait for a slot of a pool, first come, first served.

A waiter has a box. Whoever hands a slot over puts it in there and wakes the caller. A caller that gives up
closes its box, so each slot has exactly one owner at any time: the pool, a box, or a caller. As in
connection_pool.py every step is one operation on a dict or deque, which no interrupt divides.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RECHECK", "TooLateError", "Waiter", "Waiters"]

S = TypeVar("S")

RECHECK = 1.0
"""Seconds after which a waiting caller looks for itself, in case the one that should have woken it was
interrupted just then."""


class TooLateError(Exception):
    """No slot was handed over before the deadline.

    Attributes:
        waiting: how many callers were waiting then, this one included.
    """

    def __init__(self, waiting: int) -> None:
        super().__init__(waiting)
        self.waiting = waiting


class Waiter(Generic[S]):
    """One caller that waits for a slot. It sleeps on a lock."""

    __slots__ = ("_box", "_lock")

    def __init__(self) -> None:
        self._box: dict[str, S | None] = {}
        self._lock = threading.Lock()
        self._lock.acquire()

    @property
    def slot(self) -> S | None:
        """What was handed over."""
        return self._box.get("slot")

    def hand(self, slot: S) -> bool:
        """Put a slot in the box, unless something is in it or it is closed. Returns whether it is in now."""
        return self._box.setdefault("slot", slot) is slot

    def take_out(self) -> S | None:
        """What was handed over, if anything; the box is closed then."""
        slot = self._box.setdefault("slot", None)
        self._box["slot"] = None
        return slot

    def sleep(self, deadline: float | None) -> bool:
        """Wait to be woken, or for RECHECK seconds. False if it is too late for waiting."""
        left = RECHECK if deadline is None else min(deadline - monotonic(), RECHECK)
        if left > 0:
            self._lock.acquire(timeout=left)
        return left > 0

    def wake(self) -> None:
        with suppress(RuntimeError):  # it was woken before
            self._lock.release()


class Waiters(Generic[S]):
    """The queue of callers that wait.

    Args:
        match: hands what is free to those who wait, by `hand`. It is called before each look into the box.
        give_back: takes a slot that was handed to a caller which gave up just then.

    Attributes:
        queue: those who wait, the first one first. It is empty when nobody does.
    """

    __slots__ = ("_give_back", "_match", "queue")

    def __init__(self, match: Callable[[], object], give_back: Callable[[S], object]) -> None:
        self._match = match
        self._give_back = give_back
        self.queue: deque[Waiter[S]] = deque()

    @property
    def unserved(self) -> int:
        """How many have nothing yet."""
        return sum(waiter.slot is None for waiter in list(self.queue))

    def hand(self, slot: S) -> bool:
        """Hand a slot to the first who takes it; returns whether there was one."""
        queue = self.queue
        while queue:
            try:
                waiter = queue[0]
            except IndexError:
                break
            taken = waiter.hand(slot)
            # Also if it has got something already, or gave up: an interrupt has left it here.
            waiter.wake()
            with suppress(ValueError):
                queue.remove(waiter)
            if taken:
                return True
        return False

    def wait(self, deadline: float | None, check: Callable[[], object]) -> S:
        """Wait for a slot.

        Args:
            deadline: the `time.monotonic()` until which to wait; None waits for ever.
            check: called after each sleep; raises if waiting has become pointless.

        Raises:
            TooLateError: the deadline has passed.
        """
        waiter: Waiter[S] = Waiter()
        try:
            self.queue.append(waiter)
            self._sleep(waiter, deadline, check)
            slot = waiter.take_out()
            assert slot is not None
            return slot
        except BaseException:
            try:
                self._withdraw(waiter)
            except BaseException:  # interrupted, again
                self._withdraw(waiter)
                raise
            raise

    def _sleep(self, waiter: Waiter[S], deadline: float | None, check: Callable[[], object]) -> None:
        self._match()
        while waiter.slot is None:
            if not waiter.sleep(deadline):
                raise TooLateError(len(self.queue))
            check()
            self._match()

    def _withdraw(self, waiter: Waiter[S]) -> None:
        """Give up waiting. What has been handed over meanwhile goes back."""
        handed = waiter.take_out()
        with suppress(ValueError):
            self.queue.remove(waiter)
        if handed is not None:
            self._give_back(handed)
