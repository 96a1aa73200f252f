"""Decides when to send a keep-alive, and when a connection is dead because nothing has answered it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["KeepAlive", "Watched"]


class Watched(Protocol):
    """A connection that keep-alives are sent on."""

    @property
    def last_heard(self) -> float:
        """The `time.monotonic()` at which bytes last came."""

    def delivery(self) -> tuple[int, int]:
        """How many of the sent bytes the other end's kernel has acknowledged, and how many it has not."""


@dataclass(frozen=True)
class _Unanswered:
    """A keep-alive that was not answered yet.

    Attributes:
        at: when it was sent.
        delivered, backlog: the connection's `delivery` at that time.
    """

    at: float
    delivered: int
    backlog: int

    def is_moving(self, connection: Watched) -> bool:
        """Whether it waits behind a large request, of which more was acknowledged since."""
        return self.backlog > 0 and connection.delivery()[0] > self.delivered


class KeepAlive:
    """Decides about the keep-alives of one connection. Whatever comes after one answers it, because its own
    answer may wait behind a large one. All times are `time.monotonic()`.

    Args:
        interval: seconds after which a keep-alive is sent.
        answer_within: seconds after it in which something has to come.
        periodic: whether they are sent all the time; else only while nothing comes.
        now: the time at which the connection was made.
    """

    def __init__(self, interval: float, answer_within: float, periodic: bool, now: float) -> None:
        self._interval = interval
        self._answer_within = answer_within
        self._periodic = periodic
        self._sent_at = now
        self._unanswered: _Unanswered | None = None

    def is_dead(self, connection: Watched, now: float) -> bool:
        """Whether the connection is dead: a keep-alive was not answered in time."""
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
        """Whether to send a keep-alive now."""
        since = self._sent_at if self._periodic else connection.last_heard
        return now - since >= self._interval and (self._periodic or self._unanswered is None)

    def sent(self, connection: Watched, now: float) -> None:
        """Note that a keep-alive is sent now."""
        self._sent_at = now
        if self._unanswered is None:
            self._unanswered = _Unanswered(now, *connection.delivery())

    def pause(self, connection: Watched, now: float) -> float:
        """Seconds until the next look."""
        until = (self._sent_at if self._periodic else connection.last_heard) + self._interval
        if until <= now:  # one was due, but the last one was not answered yet
            until = now + self._interval
        if self._unanswered is not None:
            until = min(until, self._unanswered.at + self._answer_within)
        return max(0.0, until - now)
