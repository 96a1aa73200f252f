"""The events of a room on their way to one consumer: the thread that calls handlers, or a loop."""

from __future__ import annotations

import math
import queue
import time
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import DeadlineExceeded, FlowThingsError
from ...green.backends.choice import detect

if TYPE_CHECKING:
    from .event_filters import EventTest

__all__ = ["MAX_WAITING", "EventQueue", "EventsLost", "Lifecycle", "QueuedEvent", "RoomEvents"]

MAX_WAITING = 100_000
"""Events that wait in one queue before further ones are dropped."""


class Lifecycle(Enum):
    """What happens to a room besides the events that are emitted into it."""

    JOINED = "on_join"
    EVENTS_LOST = "the loss of events"
    LEFT = "on_leave"
    DELETED = "on_delete"
    CLOSED = "the end of the client"


QueuedEvent: TypeAlias = "tuple[str | Lifecycle, Any]"
"""The name of an event and its arguments; or a Lifecycle and an empty tuple."""

_GAP: QueuedEvent = (Lifecycle.EVENTS_LOST, ())  # stands for the events that were dropped


class EventQueue:
    """Events for one consumer, in their order. The producer never waits.

    While MAX_WAITING events wait, further ones are dropped, and the consumer gets EVENTS_LOST in their place.
    On threads each change is one call into C, so a signal leaves nothing half done.
    """

    def __init__(self) -> None:
        self._events = detect().queue()
        self._is_full = False  # from the first event that is dropped until the consumer comes to the gap

    def put(self, change: Lifecycle) -> None:
        """Add what must not be dropped."""
        self._events.put((change, ()))

    def offer(self, event: QueuedEvent) -> bool:
        """Add an event, or drop it if too many wait. One thread at a time may do this.

        Returns:
            False for the first event that is dropped.
        """
        if self._is_full:
            return True
        if self._events.qsize() < MAX_WAITING:
            self._events.put(event)
            return True
        self._is_full = True
        self._events.put(_GAP)
        return False

    def get(self, deadline: float = math.inf) -> QueuedEvent:
        """Wait for the next event.

        Raises:
            queue.Empty: there is none at this `time.monotonic()`.
        """
        if deadline == math.inf:
            event: QueuedEvent = self._events.get()
        else:
            left = deadline - time.monotonic()
            event = self._events.get(timeout=left) if left > 0 else self._events.get_nowait()
        if event is _GAP:
            self._is_full = False
        return event


class EventsLost(FlowThingsError):
    """A loop over `room.events()` was slower than the events came, and some events were dropped here."""


class RoomEvents(EventQueue):
    """An iterator of (event, arguments), which waits for the next event. `room.events()` returns it.

    It ends when the room is left or deleted or its client is closed. Events wait in memory until they are
    taken, up to a bound. In place of the events that came while the bound was reached, it raises EventsLost
    once.

    Args:
        room: where the events come from.
        deadline: the `time.monotonic()` at which the loop ends; inf for no limit.
        test: which events to keep; None for all. The others take no memory.
    """

    def __init__(self, room: object, deadline: float, test: EventTest | None = None) -> None:
        super().__init__()
        self._room = room
        self._deadline = deadline
        self._test = test
        self._is_ended = False

    def offer(self, event: QueuedEvent) -> bool:
        """Add an event if it matches, or drop it if too many wait. One thread at a time may do this."""
        if self._test is not None and not self._test(event[1]):
            return True
        return super().offer(event)

    def __iter__(self) -> RoomEvents:
        return self

    def __next__(self) -> tuple[str, list[Any]]:
        if self._is_ended:
            raise StopIteration
        try:
            event, args = self.get(self._deadline)
        except queue.Empty:
            raise DeadlineExceeded(f"{self._room!r}: no further event before the deadline") from None
        if isinstance(event, str):
            return event, args
        if event is Lifecycle.EVENTS_LOST:
            raise EventsLost(
                f"{self._room!r}: {MAX_WAITING} events waited, and those that came then were dropped"
            )
        self._is_ended = True
        raise StopIteration
