"""A room's events as something to loop over."""

from __future__ import annotations

import math
import queue
import time
from typing import Any

from ...errors import DeadlineExceeded, FlowThingsError
from ...green.backends.contract import detect
from .mailbox import MOST

__all__ = ["EventsLost", "RoomEvents"]


class EventsLost(FlowThingsError):
    """Events came faster than a loop over `room.events()` took them, and some were dropped here."""


_LOST: tuple[str, list[Any]] = ("", [])  # what stands for them; another object than any event


class RoomEvents:
    """What `room.events()` returns: an iterator of (event, arguments) that waits for what comes next.

    It ends when the room is left or deleted or its client is closed. What has come waits in memory until it
    is taken, up to a bound; in place of what came while that was reached, EventsLost is raised once.
    """

    def __init__(self, room: object, deadline: float) -> None:
        self._room = room
        self._deadline = deadline
        self._queue = detect().queue()
        self._ended = False
        self._full = False

    def __iter__(self) -> RoomEvents:
        return self

    def __next__(self) -> tuple[str, list[Any]]:
        if not self._ended:
            item: tuple[str, list[Any]] | None = self._take()
            if item is _LOST:
                self._full = False
                raise EventsLost(
                    f"{self._room!r}: {MOST} events waited, and those that came then were dropped"
                )
            if item is not None:
                return item
            self._ended = True
        raise StopIteration

    def put(self, event: str, args: list[Any]) -> None:
        """Hand an event over; never waits. One thread at a time may do this."""
        if self._full:
            return
        if self._queue.qsize() >= MOST:
            self._full = True
            self._queue.put(_LOST)
        else:
            self._queue.put((event, args))

    def end(self) -> None:
        """There will be no more."""
        self._queue.put(None)

    def _take(self) -> Any:
        left = self._deadline - time.monotonic()
        try:
            if left <= 0:
                return self._queue.get_nowait()
            return self._queue.get(timeout=None if math.isinf(left) else left)
        except queue.Empty:
            raise DeadlineExceeded(f"{self._room!r}: no further event before the deadline") from None
