"""What is on its way to one client: written at once if it goes, else kept, in order, until the client reads.

Whoever sends is never held up by a slow reader. What one may leave unread is bounded: beyond that, or after
a time in which it takes nothing at all, it is cut off, and nobody else notices.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from ....green.backends import contract as backend
from ..forks import abandon_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["HIGH_WATER", "MAX_UNSENT", "STALL_TIMEOUT", "Outbox"]

MAX_UNSENT = 64 << 20
"""Bytes that may wait for a client that does not read; the next package cuts it off."""

HIGH_WATER = 4 << 20
"""Bytes of waiting answers from which on no more requests of that client are taken, until it has read."""

STALL_TIMEOUT = 60.0
"""Seconds after which a client is cut off that takes nothing of what waits for it."""

_ONE_WRITE = 256 << 10
_LOOK_AGAIN = 0.01  # seconds


class Outbox:
    """One client's. Any thread may send; bytes leave in the order in which they were given.

    Args:
        sock: the client's connected socket. Its timeout must be STALL_TIMEOUT or one that suits reading too.
        cut: called, once, when the client is given up.
        most: bytes that may wait.
    """

    def __init__(self, sock: socket.socket, cut: Callable[[], None], most: int = MAX_UNSENT) -> None:
        here = backend.detect()
        self._sock = sock
        # A second handle on the same stream that never waits, whichever way the first one does.
        self._direct = sock.dup()
        self._direct.setblocking(False)
        self._abort = cut
        self._most = most
        self._lock = here.lock()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._held = False
        self._writing = False
        self._dead = False
        self._drained = here.event()

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._size

    def send(self, data: bytes) -> None:
        """Send, now or as soon as the client reads; nothing happens if it was cut off. Does not block."""
        with self._lock:
            if self._dead:
                return
            if self._size > self._most:
                self._give_up()
                return
            self._waiting.append(data)
            self._size += len(data)
            if not self._held and not self._writing:
                self._flush()

    def hold(self) -> None:
        """Keep what is sent from now on: more is about to follow."""
        self._held = True

    def release(self) -> None:
        """Send what was kept, in one go."""
        with self._lock:
            self._held = False
            if self._waiting and not self._writing and not self._dead:
                self._flush()

    def wait_for_reader(self) -> None:
        """Return once the client has taken enough of what waits for it, or is gone."""
        while self._size > HIGH_WATER and not self._dead:
            self._drained.clear()
            if self._size > HIGH_WATER and not self._dead:
                self._drained.wait(STALL_TIMEOUT)

    def wait_empty(self, seconds: float) -> None:
        """Return once the client has taken everything, or after so many seconds."""
        here = backend.detect()
        deadline = time.monotonic() + seconds
        while self._size and time.monotonic() < deadline:
            here.sleep(_LOOK_AGAIN)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's socket without disturbing it."""
        self._dead = True
        abandon_socket(self._direct)

    def close(self) -> None:
        """Drop what waits and let go of the socket."""
        with self._lock:
            self._drop()
            self._direct.close()

    def _flush(self) -> None:
        """Write what goes without waiting; leave the rest to a green thread. With the lock held."""
        data = self._take()
        try:
            sent = self._direct.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._give_up()
            return
        except BaseException:  # how much of it went is not known
            self._give_up()
            raise
        self._size -= sent
        if sent < len(data):
            self._waiting.appendleft(data[sent:])
        if self._waiting:
            self._writing = True
            try:
                backend.detect().spawn(self._write)
            except BaseException:
                self._writing = False
                raise

    def _take(self) -> bytes:
        """The first package, or several as one if they are small."""
        if len(self._waiting) == 1:
            return self._waiting.popleft()
        parts = [self._waiting.popleft()]
        size = len(parts[0])
        while self._waiting and size + len(self._waiting[0]) <= _ONE_WRITE:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _write(self) -> None:
        """Write until nothing waits: this is where a slow reader is waited for."""
        try:
            while (data := self._next()) is not None:
                left = memoryview(data)
                while left:
                    sent = self._sock.send(left)
                    left = left[sent:]
                    self._took(sent)
        except OSError:  # a timeout is one
            with self._lock:
                self._give_up()
        except BaseException:  # cut in the middle of a package, perhaps: the stream is lost
            with self._lock:
                self._give_up()
            raise
        finally:
            self._writing = False

    def _next(self) -> bytes | None:
        with self._lock:
            if not self._waiting:
                self._writing = False
                return None
            return self._take()

    def _took(self, size: int) -> None:
        with self._lock:
            if not self._dead:
                self._size -= size
            if self._size <= HIGH_WATER:
                self._drained.set()

    def _drop(self) -> None:
        self._dead = True
        self._waiting.clear()
        self._size = 0
        self._drained.set()

    def _give_up(self) -> None:
        if not self._dead:
            self._drop()
            with suppress(OSError):
                self._abort()
