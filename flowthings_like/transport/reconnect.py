"""Keeps one connection open: connects, sends keep-alives, reconnects with back-off.

    IDLE ----------> CONNECTING <-------> BACKING_OFF
     ^                |     ^                  ^
     |   (connected)  v     |  (lost)          |  (lost)
     +-------------- CONNECTED ----------------+
        (lost)        |     ^
         (move)       v     |  (connected, or no other answers)
                     REPLACING

One thread runs the loop, and it alone changes the state. Everybody else leaves a request, which is a flag,
and wakes the loop: so whoever is interrupted leaves nothing half done.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from functools import partial
from time import monotonic
from typing import Generic, Protocol, TypeVar

from ..green.backends.choice import detect
from ..green.future import without_frames
from .keepalive import KeepAlive, Watched

__all__ = ["TRANSITIONS", "KeptConnection", "ReconnectingConnection", "State"]

_log = logging.getLogger("flowthings_like")

DRAIN_TIMEOUT = 10.0
"""Seconds for which a connection that was replaced stays open for its calls."""

DRAIN_STEP = 0.02
"""Seconds between two looks at whether they are done."""


class State(Enum):
    """What the loop is about."""

    IDLE = "there is no connection, and nobody has asked for one"
    CONNECTING = "an attempt is under way or about to begin"
    BACKING_OFF = "the attempts have failed, or a connection was lost: the next attempt is after a pause"
    CONNECTED = "there is a connection"
    REPLACING = "there is a connection, and an attempt to make one that takes its place"
    CLOSED = "the loop has ended"


_S = State
TRANSITIONS: dict[State, frozenset[State]] = {
    _S.IDLE: frozenset((_S.CONNECTING, _S.CLOSED)),
    _S.CONNECTING: frozenset((_S.CONNECTED, _S.BACKING_OFF, _S.IDLE, _S.CLOSED)),
    _S.BACKING_OFF: frozenset((_S.CONNECTING, _S.CLOSED)),
    _S.CONNECTED: frozenset((_S.REPLACING, _S.CONNECTING, _S.BACKING_OFF, _S.IDLE, _S.CLOSED)),
    _S.REPLACING: frozenset((_S.CONNECTED, _S.CONNECTING, _S.BACKING_OFF, _S.IDLE, _S.CLOSED)),
    _S.CLOSED: frozenset(),
}
"""The states that may follow each state."""


class KeptConnection(Watched, Protocol):
    """A connection as the loop needs it.

    Attributes:
        peer: the other end's address, for messages.
    """

    @property
    def peer(self) -> str: ...

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""

    @property
    def in_flight(self) -> int:
        """Calls that were not answered yet."""

    def send_keepalive(self) -> None:
        """Send what the other end has to answer. Does not wait for the answer."""

    def close(self) -> None:
        """End the connection, at once."""

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until it is at its end."""

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""


C = TypeVar("C", bound=KeptConnection)


@dataclass(frozen=True)
class _Replaced(Generic[C]):
    """A connection that was replaced.

    Attributes:
        until: when it is closed, whether its calls are done or not.
    """

    connection: C
    until: float


