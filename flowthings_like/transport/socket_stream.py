"""The byte stream of a plain socket."""

from __future__ import annotations

import fcntl
import socket
import sys
import termios
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from ..green.backends.choice import detect
from .byte_stream import CHUNK
from .retry import step_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SocketStream"]

_UNKNOWN = -1.0  # no socket has this time-out


class SocketStream:
    """Sends and receives the bytes of a connected socket; see `ByteStream`.

    Args:
        below: the socket, plain or green. The stream owns it from now on.
        peer: the other end's address, for messages.
        quick_ack: whether to acknowledge at once what was read. A ThingsDB node sends small packages one by
            one, and its kernel holds back all but the first until that is acknowledged. Without `quick_ack`
            that takes 40 ms.
    """

    is_websocket = False
    owes = False

    def __init__(self, below: socket.socket, peer: str, *, quick_ack: bool = False) -> None:
        self.peer = peer
        self.last_heard = monotonic()
        self._below = below
        backend = detect()
        self._send_now, self._receive_now = backend.send_now, backend.receive_now
        is_tcp = below.family in (socket.AF_INET, socket.AF_INET6)
        self._quick_ack = quick_ack and is_tcp and hasattr(socket, "TCP_QUICKACK")  # Linux only
        self._until: float | None = None
        self._each: float | None = None
        self._timeout: float | None = _UNKNOWN  # that the socket has now
        self._unsent: bytes | memoryview = b""
        self._sent = 0
        self._reading = self._writing = self._closed = False
        self._stop: Callable[[], object] | None = None  # ends the hub's watch

    def limit(self, until: float | None, each: float | None = None) -> None:
        self._until, self._each = until, each

    def _set_timeout(self) -> None:
        """Set the socket's time-out for its next call."""
        timeout = step_timeout(self._each, self._until)
        if timeout != self._timeout:
            self._timeout = _UNKNOWN  # an interrupt may come before or after the next line
            self._below.settimeout(timeout)
            self._timeout = timeout

    def offer(self, items: Sequence[bytes | memoryview]) -> bool:
        data = items[0] if len(items) == 1 else b"".join(items)
        self._writing = True
        try:
            if self._closed:
                raise BrokenPipeError("the connection was closed")
            if self._unsent:
                self._unsent = b"".join((self._unsent, data))
                return False
            sent = self._send_now(self._below, data)
            self._sent += sent
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                return False
            return True
        finally:
            self._writing = False
            if self._closed:
                self._release()

    def flush(self) -> None:
        self._writing = True
        try:
            self._send_unsent()
        finally:
            self._writing = False
            if self._closed:
                self._release()

    def _send_unsent(self) -> None:
        while self._unsent and not self._closed:
            self._set_timeout()
            sent = self._below.send(self._unsent)
            self._sent += sent
            self._unsent = memoryview(self._unsent)[sent:]

    def receive(self) -> bytes:
        self._reading = True
        try:
            if self._closed:
                return b""
            self._set_timeout()
            data = self._below.recv(CHUNK)
            self.last_heard = monotonic()
            if self._quick_ack:
                self.acknowledge()
            return data
        finally:
            self._reading = False
            if self._closed:
                self._release()

    def receive_into(self, buffer: memoryview) -> int:
        """Like `receive`, but into a buffer. Returns how many bytes came; 0 at the end."""
        self._reading = True
        try:
            if self._closed:
                return 0
            self._set_timeout()
            size = self._below.recv_into(buffer)
            self.last_heard = monotonic()
            return size
        finally:
            self._reading = False
            if self._closed:
                self._release()

    def receive_now(self) -> bytes | None:
        if self._closed:
            return b""
        data = self._receive_now(self._below, CHUNK)
        if data is not None:
            self.last_heard = monotonic()
        return data

    def watch(self, callback: Callable[[], object]) -> bool:
        self._reading = True
        self._stop = detect().watch(self._below, callback)
        self._reading = self._stop is not None
        return self._reading

    def unwatch(self) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()
            self._reading = False
            if self._closed:
                self._release()

    def acknowledge(self) -> None:
        # The option does not last: the kernel soon returns to delayed acknowledgements.
        if self._quick_ack:
            self._below.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def delivery(self) -> tuple[int, int]:
        number = self._below.fileno()
        if number < 0:
            return self._sent, 0
        unacknowledged = int.from_bytes(fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self._sent - unacknowledged, unacknowledged + len(self._unsent)

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):  # the other end may have closed it first
            self._below.shutdown(socket.SHUT_RDWR)
        self._release()

    def forget(self) -> None:
        self._closed = True
        self.unwatch()
        self._below.close()

    def _release(self) -> None:
        """Close the socket, unless another thread is using it: the descriptor's number could soon belong to
        another file.

        The last user closes it. Users set their flag before they look at `_closed`, and `close` looks at the
        flags after it has set `_closed`, so it is closed in any case.
        """
        if not (self._reading or self._writing):
            self._below.close()
