"""The calls of a connection that were not answered yet, by the ids that the node repeats."""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.outcome import Latch
    from ..wire.things import Package

__all__ = ["IDS", "Call", "InFlight", "seconds_left"]

IDS = 65_536
"""Calls that can be in flight at once; one more waits until an id is free."""


class Call:
    """One request, from its id to its answer.

    Attributes:
        id: that of its package.
        data: the package's bytes.
        posted: whether it was given to be sent.
        sent: whether some of them may have reached the node.
        given_up: whether nobody waits for the answer any more.
        answer: as it came.
        latch: where the caller waits.
        held: what stays alive until the answer has come, or none will.
    """

    __slots__ = ("answer", "data", "given_up", "held", "id", "latch", "posted", "sent")

    def __init__(self, latch: Latch) -> None:
        self.latch = latch
        self.id = -1
        self.data = b""
        self.posted = False
        self.sent = False
        self.given_up = False
        self.answer: Package | None = None
        self.held: object = None


class InFlight:
    """Gives each call an id that no other call has until its answer has come.

    There is no lock: each step that two threads may take at once is one operation on a dict or deque.

    Args:
        latch: makes latches.
    """

    def __init__(self, latch: Callable[[], Latch]) -> None:
        self._latch = latch
        self._ids = itertools.count()
        self._calls: dict[int, Call] = {}
        self._without_id: deque[Latch] = deque()

    def __len__(self) -> int:
        return len(self._calls)

    def new_call(self) -> Call:
        """A call without an id."""
        return Call(self._latch())

    def enter(self, call: Call, deadline: float | None) -> bool:
        """Give a call its id. False if all are taken, and remain so until the deadline."""
        calls = self._calls
        while True:
            if len(calls) >= IDS and not self._wait_for_id(deadline):
                return False
            call.id = id = next(self._ids) % IDS
            if calls.setdefault(id, call) is call:
                return True

    def answered(self, answer: Package) -> Call | None:
        """The call that an answer is for. Its id is free."""
        call = self._calls.pop(answer.id, None)
        if self._without_id:
            self._offer_id()
        return call

    def withdraw(self, call: Call) -> None:
        """Free the id, if it has one, of a call that was not sent and never will be."""
        if self._calls.get(call.id) is call:
            self._calls.pop(call.id, None)
            if self._without_id:
                self._offer_id()

    def end(self) -> None:
        """No answer comes any more: let everyone go on who waits."""
        while self._calls:
            with suppress(KeyError):
                _, call = self._calls.popitem()
                call.latch.set()
                call.held = None
        while self._without_id:
            self._offer_id()

    def _wait_for_id(self, deadline: float | None) -> bool:
        latch = self._latch()
        self._without_id.append(latch)
        try:
            # Asked after the latch is there to set: an id that is free from now on sets it.
            return len(self._calls) < IDS or latch.wait(seconds_left(deadline))
        except BaseException:
            self._offer_id()  # what this one was woken for, perhaps, is for the next
            raise
        finally:
            with suppress(ValueError):
                self._without_id.remove(latch)

    def _offer_id(self) -> None:
        """Have one who waits for an id look for it."""
        with suppress(IndexError):
            self._without_id.popleft().set()


def seconds_left(deadline: float | None) -> float | None:
    """Seconds until a `time.monotonic()`, not below 0; None for none."""
    return None if deadline is None else max(0.0, deadline - monotonic())
