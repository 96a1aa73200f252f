"""Stops exchanges with a database when the scope of their calls ends, at its deadline or cancelled.

    stage      meaning                               left by
    RUNNING    the exchange runs                     its limit: STOPPING; its end: OVER
    STOPPING   the server was asked to cancel it     its end: OVER. After GRACE seconds its socket is ended
    OVER       it has ended                          -

A driver waits where no exception can reach it. So another thread asks the server to cancel the statement, as
for one that was interrupted, and the driver raises an error of its own. The caller gets DeadlineExceeded or
CallCancelled in its place. The connection is not used again: the request to cancel may come late, and would
meet the next statement.
"""

from __future__ import annotations

import _thread
from contextlib import suppress
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Protocol
from weakref import ref

from ...errors import CallCancelled, DeadlineExceeded
from ..watch import Watch

if TYPE_CHECKING:
    from ..call_scope import CallScope

__all__ = ["GRACE", "UNDO_SECONDS", "ExchangeWatch", "LimitedExchange"]

GRACE = 1.0
"""Seconds that the server has to cancel a statement before the connection's socket is ended."""

UNDO_SECONDS = 1.0
"""Seconds that the rollback of a transaction may take, also after the deadline of its scope."""


class _Exchanging(Protocol):
    """A session, as far as its exchange can be stopped."""

    def interrupt(self) -> bool:
        """Ask for the statement to be cancelled, without waiting. Returns whether that is possible."""

    def end_socket(self) -> None:
        """End the socket that an exchange waits in."""


class Stage(Enum):
    """See the table above."""

    RUNNING = "running"
    STOPPING = "stopping"
    OVER = "over"


class LimitedExchange:
    """An exchange that may last until its scope ends.

    Args:
        session: whose exchange it is. It is not kept alive.
        scope: of the call; None if only `until` counts.
        until: the `monotonic()` by which it must have ended, if there is no scope.

    Attributes:
        is_stopped: whether it was stopped, so that its connection is of no more use.
    """

    __slots__ = (
        "_cut_at",
        "_guard",
        "_reason",
        "_scope",
        "_session",
        "_stage",
        "_until",
        "_was_cancelled",
        "is_stopped",
    )

    def __init__(self, session: _Exchanging, scope: CallScope | None, until: float | None = None) -> None:
        self._session = ref(session)
        self._scope = scope
        self._until = until
        # Begun after the end of a cancelled scope, in a thread that has outlived it, it has no limits.
        self._was_cancelled = scope is not None and scope.cancelled is not None
        self._stage = Stage.RUNNING
        self._reason: str | None = None  # the scope's, if that was cancelled
        self._cut_at = 0.0
        # Held while the other thread takes hold of the connection, which its user must not close then.
        self._guard = _thread.allocate_lock()
        self.is_stopped = False

    def failure(self) -> CallCancelled | DeadlineExceeded:
        """The exception for the caller of an exchange that was stopped."""
        if self._reason is not None:
            return CallCancelled(self._reason)
        return DeadlineExceeded(
            "the deadline of the request that makes this call has passed; the statement was cancelled"
        )

    def seconds(self, now: float) -> float | None:
        """Seconds until something is to be done; None if that is not known."""
        if self._stage is Stage.STOPPING:
            return self._cut_at - now
        until = self._deadline()
        return None if until is None else until - now

    def look(self) -> bool:
        """Stop the exchange if it is time, without waiting. Returns whether it has to be looked at again."""
        session, now = self._session(), monotonic()
        if session is None or self._stage is Stage.OVER:
            return False
        if self._stage is Stage.RUNNING:
            if self._is_due(now):
                self._stop(session, now)
        elif now >= self._cut_at:
            self._end_socket(session)
            self._cut_at = now + GRACE
        return True

    def end(self) -> bool:
        """Note that the exchange has ended. Returns whether it was stopped. More calls do nothing."""
        with self._guard:
            self._stage = Stage.OVER
            return self.is_stopped

    def _deadline(self) -> float | None:
        return self._until if self._scope is None else self._scope.deadline

    def _is_due(self, now: float) -> bool:
        scope, until = self._scope, self._deadline()
        self._reason = None if scope is None or self._was_cancelled else scope.cancelled
        return self._reason is not None or (until is not None and now >= until)

    def _stop(self, session: _Exchanging, now: float) -> None:
        with self._guard:
            if self._stage is not Stage.RUNNING:
                return
            self._stage, self._cut_at = Stage.STOPPING, now + GRACE
            self.is_stopped = True
            can_cancel = session.interrupt()
        if not can_cancel:  # the driver cannot ask its server
            self._end_socket(session)

    def _end_socket(self, session: _Exchanging) -> None:
        with self._guard:
            if self._stage is Stage.STOPPING:
                session.end_socket()


class ExchangeWatch(Watch[LimitedExchange]):
    """Stops the exchanges of one pool at their limits."""

    interval = 0.05
    linger = 100

    def _look(self, thing: LimitedExchange) -> None:
        if not thing.look():
            self.discard(thing)

    def _pause(self) -> float:
        now, nearest = monotonic(), self.interval
        for exchange in list(self._watched):
            with suppress(Exception):
                seconds = exchange.seconds(now)
                if seconds is not None:
                    nearest = min(nearest, seconds)
        return max(nearest, 0.001)
