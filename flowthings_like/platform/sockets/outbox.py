"""The send queue of one client: bytes are written at once if the socket takes them, otherwise they wait.

Senders never block on a slow client. The bytes that wait for a client are bounded: beyond the bound, or when
it takes nothing for STALL_TIMEOUT, its connection is closed. Other clients are not affected.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ..leader.after_fork import abandon_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["HIGH_WATER", "MAX_UNSENT", "STALL_TIMEOUT", "Outbox"]

MAX_UNSENT = 64 << 20
"""Bytes that may wait for a client that does not read. With the next package its connection is closed."""

HIGH_WATER = 4 << 20
"""Bytes that wait for a client above which no more of its requests are handled until it has read."""

STALL_TIMEOUT = 60.0
"""Seconds in which a client may take nothing of what waits for it before its connection is closed."""

_MAX_WRITE = 256 << 10  # bytes of small packages that are joined for one write
_POLL_INTERVAL = 0.01  # seconds


class Outbox:
    """Sends bytes to one client, in the order in which they were given. Any thread may call it.

    Args:
        sock: the client's connected socket. Its timeout must be STALL_TIMEOUT or one that suits reading too.
        abort: called once if the connection has to be closed.
        max_unsent: bytes that may wait.
    """

    def __init__(self, sock: socket.socket, abort: Callable[[], None], max_unsent: int = MAX_UNSENT) -> None:
        here = backend.detect()
        self._sock = sock
        # A second handle of the same stream that never blocks. The first one blocks, or waits in the hub.
        self._nonblocking = sock.dup()
        self._nonblocking.setblocking(False)
        self._abort = abort
        self._max_unsent = max_unsent
        self._lock = here.lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_corked = False
        self._is_writing = False
        self._is_closed = False
        self._drained = here.event()

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._size

    def send(self, data: bytes) -> None:
        """Send, now or when the client reads. Does nothing if the connection is closed. Does not block."""
        with self._lock:
            if self._is_closed:
                return
            if self._size > self._max_unsent:
                self._fail()
                return
            self._waiting.append(data)
            self._size += len(data)
            if self._size > HIGH_WATER:
                self._drained.clear()
            if not self._is_corked and not self._is_writing:
                self._flush()

    def cork(self) -> None:
        """Delay what is sent from now on, because more is about to follow."""
        self._is_corked = True

    def uncork(self) -> None:
        """Send what was delayed, in one write if it is small."""
        with self._lock:
            self._is_corked = False
            if self._waiting and not self._is_writing and not self._is_closed:
                self._flush()

    def drain(self) -> None:
        """Wait until less than HIGH_WATER waits for the client, or its connection is closed."""
        while self._size > HIGH_WATER and not self._is_closed:
            self._drained.wait(STALL_TIMEOUT)

    def wait_empty(self, seconds: float) -> None:
        """Wait until the client has taken everything, but not longer than so many seconds."""
        here = backend.detect()
        deadline = time.monotonic() + seconds
        while self._size and time.monotonic() < deadline:
            here.sleep(_POLL_INTERVAL)

    def abandon(self) -> None:
        """In a forked child: close the inherited socket without any effect on the parent."""
        self._is_closed = True
        abandon_socket(self._nonblocking)

    def close(self) -> None:
        """Discard what waits and close this handle of the socket."""
        with self._lock:
            self._discard()
            self._nonblocking.close()

    def _flush(self) -> None:
        """Write what the socket takes; start a green thread for the rest. The lock must be held."""
        data = self._take()
        try:
            sent = self._nonblocking.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._fail()
            return
        except BaseException:  # how much was written is not known
            self._fail()
            raise
        self._note_sent(sent)
        if sent < len(data):
            self._waiting.appendleft(data[sent:])
        if self._waiting:
            self._is_writing = True
            try:
                backend.detect().spawn(self._write)
            except BaseException:
                self._is_writing = False
                raise

    def _take(self) -> bytes:
        """Take the first package, or several small ones joined."""
        if len(self._waiting) == 1:
            return self._waiting.popleft()
        parts = [self._waiting.popleft()]
        size = len(parts[0])
        while self._waiting and size + len(self._waiting[0]) <= _MAX_WRITE:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _write(self) -> None:
        """Write until nothing waits. This thread blocks while the client does not read.

        Only `_next` notes that this ends, with the lock held: a sender may start the next thread before this
        one returns. After a failure no thread writes again.
        """
        try:
            while (data := self._next()) is not None:
                left = memoryview(data)
                while left:
                    sent = self._sock.send(left)
                    left = left[sent:]
                    self._mark_sent(sent)
        except OSError:  # a timeout is one
            with self._lock:
                self._fail()
        except BaseException:  # perhaps within a package: the stream cannot be continued
            with self._lock:
                self._fail()
            raise

    def _next(self) -> bytes | None:
        with self._lock:
            if not self._waiting:
                self._is_writing = False
                return None
            return self._take()

    def _mark_sent(self, size: int) -> None:
        with self._lock:
            self._note_sent(size)

    def _note_sent(self, size: int) -> None:
        """The lock must be held: what is set and cleared here stays in step with the size."""
        if not self._is_closed:
            self._size -= size
        if self._size <= HIGH_WATER:
            self._drained.set()

    def _discard(self) -> None:
        self._is_closed = True
        self._waiting.clear()
        self._size = 0
        self._drained.set()

    def _fail(self) -> None:
        if not self._is_closed:
            self._discard()
            with suppress(OSError):
                self._abort()
