"""When a keep-alive is due, and when silence after one means that a connection is dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["KeepAlive", "Watched"]


class Watched(Protocol):
    """A connection whose other end is asked for signs of life."""

    @property
    def last_heard(self) -> float:
        """The `time.monotonic()` at which something last came."""

    def delivery(self) -> tuple[int, int]:
        """How many bytes the other end's system has acknowledged, and how many it has not."""


@dataclass(frozen=True)
class _Unanswered:
    """A keep-alive after which nothing has come.

    Attributes:
        at: when it was sent.
        delivered, backlog: what the connection's `delivery` was then.
    """

    at: float
    delivered: int
    backlog: int

    def is_moving(self, connection: Watched) -> bool:
        """Whether it waits behind a large request, which moves on."""
        return self.backlog > 0 and connection.delivery()[0] > self.delivered


class KeepAlive:
    """Decides about the keep-alives of one connection. Whatever comes after one answers it, because its own
    answer may wait behind a large one. All times are `time.monotonic()`.

    Args:
        interval: seconds after which a keep-alive is sent.
        answer_within: seconds after it in which something has to come.
        periodic: whether they are sent all the time; else in silence only.
        now: when the connection was made.
    """

    def __init__(self, interval: float, answer_within: float, periodic: bool, now: float) -> None:
        self._interval = interval
        self._answer_within = answer_within
        self._periodic = periodic
        self._sent_at = now
        self._unanswered: _Unanswered | None = None

    def is_dead(self, connection: Watched, now: float) -> bool:
        """Whether the last one should have been answered by now."""
        unanswered = self._unanswered
        if unanswered is None:
            return False
        if connection.last_heard >= unanswered.at:
            self._unanswered = None
        elif now - unanswered.at >= self._answer_within:
            if not unanswered.is_moving(connection):
                return True
            self._unanswered = None
        return False

    def is_due(self, connection: Watched, now: float) -> bool:
        """Whether to send one."""
        since = self._sent_at if self._periodic else connection.last_heard
        return now - since >= self._interval and (self._periodic or self._unanswered is None)

    def sent(self, connection: Watched, now: float) -> None:
        """One is about to be sent."""
        self._sent_at = now
        if self._unanswered is None:
            self._unanswered = _Unanswered(now, *connection.delivery())

    def pause(self, connection: Watched, now: float) -> float:
        """Seconds until there is something to decide again."""
        until = (self._sent_at if self._periodic else connection.last_heard) + self._interval
        if until <= now:  # it was due, and an answer is waited for
            until = now + self._interval
        if self._unanswered is not None:
            until = min(until, self._unanswered.at + self._answer_within)
        return max(0.0, until - now)
