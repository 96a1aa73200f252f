"""The sockets below the drivers' connections, looked at and ended without the driver."""

from __future__ import annotations

import _socket
import os
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...green.backends.contract import Backend

__all__ = ["HeldSocket", "has_input", "shut_down", "time_limit"]


def has_input(descriptor: int) -> bool:
    """Whether a socket has something to read, or is at its end. It does not wait.

    Neither is so while a connection is idle, unless the server has closed it.
    """
    if descriptor < 0:
        return False
    try:
        copy = _copy(descriptor)
        try:
            copy.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
        finally:
            copy.close()
    except BlockingIOError:
        return False
    except OSError:  # it was reset
        return True
    return True


def shut_down(descriptor: int) -> None:
    """End a socket both ways, so that a thread which reads or writes there sees its end at once."""
    if descriptor >= 0:
        with suppress(OSError):
            HeldSocket(descriptor).shut_down()


class HeldSocket:
    """A driver's socket on a descriptor of its own, which stands for this socket as long as it is held.

    A descriptor that is only noted may stand for another file by the time it is used.
    """

    __slots__ = ("_copy",)

    def __init__(self, descriptor: int) -> None:
        self._copy = _copy(descriptor)

    def shut_down(self) -> None:
        """End the socket both ways, and let go of it."""
        try:
            with suppress(OSError):  # it was closed by the other end
                self._copy.shutdown(_socket.SHUT_RDWR)
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the socket, which stays as it is."""
        self._copy.close()


@contextmanager
def time_limit(descriptor: int, seconds: float, backend: Backend) -> Iterator[None]:
    """End a socket if the block takes longer. The driver that waits in it sees the connection closed.

    It works for every driver, in place and in OS threads, as it needs nothing of the waiting thread. Without
    a socket there is no limit.

    Args:
        backend: watches the clock in a thread of its own.
    """
    if descriptor < 0:
        yield
        return
    held = HeldSocket(descriptor)
    is_over = backend.event()

    def watch() -> None:
        (held.release if is_over.wait(seconds) else held.shut_down)()

    try:
        backend.spawn(watch)
    except BaseException:
        held.release()
        raise
    try:
        yield
    finally:
        is_over.set()


def _copy(descriptor: int) -> _socket.socket:
    """A plain socket on a copy of a descriptor. The driver's own socket may be a green one, and wait."""
    # All in C: an exception of a signal handler would come between `dup` and `socket`, and leak the copy.
    wrap = partial(_socket.socket, _socket.AF_INET, _socket.SOCK_STREAM, 0)
    return next(map(wrap, map(os.dup, (descriptor,))))
