"""Ends sockets without the hub that they belong to.

Under gevent and eventlet each OS thread has a hub, and a green socket belongs to the hub it was made in. Only
the hub's own thread may use the hub, and that thread may be busy or have ended.
"""

from __future__ import annotations

import _socket
from contextlib import suppress
from typing import Any

__all__ = ["close_without_hub", "shut_down_without_hub"]


def close_without_hub(sock: Any) -> None:
    """Close a socket that nobody waits for."""
    below = _plain(sock)
    if below is not None:
        with suppress(OSError):
            _socket.socket.close(below)


def shut_down_without_hub(sock: Any) -> None:
    """End both directions of a socket, and leave it open: whoever waits for it wakes up and reads the end."""
    below = _plain(sock)
    if below is not None:
        with suppress(OSError):
            _socket.socket.shutdown(below, _socket.SHUT_RDWR)


def _plain(sock: Any) -> _socket.socket | None:
    # gevent's and eventlet's sockets are made of a plain one, as `_sock` and `fd`.
    candidates = getattr(sock, "fd", None), getattr(sock, "_sock", None), sock
    return next((each for each in candidates if isinstance(each, _socket.socket)), None)
