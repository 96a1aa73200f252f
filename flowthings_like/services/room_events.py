"""A room's events as something to loop over."""

from __future__ import annotations

import math
import queue
import time
from typing import Any

from ..errors import DeadlineExceeded
from ..green.backend import detect

__all__ = ["RoomEvents"]


class RoomEvents:
    """What `room.events()` returns: an iterator of (event, arguments) that waits for what comes next.

    It ends when the room is left or deleted or its client is closed. What has come waits in memory until it
    is taken.
    """

    def __init__(self, room: object, deadline: float) -> None:
        self._room = room
        self._deadline = deadline
        self._queue = detect().queue()
        self._ended = False

    def __iter__(self) -> RoomEvents:
        return self

    def __next__(self) -> tuple[str, list[Any]]:
        if not self._ended:
            item: tuple[str, list[Any]] | None = self._take()
            if item is not None:
                return item
            self._ended = True
        raise StopIteration

    def put(self, event: str, args: list[Any]) -> None:
        """Hand an event over; never waits."""
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
