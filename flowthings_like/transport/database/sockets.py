"""The sockets below the drivers' connections, looked at and ended without the driver."""

from __future__ import annotations

import _socket
import os
from contextlib import suppress
from functools import partial

__all__ = ["has_input", "shut_down"]


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
    """End a socket both ways, so that whoever reads or writes sees its end at once."""
    if descriptor < 0:
        return
    with suppress(OSError):
        copy = _copy(descriptor)
        try:
            copy.shutdown(_socket.SHUT_RDWR)
        finally:
            copy.close()


def _copy(descriptor: int) -> _socket.socket:
    """A plain socket on a copy of a descriptor. The driver's own socket may be a green one, and wait."""
    # All in C: an exception of a signal handler would come between `dup` and `socket`, and leak the copy.
    wrap = partial(_socket.socket, _socket.AF_INET, _socket.SOCK_STREAM, 0)
    return next(map(wrap, map(os.dup, (descriptor,))))
