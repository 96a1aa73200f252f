"""How a read ends before it is done: its time is up, its client is gone, or nobody waits for it any more.

A read runs in a native thread that nothing can interrupt. So it asks: SQLite does every so many steps of its
own, and so does each call of a Python function within a statement, which may take as long as many steps.
Another database would be given the time that is left, in `ended_by`: `SET LOCAL statement_timeout` is
PostgreSQL's way to take it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..problems import BadRequest, Problem, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

__all__ = ["CURRENT", "GUARD", "Ending", "Guard", "SearchTooLong", "ended_by"]

GUARD = "flowthings-guard"
"""Where a raw connection's guard is kept, in its record's `info`."""

_STEPS = 50_000  # of SQLite's machine between two looks: a millisecond or so
_LOOK = 0.2  # seconds between two looks at whether the client is there

CURRENT: ContextVar[Ending | None] = ContextVar("flowthings-ending", default=None)
"""What ends the reads of this context; None for nothing. Native threads see their caller's."""


class SearchTooLong(BadRequest):
    """A read took longer than it may. Made again as it is, it would again."""


class Ending:
    """When the reads of one request are to end.

    Args:
        seconds: how long they may take together from now on; None for as long as they need.
        is_gone: whether the client has hung up. It must not wait, and may be called from any OS thread.
    """

    def __init__(self, seconds: float | None, is_gone: Callable[[], bool] | None = None) -> None:
        now = time.monotonic()
        self._seconds = seconds
        self._deadline = None if seconds is None else now + seconds
        self._is_gone = is_gone
        self._next_look = now
        self.problem: Problem | None = None

    def cancel(self) -> None:
        """Nobody waits for the reads any more."""
        if self.problem is None:
            self.problem = Unavailable("the request was given up")

    def is_over(self) -> bool:
        """Whether they are to end now; `problem` then says why."""
        if self.problem is not None:
            return True
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            self.problem = SearchTooLong(
                f"the search was ended after {self._seconds:g} seconds, which is the most here: index the "
                "elements that it asks for, narrow it down, or have the operator allow more time"
            )
        elif self._is_gone is not None and now >= self._next_look:
            self._next_look = now + _LOOK
            if self._is_gone():
                self.problem = Unavailable("the client has hung up")
        return self.problem is not None


class Guard:
    """Ends the statements of one raw SQLite connection.

    Args:
        connection: used by one thread at a time.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ending: Ending | None = None

    def create_function(self, name: str, count: int, function: Callable[..., Any], **options: Any) -> None:
        """Like the connection's own. The function is not called when the statement is to end."""

        def checked(*arguments: Any) -> Any:
            ending = self._ending
            if ending is not None and ending.is_over():
                raise InterruptedError
            return function(*arguments)

        self._connection.create_function(name, count, checked, **options)

    def watch(self, ending: Ending | None) -> None:
        """End the statements of the connection when `ending` says so, until another one is given."""
        self._ending = ending
        if ending is None:
            self._connection.set_progress_handler(None, 0)
        else:
            self._connection.set_progress_handler(ending.is_over, _STEPS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def ended_by(ending: Ending | None, connection: Connection) -> Iterator[None]:
    """A block whose statements end when `ending` says so. They raise OperationalError then."""
    guard: Guard | None = None if ending is None else connection.info.get(GUARD)
    if guard is None:
        yield
        return
    guard.watch(ending)
    try:
        yield
    finally:
        guard.watch(None)
