"""Keeps the connection of a live client open while its `run` is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...errors import FlowThingsError
from ..after_fork import cut_off, forget_in_child
from ..reconnect import ReconnectingConnection, State
from ..retry import Backoff

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .opening import AnyConnection

__all__ = ["Listener", "LiveSession"]

BACKOFF = Backoff(base=2.0, most=60.0)

"""The pauses after losses and failed attempts."""

ANSWER_WITHIN = 5.0
"""Seconds that the server has at least to answer a ping."""


class Listener(Protocol):
    """Opens connections for a session, and is told what happens."""

    def connect(self, hold: Callable[[socket.socket], object]) -> AnyConnection:
        """Open a connection. `hold` must be called with the socket before it connects."""

    def connected(self, connection: AnyConnection) -> None:
        """Called with a new connection."""

    def heard(self, text: bytes) -> None:
        """Called with each message."""

    def tick(self) -> None:
        """Called repeatedly while there is a connection."""

    def failed(self, error: Exception) -> None:
        """Called when an attempt has failed, and another one follows."""

    def refused(self, error: FlowThingsError) -> None:
        """Called when an attempt has failed, and no other follows."""

    def lost(self, connection: AnyConnection) -> None:
        """Called when a connection has ended."""


class LiveSession(ReconnectingConnection["AnyConnection"]):
    """Keeps a connection open in the thread that calls `run`, and calls the listener there.

    Args:
        listener: the client.
        reconnect: whether to open another connection after a loss; if not, `run` returns.
        heartbeat: seconds between keep-alives.
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
        self._socket: socket.socket | None = None  # of the last attempt
        self._told: AnyConnection | None = None  # the connection of which the listener was told
        self._at_most: float | None = None  # seconds that a wait may take
        forget_in_child(self)
        self.ask()

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        super().forget()
        if self._socket is not None:
            cut_off(self._socket.fileno())

    def advance(self, seconds: float) -> None:
        """Do the next step in the calling thread, instead of `run`: connect, wait for messages, or pause.

        Args:
            seconds: that a wait for messages or a pause may take, at most.

        Raises:
            FlowThingsError: an attempt to connect has failed, and trying again does not help.
        """
        self._at_most = seconds
        try:
            self._step()
        finally:
            self._at_most = None

    def finish(self) -> None:
        """End what `advance` has begun. More calls do nothing."""
        if self.state is not State.CLOSED:
            self.close()
            self._end()

    def abandon(self) -> None:
        """Let go of the connection without a word, for the garbage collector."""
        connection = self.current
        if connection is not None:
            connection.abandon()

    def _hold(self, made: socket.socket) -> None:
        self._socket = made

    def _attempt(self) -> AnyConnection:
        return self._listener.connect(self._hold)

    def _is_final(self, error: Exception) -> bool:
        return not (self._reconnect and isinstance(error, FlowThingsError) and error.retryable)

    def _pause(self, failures: int) -> float:
        return BACKOFF.pause(failures)

    def _failures_after(self, lasted: float) -> int:
        # If the server closes each connection at once, the pauses grow. There is a pause after each loss, so
        # that the clients of a lost server do not all come back at the same time.
        return 1 if lasted > self._heartbeat else self._failures + 1

    def _wait(self, seconds: float | None) -> None:
        connection = self.current
        if connection is None:
            most = self._at_most
            super()._wait(seconds if most is None else most if seconds is None else min(seconds, most))
            return
        for text in connection.receive(self._at_most):
            self._listener.heard(text)
        self._listener.tick()

    def _refused(self, error: Exception) -> None:
        if isinstance(error, FlowThingsError):
            self._listener.refused(error)
        raise error

    def _on_failed(self, error: Exception) -> None:
        self._listener.failed(error)

    def _on_up(self, connection: AnyConnection) -> None:
        self._told = connection
        self._listener.connected(connection)

    def _on_silence(self, connection: AnyConnection, seconds: float) -> None:
        connection.fail(ConnectionResetError(f"nothing came for {seconds:.0f} seconds"))

    def _on_down(self, connection: AnyConnection) -> None:
        self._told = None
        self._closing = self._closing or not self._reconnect
        self._listener.lost(connection)

    def _end(self) -> None:
        was_closed = self._closing
        super()._end()
        if was_closed and self._told is not None:
            self._on_down(self._told)
