"""Keeps one connection open: connects, sends keep-alives, reconnects with back-off.

    IDLE ----------> CONNECTING <-------> BACKING_OFF
     ^                |     ^                  ^
     |   (connected)  v     |  (lost)          |  (lost)
     +-------------- CONNECTED ----------------+
        (lost)        |     ^
         (move)       v     |  (connected, or no other answers)
                     REPLACING

One thread runs the loop, and only this thread changes the state. Other threads set a flag and wake the loop,
so an interrupt there leaves nothing half done.
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
from .heartbeat import KeepAlive, Watched

__all__ = ["TRANSITIONS", "KeptConnection", "ReconnectingConnection", "State"]

_log = logging.getLogger("flowthings_like")

DRAIN_TIMEOUT = 10.0
"""Seconds for which a connection that was replaced stays open until its calls are done."""

DRAIN_STEP = 0.02
"""Seconds between two checks whether they are done."""


class State(Enum):
    """The states of a reconnecting connection."""

    IDLE = "no connection, and none was asked for"
    CONNECTING = "no connection; an attempt is being made or is next"
    BACKING_OFF = "no connection; the next attempt is made after a pause"
    CONNECTED = "connected"
    REPLACING = "connected; an attempt is being made to connect to another place"
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
"""For each state the states that may follow it."""


class KeptConnection(Watched, Protocol):
    """What a connection must have to be kept open.

    Attributes:
        peer: the other end's address, for messages.
    """

    @property
    def peer(self) -> str: ...

    @property
    def closed(self) -> bool:
        """Whether it has ended."""

    @property
    def in_flight(self) -> int:
        """Calls that were not answered yet."""

    def send_keepalive(self) -> None:
        """Send something that the other end has to answer. Does not wait for the answer."""

    def close(self) -> None:
        """End the connection. Does not wait."""

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until its last callback was called."""

    def forget(self) -> None:
        """In a forked child: leave the connection to the parent."""


C = TypeVar("C", bound=KeptConnection)


@dataclass(frozen=True)
class _Replaced(Generic[C]):
    """A connection that was replaced, until it is closed.

    Attributes:
        connection: the connection.
        until: the `time.monotonic()` at which it is closed even if its calls are not done.
    """

    connection: C
    until: float


class ReconnectingConnection(ABC, Generic[C]):
    """Keeps one connection open, and opens another one after it is lost.

    A subclass implements how to connect and how long to pause, and may act on what happens.

    Args:
        reconnect: whether to connect after a loss before `ask` is called.
        keepalive: seconds between keep-alives.
        answer_within: seconds after a keep-alive in which something has to come. A dead connection is noticed
            after `keepalive + answer_within` seconds.
        periodic: whether keep-alives are sent all the time; else only while nothing comes.

    Attributes:
        current: the connection, until the loop has noticed its loss.
        state: the state.
        failure: why the last attempt failed or the last connection was lost; None while connected.
        failed_rounds: how many rounds have failed, in which each place was tried.
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
        self._wakeup = backend.event()  # set when the loop has to look at what has changed
        # Set by any thread
        self._closing = self._asked = self._moving = False
        # Used by the loop only
        self._attempts = 0  # failed attempts since the last connection
        self._failures = 0  # failed rounds in a row, and losses that count as such
        self._resume_at = self._connected_at = 0.0
        self._replaced: list[_Replaced[C]] = []

    # Implemented by subclasses

    @abstractmethod
    def _attempt(self) -> C:
        """Make a connection that is ready for use. Raise if that fails."""

    @abstractmethod
    def _is_final(self, error: Exception) -> bool:
        """Whether no other attempt is made after this failure, until `ask` is called again."""

    @abstractmethod
    def _pause(self, failures: int) -> float:
        """Seconds to pause after so many failures in a row."""

    def _places(self) -> int:
        """How many attempts make a round. A pause follows a failed round."""
        return 1

    def _failures_after(self, lasted: float) -> int:
        """The number of failures in a row after the loss of a connection that has lasted so many seconds."""
        return 0

    # Overridden by subclasses

    def _on_up(self, connection: C) -> None:
        """Called with a new connection, which is `current`."""

    def _on_down(self, connection: C) -> None:
        """Called when a connection was lost."""

    def _on_failed(self, error: Exception) -> None:
        """Called when an attempt has failed, and others follow."""

    def _on_refused(self, error: Exception) -> None:
        """Called when an attempt has failed, and no other follows."""

    def _on_silence(self, connection: C, seconds: float) -> None:
        """Close a connection that has not answered a keep-alive: it is dead."""
        _log.warning("%s: no answer to a keep-alive for %.1f s", connection.peer, seconds)
        connection.close()

    def _on_change(self) -> None:
        """Called when threads that wait for a connection should look again."""

    # May be called by any thread, at any time

    @property
    def forked(self) -> bool:
        """Whether this process is a forked child of the one that runs the loop."""
        return self._pid != os.getpid()

    def ask(self) -> None:
        """Connect, unless there is a connection. Does not wait."""
        self._asked = True
        self._wakeup.set()

    def move(self) -> None:
        """Replace the connection by another one. Does not wait."""
        self._moving = True
        self._wakeup.set()

    def close(self) -> None:
        """Close the connection for good. Does not wait."""
        self._closing = True
        if self.forked:
            return
        connection = self.current
        if connection is not None:
            connection.close()
        self._wakeup.set()
        self._on_change()

    def forget(self) -> None:
        """In a forked child: leave the connection to the parent. A copy of the loop's green thread ends."""
        connection, self.current = self.current, None
        if connection is not None:
            connection.forget()

    # The loop

    def run(self) -> None:
        """Run the loop until `close`."""
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
        """Make one attempt."""
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
        """Make no other attempt until `ask` is called."""
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
            return  # the next place is tried at once
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
        """Wait for the end of the pause, even if `ask` is called: more attempts would not help the server."""
        left = self._resume_at - monotonic()
        if left <= 0:
            self._enter(State.CONNECTING)
        else:
            self._rest(left)

    def _keep_alive(self, connection: C) -> None:
        """Send a keep-alive if one is due, and wait until the next look."""
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
        """Wait until woken, or for so many seconds."""
        if self._replaced:
            self._drain()
            seconds = DRAIN_STEP if seconds is None else min(seconds, DRAIN_STEP)
        self._wait(seconds)

    def _wait(self, seconds: float | None) -> None:
        self._wakeup.wait(seconds)
        self._wakeup.clear()

    def _drain(self) -> None:
        """Close the replaced connections whose calls are done."""
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