class ReconnectingConnection(ABC, Generic[C]):
    """One connection that is opened again whenever it is lost.

    Subclasses say how to connect, how long to pause, and what to do about what happened.

    Args:
        reconnect: whether to connect again after a loss before somebody asks.
        keepalive: seconds after which a keep-alive is sent.
        answer_within: seconds after one in which something has to come. Together they are the time in which a
            connection that is dead without a word is noticed.
        periodic: whether keep-alives are sent all the time; else in silence only.

    Attributes:
        current: the connection, from the moment it is ready until its loss was seen.
        state: what the loop is about.
        failure: what the last attempt failed of, or that the connection was lost.
        failed_rounds: how often an attempt has failed with each of the places there are.
        refusals: how often the attempts were given up because of `failure`.
        ended: set when the loop and its connections have ended.
    """

    def __init__(
        self, *, reconnect: bool, keepalive: float, answer_within: float, periodic: bool = False
    ) -> None:
        backend = detect()
        self.current: C | None = None
        self.state = State.IDLE
        self.failure: Exception | None = None
        self.failed_rounds = self.refusals = 0
        self.ended = backend.event()
        self._reconnect = reconnect
        self._new_keepalive = partial(KeepAlive, keepalive, answer_within, periodic)
        self._keepalive = self._new_keepalive(monotonic())
        self._answer_within = answer_within
        self._pid = os.getpid()
        self._wakeup = backend.event()  # something has changed that the loop should look at
        # Requests to the loop
        self._closing = self._asked = self._moving = False
        # The loop's own
        self._attempts = 0  # that failed since the last connection
        self._failures = 0  # in a row, as far as pauses are concerned
        self._resume_at = self._connected_at = 0.0
        self._replaced: list[_Replaced[C]] = []

    # For subclasses to say

    @abstractmethod
    def _attempt(self) -> C:
        """Make a connection that is ready for use, or raise."""

    @abstractmethod
    def _is_final(self, error: Exception) -> bool:
        """Whether the attempts end with this failure, until somebody asks again."""

    @abstractmethod
    def _pause(self, failures: int) -> float:
        """Seconds to pause after so many failures in a row."""

    def _places(self) -> int:
        """How many attempts make a round, after which comes a pause."""
        return 1

    def _failures_after(self, lasted: float) -> int:
        """What the loss of a connection that has lasted so many seconds makes the number of failures."""
        return 0

    # What happened, for subclasses to act on

    def _on_up(self, connection: C) -> None:
        """There is a connection; `current` is it."""

    def _on_down(self, connection: C) -> None:
        """It was lost."""

    def _on_failed(self, error: Exception) -> None:
        """An attempt has failed."""

    def _on_refused(self, error: Exception) -> None:
        """An attempt has failed for good."""

    def _on_silence(self, connection: C, seconds: float) -> None:
        """A keep-alive was not answered: the connection is dead."""
        _log.warning("%s: no answer to a keep-alive for %.1f s", connection.peer, seconds)
        connection.close()

    def _on_change(self) -> None:
        """There is news for those who wait for a connection."""

    # Requests: from any thread, at any time

    @property
    def forked(self) -> bool:
        """Whether this is a forked child, and the loop its parent's."""
        return self._pid != os.getpid()

    def ask(self) -> None:
        """Somebody needs a connection."""
        self._asked = True
        self._wakeup.set()

    def move(self) -> None:
        """Make another connection, and have it take the place of the one there is."""
        self._moving = True
        self._wakeup.set()

    def close(self) -> None:
        """Close the connection and make no other. Returns at once."""
        self._closing = True
        if self.forked:
            return
        connection = self.current
        if connection is not None:
            connection.close()
        self._wakeup.set()
        self._on_change()

    def forget(self) -> None:
        """In a forked child: the loop is the parent's. Where it was copied along, it ends."""
        connection, self.current = self.current, None
        if connection is not None:
            connection.forget()

    # The loop

    def run(self) -> None:
        """Look after the connection until `close`."""
        try:
            self._loop()
        finally:
            if not self.forked:
                self._end()

    def _loop(self) -> None:
        while not (self._closing or self.forked):
            self._step()

    def _step(self) -> None:
        connection = self.current
        if connection is not None and connection.closed:
            self._lost(connection)
        elif self.state is State.IDLE:
            if self._asked:
                self._enter(State.CONNECTING)
            else:
                self._rest(None)
        elif self.state is State.BACKING_OFF:
            self._back_off()
        elif self.state is State.CONNECTED and connection is not None:
            if self._moving:
                self._enter(State.REPLACING)
            else:
                self._keep_alive(connection)
        else:
            self._connect()

    def _enter(self, state: State) -> None:
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{state} cannot follow {self.state}")
        self.state = state

    def _connect(self) -> None:
        """One attempt."""
        try:
            connection = self._attempt()
        except Exception as error:
            if self._is_final(error):
                self._refused(error)
            else:
                self._failed(error)
        else:
            self._connected(connection)

    def _connected(self, connection: C) -> None:
        old, self.current = self.current, connection
        self._enter(State.CONNECTED)
        self._attempts = 0
        self._asked = self._moving = False
        self.failure = None
        self._connected_at = monotonic()
        self._keepalive = self._new_keepalive(self._connected_at)
        if old is not None:
            self._replaced.append(_Replaced(old, monotonic() + DRAIN_TIMEOUT))
        if self._closing:
            connection.close()
            return
        self._on_up(connection)
        self._on_change()

    def _refused(self, error: Exception) -> None:
        """No further attempt before somebody asks."""
        self.failure = without_frames(error)
        self.refusals += 1
        self._asked = self._moving = False
        self._enter(State.IDLE if self.current is None else State.CONNECTED)
        self._on_refused(error)
        self._on_change()

    def _failed(self, error: Exception) -> None:
        self.failure = without_frames(error)
        self._attempts += 1
        self._on_failed(error)
        if self._attempts % self._places():
            return  # the next place, at once
        self.failed_rounds += 1
        self._failures += 1
        self._moving = False
        if self.current is not None:
            self._enter(State.CONNECTED)
        else:
            self._back_off_from_now()
        self._on_change()

    def _lost(self, connection: C) -> None:
        self.current = None
        self._asked = self._asked or self._reconnect
        self._moving = False
        self._failures = self._failures_after(monotonic() - self._connected_at)
        if not self._asked:
            self._enter(State.IDLE)
        elif self._failures:
            self._back_off_from_now()
        else:
            self._enter(State.CONNECTING)
        self._on_down(connection)

    def _back_off_from_now(self) -> None:
        self._resume_at = monotonic() + self._pause(self._failures)
        self._enter(State.BACKING_OFF)

    def _back_off(self) -> None:
        """Wait, whoever asks meanwhile: a server in trouble is not helped by more callers."""
        left = self._resume_at - monotonic()
        if left <= 0:
            self._enter(State.CONNECTING)
        else:
            self._rest(left)

    def _keep_alive(self, connection: C) -> None:
        """Send a keep-alive if it is time; else wait until it is, or for what comes."""
        keepalive = self._keepalive
        now = monotonic()
        if keepalive.is_dead(connection, now):
            self._on_silence(connection, now - connection.last_heard)
            return
        if keepalive.is_due(connection, now):
            keepalive.sent(connection, now)
            connection.send_keepalive()
        self._rest(keepalive.pause(connection, now))

    def _rest(self, seconds: float | None) -> None:
        """Wait for what is new, or so long."""
        if self._replaced:
            self._drain()
            seconds = DRAIN_STEP if seconds is None else min(seconds, DRAIN_STEP)
        self._wait(seconds)

    def _wait(self, seconds: float | None) -> None:
        self._wakeup.wait(seconds)
        self._wakeup.clear()

    def _drain(self) -> None:
        """Close the connections that were replaced, each when its calls are done."""
        for replaced in self._replaced.copy():
            connection = replaced.connection
            if not connection.in_flight or connection.closed or monotonic() >= replaced.until:
                connection.close()
                self._replaced.remove(replaced)

    def _end(self) -> None:
        self._closing = True
        self._enter(State.CLOSED)
        connection, self.current = self.current, None
        for replaced in self._replaced:
            replaced.connection.close()
        if connection is not None:
            connection.close()
            connection.wait_closed(self._answer_within)
        self._on_change()
        self.ended.set()
