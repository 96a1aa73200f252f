"""A connection for live messages to a platform in the same process: there is no socket."""

from __future__ import annotations

from time import monotonic
from typing import Protocol

from ...errors import ConnectionFailed

__all__ = ["Channel", "LocalConnection"]


class Channel(Protocol):
    """The platform's end."""

    def send(self, text: bytes) -> None:
        """Send a message."""

    def receive(self, seconds: float) -> list[bytes]:
        """Wait for messages, for so long at most. Raises OSError if the platform has ended the session."""

    def close(self) -> None:
        """End the session. A thread that receives is woken."""

    def abandon(self) -> None:
        """End the session without a lock, for the garbage collector."""


class LocalConnection:
    """Has the methods of `LiveConnection`.

    Args:
        channel: the platform's end. The connection owns it from now on.
        tick: seconds that one `receive` may take.

    Attributes:
        closed: whether it has ended.
        failure: the error that ended it, if there was one.
    """

    in_flight = 0
    peer = "the embedded platform"

    def __init__(self, channel: Channel, tick: float) -> None:
        self.closed = False
        self.failure: Exception | None = None
        self._channel = channel
        self._tick = tick

    @property
    def last_heard(self) -> float:
        """Now: the other end lives as long as this process."""
        return monotonic()

    def delivery(self) -> tuple[int, int]:
        """Everything that was sent has arrived."""
        return 0, 0

    def receive(self, seconds: float | None = None) -> list[bytes]:
        """Wait for messages, for one tick at most. Returns their texts."""
        try:
            return self._channel.receive(self._tick if seconds is None else min(seconds, self._tick))
        except OSError as error:
            self.fail(error)
            return []

    def send(self, text: bytes) -> None:
        """Send a text."""
        if not self.closed:
            self._channel.send(text)

    def send_keepalive(self) -> None:
        """There is nothing to keep alive."""

    def fail(self, error: Exception) -> None:
        """Close it because of an error."""
        self.failure = error
        self.close()

    def close(self) -> None:
        """End the session."""
        self.closed = True
        self._channel.close()

    def abandon(self) -> None:
        """End the session without a lock, for the garbage collector."""
        self.closed = True
        self._channel.abandon()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """There is nothing to wait for."""
        return True

    def forget(self) -> None:
        """In a forked child: the session is the parent's."""
        self.closed = True
        self.failure = ConnectionFailed("the process was forked")
