"""Sockets whose every step ends by a deadline: each time-out is what is left until then.

Nothing can interrupt a thread that waits in a socket's call, so the deadline is kept by the calls themselves.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["TimedSocket", "earlier", "sooner"]

_UNKNOWN = -1.0  # a time-out that no socket has


def sooner(timeout: float | None, until: float | None) -> float | None:
    """The time-out for one step, which must be over by `until`.

    Raises:
        TimeoutError: it should be over already.
    """
    if until is None:
        return timeout
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left if timeout is None else min(timeout, left)


def earlier(one: float | None, other: float | None) -> float | None:
    """The first of two moments; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


class TimedSocket:
    """A connected socket under a deadline.

    Args:
        below: the socket, of whichever library has patched it.

    Attributes:
        below: the same.
        each: seconds that one step may take; None for any number.
        until: the `time.monotonic()` by which all must be done, or None.
    """

    __slots__ = ("_set", "below", "each", "until")

    def __init__(self, below: socket.socket) -> None:
        self.below = below
        self.each: float | None = None
        self.until: float | None = None
        self._set: float | None = _UNKNOWN

    def bound(self, each: float | None, until: float | None) -> None:
        """Set both bounds for the steps to come."""
        self.each, self.until = each, until

    def settle(self) -> None:
        """Have the next call wait at most as long as may be.

        Raises:
            TimeoutError: the deadline has passed.
        """
        timeout = sooner(self.each, self.until)
        if timeout != self._set:
            self._set = _UNKNOWN  # for an interrupt may come now
            self.below.settimeout(timeout)
            self._set = timeout

    def stop_waiting(self) -> None:
        """Have the next `send` and `peek` wait for nothing."""
        self._set = _UNKNOWN
        self.below.settimeout(0.0)
        self._set = 0.0

    def send(self, data: bytes | memoryview) -> int:
        """Send what is taken; returns how many bytes that was."""
        if self._set == 0.0:  # most requests need no waiting, and no time-out to be set
            try:
                return self.below.send(data)
            except BlockingIOError:
                pass
        self.settle()
        return self.below.send(data)

    def sendall(self, data: bytes | memoryview) -> None:
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            view = view[self.send(view) :]

    def recv(self, size: int) -> bytes:
        """At least one byte, at most `size`; none at the end."""
        self.settle()
        return self.below.recv(size)

    def close(self) -> None:
        """Close the socket."""
        self.below.close()

    def fileno(self) -> int:
        """Its descriptor."""
        return self.below.fileno()
