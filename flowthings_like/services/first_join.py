"""How `Room.join` learns what became of the first `on_join`."""

from __future__ import annotations

import time

from ..errors import DeadlineExceeded
from ..green.backend import detect

__all__ = ["FirstJoin"]


class FirstJoin:
    """Waited for by `join`, and ended by the room's own thread.

    Attributes:
        waited_for: whether somebody is there to raise what `on_join` raised.
    """

    def __init__(self, waited_for: bool) -> None:
        self.waited_for = waited_for
        self._done = detect().event()
        self._error: Exception | None = None

    def end(self, error: Exception | None) -> None:
        """`on_join` has returned, or raised this, or will not be called because of it."""
        self._error = error
        self._done.set()

    def wait(self, room: object, deadline: float) -> None:
        """Wait until it has ended.

        Raises:
            DeadlineExceeded: it has not, by that `time.monotonic()`.
            Exception: what `end` was given.
        """
        try:
            if not self._done.wait(max(0.0, deadline - time.monotonic())):
                raise DeadlineExceeded(f"{room!r} is joined, but its on_join has not returned in time")
        finally:
            self.waited_for = False
        if self._error is not None:
            raise self._error
