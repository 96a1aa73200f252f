"""Limits of searches, the requests that may read a whole flow: how long each takes, how many run at once.

A search takes a permit before it starts. There are fewer permits than native threads, so that a thread is
always left for reads by id and for writes.

It is not known beforehand whether a search is slow. So each starts with a quick permit. If it is not done
within a moment, it is cancelled and started again with one of the other permits, of which a caller has few.
So a quick search never waits for a slow one of any caller.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..permits import PermitLimits, Permits
from ..store.cancellation import CURRENT, CancelScope, SearchTooLong

if TYPE_CHECKING:
    from .envelope import Response
    from .request import Request

__all__ = ["QUICK_PERMITS", "SEARCH_PERMITS", "Handler", "Methods", "Search", "SearchLimiter", "SearchLimits"]


Handler = Callable[["Request"], "Response"]
"""Answers one request."""

Methods = dict[str, Handler]
"""The handlers at one path, by HTTP method."""

SEARCH_PERMITS = PermitLimits(per_caller=2, total=4, waiting=1000)
QUICK_PERMITS = PermitLimits(per_caller=6, total=8, waiting=1000)


@dataclass(frozen=True)
class SearchLimits:
    """Limits on searches, in each process.

    All permits together are fewer than the native threads of any backend.

    Attributes:
        seconds: how long one may run; None: as long as it needs.
        permits: how many run at once, beyond their first moment.
        quick: seconds that each is given at first, with one of `quick_permits`.
    """

    seconds: float | None = 10.0
    permits: PermitLimits = SEARCH_PERMITS
    quick: float = 0.1
    quick_permits: PermitLimits = QUICK_PERMITS


class Search:
    """A handler whose requests are searches. Calling it applies no limit: the application does.

    Attributes:
        handler: answers a request.
    """

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, request: Request) -> Response:
        """The handler's response."""
        return self.handler(request)


class SearchLimiter:
    """Runs the searches of one process within their limits.

    Args:
        limits: for how long and how many.
    """

    def __init__(self, limits: SearchLimits) -> None:
        self._limits = limits
        self._quick = Permits("searches", limits.quick_permits)
        self._permits = Permits("searches", limits.permits)

    def run(
        self, search: Callable[[], Response], caller: Hashable, is_gone: Callable[[], bool] | None
    ) -> Response:
        """What `search` returns. It is called a second time if it was not quick, so it may only read.

        Its reads end with a Problem when they have taken too long, when the client has hung up, and when the
        call is interrupted.

        Raises:
            As Permits.hold; Unavailable if the client has hung up; SearchTooLong; whatever `search` raises.
        """
        limits = self._limits
        if limits.seconds is None or limits.seconds > limits.quick:
            try:
                with self._quick.hold(caller):
                    return _run_in(search, CancelScope(limits.quick, is_gone))
            except SearchTooLong:
                pass
        with self._permits.hold(caller):
            return _run_in(search, CancelScope(limits.seconds, is_gone))


def _run_in(search: Callable[[], Response], scope: CancelScope) -> Response:
    """What `search` returns. Its reads end when the scope is cancelled."""
    if scope.is_cancelled():
        assert scope.problem is not None
        raise scope.problem
    token = CURRENT.set(scope)
    try:
        return search()
    except BaseException:  # a native thread that still works for it is told to stop
        scope.cancel()
        raise
    finally:
        CURRENT.reset(token)
