"""CallScope: one deadline for all calls that a function makes, and one switch that refuses further ones.

    scope = CallScope(time.monotonic() + 2)
    scope.run(api.flow.find)      # takes at most what is left of the two seconds

The scope of the current code is a context variable. Parallel calls run with a copy of the context in which
they were made, so it also counts in their green threads and OS threads. Each family of services asks
`limit_call` when it computes the deadline of a call. Exchanges with a database, which have no deadline of
their own, are stopped from outside (`database/exchange_limits.py`).
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from ..errors import CallCancelled, DeadlineExceeded
from .retry import Timeout, earliest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, ParamSpec

    P = ParamSpec("P")

__all__ = ["CallScope", "current_scope", "limit_call", "limit_seconds", "limit_timeout"]


R = TypeVar("R")


class CallScope:
    """The limits of all calls that are made within `run`, in addition to their own time-outs.

    Args:
        deadline: the `time.monotonic()` by which they must be done; None for no limit.

    Attributes:
        deadline: the same. None after `end`.
        reason: why no further call may be made; None while calls may be made, and after `end`.
        cancelled: the reason of `cancel`, also after `end`; None if it was not cancelled.
    """

    __slots__ = ("cancelled", "deadline", "reason")

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.reason: str | None = None
        self.cancelled: str | None = None

    def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function. Its calls, and those of threads that it starts, have these limits."""
        token = _current.set(self)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """A block of a coroutine whose calls have these limits. Others use `run`."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def end(self) -> None:
        """Take the limits away, also from threads that still run."""
        self.deadline = self.reason = None

    def cancel(self, reason: str) -> None:
        """Refuse further calls: they raise CallCancelled with this reason."""
        self.reason = self.cancelled = reason

    def left(self) -> float:
        """Seconds until the deadline, negative after it; infinity without one."""
        deadline = self.deadline
        return math.inf if deadline is None else deadline - time.monotonic()

    def check(self) -> None:
        """Raise unless a call may be made.

        Raises:
            CallCancelled: the scope was cancelled.
            DeadlineExceeded: its deadline has passed.
        """
        if self.reason is not None:
            raise CallCancelled(self.reason)
        if self.left() <= 0:
            raise DeadlineExceeded("the deadline of the request that makes this call has passed")


_current: ContextVar[CallScope | None] = ContextVar("flowthings_like_call_scope", default=None)


def current_scope() -> CallScope | None:
    """The scope of the current code; None if there is none."""
    return _current.get()


def limit_call(deadline: float | None) -> float | None:
    """The deadline of a call that begins now: its own or the current scope's, whichever is earlier.

    Args:
        deadline: a `time.monotonic()`; None for none.

    Raises:
        CallCancelled, DeadlineExceeded: see `CallScope.check`.
    """
    scope = _current.get()
    if scope is None:
        return deadline
    scope.check()
    return earliest(deadline, scope.deadline)


def limit_seconds(seconds: float | None) -> float | None:
    """The time-out of one step of a call: at most what is left of the current scope's deadline.

    Raises:
        CallCancelled, DeadlineExceeded: see `CallScope.check`.
    """
    scope = _current.get()
    if scope is None:
        return seconds
    scope.check()
    left = scope.left()
    return seconds if math.isinf(left) else _shorter(seconds, left)


def limit_timeout(timeout: Timeout) -> Timeout:
    """The time-outs of a call that begins now, none longer than what is left of the current scope's deadline.

    Raises:
        CallCancelled, DeadlineExceeded: see `CallScope.check`.
    """
    scope = _current.get()
    if scope is None:
        return timeout
    scope.check()
    left = scope.left()
    if math.isinf(left):
        return timeout
    return Timeout(
        _shorter(timeout.connect, left),
        _shorter(timeout.read, left),
        _shorter(timeout.total, left),
        timeout.reused,
    )


def _shorter(seconds: Any, left: float) -> float:
    return left if seconds is None else min(seconds, left)
