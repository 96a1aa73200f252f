"""The queue of what a session has to send. It is bounded, because a client may read slowly or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...green.backends import choice as backend
from ...wire.live import POLICY
from ...wire.websocket import TEXT, server_frame

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HIGH_WATER", "MAX_UNSENT", "Batch", "Ending", "Outgoing"]

MAX_UNSENT = 8 << 20
"""Bytes that may wait for a client. With more, its session is ended."""

HIGH_WATER = 1 << 20
"""Bytes that wait for a client above which its next request is not read."""


class Batch:
    """Texts that are sent together, perhaps to many sessions. They are made into frames once.

    Attributes:
        texts: the messages.
        size: their bytes.
    """

    __slots__ = ("_frames", "size", "texts")

    def __init__(self, texts: list[bytes], frames: bytes | None = None) -> None:
        self.texts = texts
        self._frames = frames
        self.size = sum(map(len, texts)) + (0 if frames is None else len(frames))

    @classmethod
    def control(cls, frame: bytes) -> Batch:
        """A control frame of a WebSocket, which is no message."""
        return cls([], frame)

    def frames(self) -> bytes:
        """The texts as frames of a WebSocket."""
        if self._frames is None:
            self._frames = b"".join([server_frame(TEXT, text) for text in self.texts])
        return self._frames


class Ending(NamedTuple):
    """Why a session ends: the code and the reason of a CLOSE frame."""

    code: int
    reason: str


class Outgoing:
    """What one session has to send, in order. Any thread may add to it, and one takes from it.

    Args:
        most: bytes that may wait; MAX_UNSENT by default.

    Attributes:
        size: bytes that wait.
        ending: why nothing more is added; None while the session goes on.
        on_overflow: called when too much waits, so that a thread that is blocked in sending is woken.
    """

    def __init__(self, most: int | None = None) -> None:
        here = backend.detect()
        self._most = MAX_UNSENT if most is None else most
        self._lock = here.lock()
        self._waiting: list[Batch] = []
        self._added = here.event()
        self._taken = here.event()
        self.size = 0
        self.ending: Ending | None = None
        self.on_overflow: Callable[[], object] = lambda: None

    def add(self, batch: Batch) -> None:
        """Add a batch; after the end do nothing. Ends the session if too much waits. Does not wait."""
        with self._lock:
            if self.ending is not None:
                return
            is_too_much = self.size > self._most
            if not is_too_much:
                self.size += batch.size
                self._waiting.append(batch)
        if is_too_much:
            self.cut(f"the client reads too slowly: more than {self._most} bytes wait for it")
        self._added.set()

    def end(self, code: int, reason: str) -> None:
        """Add nothing more. What waits is still sent. The first reason counts."""
        if self.ending is None:
            self.ending = Ending(code, reason)
        self._added.set()
        self._taken.set()

    def cut(self, reason: str) -> None:
        """End at once: what waits is dropped."""
        self.end(POLICY, reason)
        self.take()
        self.on_overflow()

    def take(self) -> list[Batch]:
        """Remove and return what waits."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            self.size = 0
        self._taken.set()
        return taken

    def wait(self, seconds: float) -> None:
        """Wait until something was added, or the session has ended."""
        if not self._waiting and self.ending is None:
            self._added.wait(seconds)
            self._added.clear()

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until so little waits that another request may be answered. False if that takes longer."""
        if self.size > HIGH_WATER:
            self._taken.clear()
            if self.size > HIGH_WATER and self.ending is None:
                self._taken.wait(seconds)
        return self.size <= HIGH_WATER
