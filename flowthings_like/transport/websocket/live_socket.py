"""The socket below a WebSocket: for one thread that reads and others that write, and noticing silence."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import websocket

from ...green.backends.contract import detect

__all__ = ["MAX_MESSAGE", "LiveSocket", "bound_messages"]

T = TypeVar("T")

MAX_MESSAGE = 64 << 20
"""Bytes that one message may have, in however many frames."""


class LiveSocket:
    """Takes the place of a connected socket in a WebSocket.

    OpenSSL allows no two threads in one connection at once. On plain threads each step on a TLS socket is
    therefore made under a lock, without waiting; the waiting is done outside of it.

    Args:
        below: the socket.

    Attributes:
        heard: the `time.monotonic()` at which something last came.
    """

    def __init__(self, below: Any) -> None:
        self.heard = monotonic()
        self._below = below
        self._timeout: float | None = below.gettimeout()
        self._lock: Any = None
        if isinstance(below, ssl.SSLSocket) and detect().name == "threads":
            self._lock = threading.Lock()
            below.settimeout(0.0)

    def recv(self, size: int) -> bytes:
        """As a socket does."""
        data: bytes = self._step(lambda: self._below.recv(size))
        self.heard = monotonic()
        return data

    def send(self, data: bytes) -> int:
        """As a socket does."""
        return self._step(lambda: int(self._below.send(data)))

    def _step(self, step: Callable[[], T]) -> T:
        if self._lock is None:
            return step()
        until = None if self._timeout is None else monotonic() + self._timeout
        while True:
            with self._lock:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    wanted = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    wanted = selectors.EVENT_WRITE
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._below, wanted)
                left = None if until is None else until - monotonic()
                if (left is not None and left <= 0) or not waiting.select(left):
                    raise TimeoutError("timed out")

    def settimeout(self, seconds: float | None) -> None:
        """As a socket does."""
        self._timeout = seconds
        if self._lock is None:
            self._below.settimeout(seconds)

    def gettimeout(self) -> float | None:
        """As a socket does."""
        return self._timeout

    def cut(self) -> None:
        """End the connection without a word. Whoever reads from it meets the end."""
        with suppress(OSError):  # it may be cut already
            if self._lock is None:
                self._below.shutdown(socket.SHUT_RDWR)
            else:
                # Below TLS: the other thread may be in OpenSSL.
                socket.socket.shutdown(self._below, socket.SHUT_RDWR)

    def shutdown(self, how: int) -> None:
        """As a socket does."""
        self.cut()

    def fileno(self) -> int:
        """As a socket does."""
        return int(self._below.fileno())

    @property
    def _closed(self) -> bool:
        # websocket-client closes nothing that has no such attribute.
        return self.fileno() < 0

    def close(self) -> None:
        """As a socket does."""
        self._below.close()


def bound_messages(opened: Any) -> None:
    """Have a WebSocket of websocket-client's refuse what is longer than MAX_MESSAGE, at its header."""
    frames, collected = opened.frame_buffer, opened.cont_frame
    receive = frames.recv_strict

    def bounded(size: int) -> Any:
        held = len(collected.cont_data[1]) if collected.cont_data else 0
        if size + held > MAX_MESSAGE:
            raise websocket.WebSocketProtocolException(f"a message of more than {MAX_MESSAGE} bytes")
        return receive(size)

    frames.recv_strict = bounded
