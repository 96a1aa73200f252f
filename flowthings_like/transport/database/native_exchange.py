"""An exchange of a database session in an OS thread, and how its statement is cancelled from outside."""

from __future__ import annotations

from _queue import Empty, SimpleQueue
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...green.backends.contract import NativeCall

__all__ = ["NativeExchange", "cancel_while"]

# Seconds between two cancellations of one statement.
FIRST_PAUSE = 0.01
LONGEST_PAUSE = 1.0


class NativeExchange:
    """An exchange in an OS thread, which goes on if its caller is interrupted.

    A connection is used by one thread at a time. So it is closed by whichever comes second: the end of the
    exchange, or the session's end.
    """

    __slots__ = ("_came_first", "_is_over", "call")

    def __init__(self) -> None:
        self.call: NativeCall | None = None  # also None if an interrupt came just after it was submitted
        self._came_first: dict[str, str] = {}
        self._is_over = False

    def is_running(self) -> bool:
        """Whether the function may still be called, or has not returned."""
        return not self._is_over

    def run(self, end: Callable[[], None], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call the function, in the OS thread, unless the session has ended. `end` closes its connection."""
        try:
            return None if self._came_first else function(*args)
        finally:
            self._is_over = True
            if self._came_first.setdefault("first", "exchange") == "session":
                end()

    def leave_end(self) -> bool:
        """End the session. Returns whether the exchange goes on, and will close the connection."""
        return self._came_first.setdefault("first", "session") == "session"


def cancel_while(is_running: Callable[[], bool], cancel: Callable[[], object]) -> None:
    """Cancel the statement of an exchange until the exchange is over. Called in an OS thread.

    A driver forgets a cancellation that comes just before the statement begins.
    """
    pause = FIRST_PAUSE
    while is_running():
        cancel()
        with suppress(Empty):  # no green library replaces this way to wait
            SimpleQueue[None]().get(timeout=pause)
        pause = min(2 * pause, LONGEST_PAUSE)
