"""Cancels reads: when their time is up, when their client has hung up, or when nobody waits for them.

A read runs in a native thread, which cannot be interrupted from outside. So it checks its cancel scope by
itself: SQLite does so every so many of its steps, and before each call of a Python function within a
statement, which may take as long as many steps. Another database would be given the time that is left, in
`cancelled_by`; PostgreSQL takes it as `SET LOCAL statement_timeout`.
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

__all__ = ["CURRENT", "GUARD", "CancelScope", "SearchTooLong", "StatementGuard", "cancelled_by"]

GUARD = "flowthings-guard"
"""Where a raw connection's guard is kept, in its record's `info`."""

_STEPS = 50_000  # of SQLite's machine between two checks: a millisecond or so
_LOOK = 0.2  # seconds between two checks of whether the client is there

CURRENT: ContextVar[CancelScope | None] = ContextVar("flowthings-scope", default=None)
"""What cancels the reads of this context; None for nothing. Native threads see their caller's."""


class SearchTooLong(BadRequest):
    """A read took longer than it may. It would again if it were retried."""


class CancelScope:
    """When the reads of one request are to be cancelled.

    Args:
        seconds: how long they may take together, from now on; None for as long as they need.
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
        """Cancel the reads because nobody waits for them."""
        if self.problem is None:
            self.problem = Unavailable("the request was given up")

    def is_cancelled(self) -> bool:
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


class StatementGuard:
    """Cancels the statements of one raw SQLite connection.

    Args:
        connection: used by one thread at a time.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._scope: CancelScope | None = None

    def create_function(self, name: str, count: int, function: Callable[..., Any], **options: Any) -> None:
        """Like the connection's own; the function is not called once the statement is cancelled."""

        def checked(*arguments: Any) -> Any:
            scope = self._scope
            if scope is not None and scope.is_cancelled():
                raise InterruptedError
            return function(*arguments)

        self._connection.create_function(name, count, checked, **options)

    def watch(self, scope: CancelScope | None) -> None:
        """Cancel the connection's statements when the scope says so, until another scope is given."""
        self._scope = scope
        if scope is None:
            self._connection.set_progress_handler(None, 0)
        else:
            self._connection.set_progress_handler(scope.is_cancelled, _STEPS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def cancelled_by(scope: CancelScope | None, connection: Connection) -> Iterator[None]:
    """A block whose statements are cancelled when the scope says so: they raise OperationalError then."""
    guard: StatementGuard | None = None if scope is None else connection.info.get(GUARD)
    if guard is None:
        yield
        return
    guard.watch(scope)
    try:
        yield
    finally:
        guard.watch(None)
