"""What is to be sent on one stream, as far as the other end's windows allow."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .messages import PREFIX, prefix

if TYPE_CHECKING:
    from .metadata import Header

__all__ = ["Outgoing"]

_JOINED = 16 << 10
"""Bytes of a message that are copied behind its prefix, so that both travel in one frame."""


class Outgoing:
    """The bytes that wait to be sent on one stream.

    Attributes:
        id: the stream's number.
        size: how many bytes wait.
        is_ended: whether nothing will be added.
        trailers: headers to send at the end; None for none.
        is_queued: whether the connection has it in its queue of streams that can send.
    """

    __slots__ = ("_chunks", "id", "is_ended", "is_queued", "size", "trailers")

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.size = 0
        self.is_ended = False
        self.is_queued = False
        self.trailers: list[Header] | None = None
        self._chunks: deque[bytes | memoryview] = deque()

    def add(self, message: bytes, is_compressed: bool = False) -> None:
        """Add a message, with its prefix."""
        head = prefix(len(message), is_compressed)
        if len(message) <= _JOINED:
            self._chunks.append(head + message)
        else:
            view = memoryview(message)
            self._chunks.append(head + view[:_JOINED])
            self._chunks.append(view[_JOINED:])
        self.size += PREFIX + len(message)

    def take(self, most: int) -> bytes | memoryview:
        """Take up to so many bytes: as many small messages as fit, or a part of a large one."""
        chunks = self._chunks
        taken: list[bytes | memoryview] = []
        left = most
        while chunks and left:
            chunk = chunks[0]
            if len(chunk) <= left:
                taken.append(chunks.popleft())
                left -= len(chunk)
            elif taken and len(chunk) > _JOINED:
                break  # the next frame takes a part of it without joining
            else:
                view = memoryview(chunk)
                taken.append(view[:left])
                chunks[0] = view[left:]
                left = 0
        self.size -= most - left
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def clear(self) -> None:
        """Drop what waits."""
        self._chunks.clear()
        self.size = 0
