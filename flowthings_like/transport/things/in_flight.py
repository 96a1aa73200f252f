"""The calls of a connection that were sent and not answered yet, by the ids that the node repeats."""

from __future__ import annotations

import itertools
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...green.calls.future import Latch
    from ...wire.things.packages import Package

__all__ = ["IDS", "Call", "InFlight", "seconds_left"]

IDS = 65_536
"""Calls that can be in flight at once; one more waits to be sent until an id is free."""


class Call:
    """One request, until its answer has come.

    Attributes:
        kind: the request's kind.
        body: packed.
        id: that of its package, given when it is sent.
        sent: whether some of its bytes may have reached the node.
        given_up: whether nobody waits for the answer any more. One that was not sent yet never will be.
        answer: as it came.
        latch: where the caller waits.
        held: what stays alive until the answer has come, or none will.
    """

    __slots__ = ("answer", "body", "given_up", "held", "id", "kind", "latch", "sent")

    def __init__(self, kind: int, body: bytes, latch: Latch) -> None:
        self.kind = kind
        self.body = body
        self.latch = latch
        self.id = -1
        self.sent = False
        self.given_up = False
        self.answer: Package | None = None
        self.held: object = None

    def end(self) -> None:
        """No answer comes any more: let who waits go on."""
        self.latch.set()
        self.held = None


class InFlight:
    """Gives each call an id that no other call has until its answer has come.

    Whoever sends gives ids, and whoever reads takes them back; callers have no part in it. So there is no
    lock, and no interrupted caller can lose an id.
    """

    def __init__(self) -> None:
        self._ids = itertools.count()
        self._calls: dict[int, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def full(self) -> bool:
        """Whether all ids are taken."""
        return len(self._calls) >= IDS

    def enter(self, call: Call) -> None:
        """Give a call its id; there must be a free one."""
        calls = self._calls
        while True:
            call.id = id = next(self._ids) % IDS
            if id not in calls:
                calls[id] = call
                return

    def answered(self, answer: Package) -> Call | None:
        """The call that an answer is for. Its id is free."""
        return self._calls.pop(answer.id, None)

    def end(self) -> None:
        """No answer comes any more: let everyone go on who waits."""
        while self._calls:
            with suppress(KeyError):
                self._calls.popitem()[1].end()


def seconds_left(deadline: float | None) -> float | None:
    """Seconds until a `time.monotonic()`, not below 0; None for none."""
    return None if deadline is None else max(0.0, deadline - monotonic())
