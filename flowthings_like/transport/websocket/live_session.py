"""One run of a live client: opens its connection, sends heartbeats, and opens another one after a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...errors import FlowThingsError
from ..forks import cut_off, forget_in_child
from ..reconnect import ReconnectingConnection
from ..retry import Backoff
from .live_connection import LiveConnection

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["Listener", "LiveSession"]

BACKOFF = Backoff(base=2.0, most=60.0)

ANSWER_WITHIN = 5.0
"""Seconds that a peer has at least to answer a ping."""


class Listener(Protocol):
    """What a session asks to connect, and tells what happens."""

    def connect(self, hold: Callable[[socket.socket], object]) -> LiveConnection:
        """Make a connection. `hold` is called with the socket before it connects."""

    def connected(self, connection: LiveConnection) -> None:
        """There is a connection."""

    def heard(self, text: bytes) -> None:
        """A message has come."""

    def tick(self) -> None:
        """Called again and again while there is a connection."""

    def failed(self, error: Exception) -> None:
        """An attempt to connect has failed; another one follows."""

    def refused(self, error: FlowThingsError) -> None:
        """An attempt to connect has failed, and no other follows."""

    def lost(self, connection: LiveConnection) -> None:
        """A connection has ended."""


class LiveSession(ReconnectingConnection[LiveConnection]):
    """Runs in the thread of whoever calls `run`.

    Args:
        listener: the client.
        reconnect: whether to open another connection after a loss; else `run` returns then.
        heartbeat: seconds between two keep-alives.
    """

    def __init__(self, listener: Listener, *, reconnect: bool, heartbeat: float) -> None:
        super().__init__(
            reconnect=reconnect,
            keepalive=heartbeat,
            answer_within=max(heartbeat, ANSWER_WITHIN),
            periodic=True,
        )
        self._listener = listener
        self._heartbeat = heartbeat
        self._socket: socket.socket | None = None  # of the latest connection
        self._told: LiveConnection | None = None  # the one that the listener knows of
        forget_in_child(self)
        self.ask()

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        super().forget()
        if self._socket is not None:
            cut_off(self._socket.fileno())

    def _hold(self, made: socket.socket) -> None:
        self._socket = made

    def _attempt(self) -> LiveConnection:
        return self._listener.connect(self._hold)

    def _is_final(self, error: Exception) -> bool:
        return not (self._reconnect and isinstance(error, FlowThingsError) and error.retryable)

    def _pause(self, failures: int) -> float:
        return BACKOFF.pause(failures)

    def _failures_after(self, lasted: float) -> int:
        # A server that hangs up at once is given more and more time. After any loss there is a pause, so that
        # clients that lost the same server do not come back all at once.
        return 1 if lasted > self._heartbeat else self._failures + 1

    def _wait(self, seconds: float | None) -> None:
        connection = self.current
        if connection is None:
            super()._wait(seconds)
            return
        for text in connection.receive():
            self._listener.heard(text)
        self._listener.tick()

    def _refused(self, error: Exception) -> None:
        if isinstance(error, FlowThingsError):
            self._listener.refused(error)
        raise error

    def _on_failed(self, error: Exception) -> None:
        self._listener.failed(error)

    def _on_up(self, connection: LiveConnection) -> None:
        self._told = connection
        self._listener.connected(connection)

    def _on_silence(self, connection: LiveConnection, seconds: float) -> None:
        connection.fail(ConnectionResetError(f"nothing came for {seconds:.0f} seconds"))

    def _on_down(self, connection: LiveConnection) -> None:
        self._told = None
        self._closing = self._closing or not self._reconnect
        self._listener.lost(connection)

    def _end(self) -> None:
        was_closed = self._closing
        super()._end()
        if was_closed and self._told is not None:
            self._on_down(self._told)
