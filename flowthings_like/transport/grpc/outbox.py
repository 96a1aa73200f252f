"""Writes the frames of a connection to its stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..outbox import Outbox

if TYPE_CHECKING:
    from ..byte_stream import ByteStream

__all__ = ["FrameOutbox"]


class FrameOutbox(Outbox):
    """Sends the frames of one connection.

    Args:
        stream: what to write to.
        on_failure: called with the error that ended the sending.
        advance: called by the worker when it is woken, after it has sent what was left.
    """

    def __init__(
        self,
        stream: ByteStream,
        on_failure: Callable[[BaseException], object],
        advance: Callable[[], object],
    ) -> None:
        super().__init__(stream, on_failure)
        self._queue: deque[bytes] = deque()
        self._run_advance = advance

    @property
    def is_idle(self) -> bool:
        """Whether everything was written, so that more can be queued."""
        return not self._queue and not self._to_flush

    def put(self, data: bytes) -> None:
        """Queue frames, for `send_queued`."""
        self._queue.append(data)

    def _has_work(self) -> bool:
        return bool(self._queue) or self._stream.owes

    def _drop(self) -> None:
        self._queue.clear()

    def _send(self) -> bool:
        frames: list[bytes] = []
        with suppress(IndexError):
            while True:
                frames.append(self._queue.popleft())
        self.silent = False
        self.writes += 1
        return self._stream.offer(frames)

    def _advance(self) -> None:
        self._run_advance()
        self.send_queued()
