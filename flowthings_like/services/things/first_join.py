"""How `Room.join` learns what became of the first `on_join`."""

from __future__ import annotations

import time

from ...errors import DeadlineExceeded
from ...green.backends.contract import detect

__all__ = ["FirstJoin"]


class FirstJoin:
    """Waited for by `join`, unless it does not wait, and ended by the room's own thread."""

    def __init__(self, waited_for: bool) -> None:
        self._waited_for = waited_for
        self._done = detect().event()
        self._error: Exception | None = None

    def end(self, error: Exception | None) -> None:
        """`on_join` has returned, or will not be called because of this. Only the first end counts."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    def take(self, error: Exception) -> bool:
        """`on_join` has raised this: have `join` raise it. False if that does not wait, or no more."""
        taken = self._waited_for and not self._done.is_set()
        self.end(error)
        return taken

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
            self._waited_for = False
        if self._error is not None:
            raise self._error
