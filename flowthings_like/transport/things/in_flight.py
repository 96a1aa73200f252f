"""Calls that were sent and not answered yet, by their ids."""

from __future__ import annotations

import itertools
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...green.future import OneShotEvent
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
        cancelled: whether nobody waits for the answer any more. A call that was not sent yet never will be.
        answer: as it came.
        answered_at: when it came, by `time.monotonic()`.
        event: set when the answer has come or the connection has ended; a one-shot event.
        held: an object to keep alive until then.
    """

    __slots__ = ("answer", "answered_at", "body", "cancelled", "event", "held", "id", "kind", "sent")

    def __init__(self, kind: int, body: bytes, event: OneShotEvent) -> None:
        self.kind = kind
        self.body = body
        self.event = event
        self.id = -1
        self.sent = False
        self.cancelled = False
        self.answer: Package | None = None
        self.answered_at: float | None = None
        self.held: object = None

    def end(self) -> None:
        """Wake the caller: no answer will come."""
        self.event.set()
        self.held = None


class InFlight:
    """Gives each call an id of its own until its answer has come.

    The thread that sends gives ids, and the thread that reads takes them back. Callers do neither, so there
    is no lock, and an interrupted caller cannot lose an id.
    """

    def __init__(self) -> None:
        self._ids = itertools.count()
        self._calls: dict[int, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def full(self) -> bool:
        """Whether all ids are in use."""
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
        """The call that an answer is for, if there is one. Its id becomes free."""
        return self._calls.pop(answer.id, None)

    def end(self) -> None:
        """Wake all callers: no answer will come."""
        while self._calls:
            with suppress(KeyError):
                self._calls.popitem()[1].end()


def seconds_left(deadline: float | None) -> float | None:
    """Seconds until a `time.monotonic()`, not below 0; None for none."""
    return None if deadline is None else max(0.0, deadline - monotonic())
