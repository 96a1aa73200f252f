"""WebSocket frames: bytes to messages and messages to bytes. No socket, no waiting.

websocket-client takes the frames apart and puts them together. Its reader of frames asks for bytes and waits
for them; here it is given what has come and asked again when more is there, so a hub can do the reading.
Messages are put together here: websocket-client would copy what it has for each of the fragments that a node
cuts its answers into, 14 thousand of them for 20 MiB.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, cast

import websocket
from websocket import ABNF, frame_buffer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Kind", "Message", "MessageParser", "frame"]

LONGEST_CONTROL = 125
"""Bytes that a control frame may carry."""

_FRAGMENT = 64
"""A message may have one fragment for so many of the bytes it may have. A node sends 1,447 in each."""


class Kind(IntEnum):
    """What a message is: text, bytes, or one of the control frames."""

    TEXT = ABNF.OPCODE_TEXT
    BINARY = ABNF.OPCODE_BINARY
    CLOSE = ABNF.OPCODE_CLOSE
    PING = ABNF.OPCODE_PING
    PONG = ABNF.OPCODE_PONG


class Message(NamedTuple):
    """A whole message, or a control frame, as it came."""

    kind: Kind
    data: bytes

    @property
    def is_control(self) -> bool:
        """Whether it is about the connection, and not something that was said."""
        return self.kind >= Kind.CLOSE


def frame(kind: Kind, data: bytes | memoryview) -> bytes:
    """The bytes of a message in one frame, masked, as clients have to."""
    return bytes(ABNF.create_frame(bytes(data), kind).format())


class MessageParser:
    """Takes what a connection brings, in pieces of any size, and gives the messages in it.

    Args:
        most: bytes of a message, at most, in however many frames. More is refused at the header that promises
            it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames = _FrameReader(self._check)
        self._kind = Kind.TEXT  # of the message that has begun
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes, in their order; what is left over waits for the next call.

        Raises:
            ConnectionError: what came is no WebSocket, or more than is allowed. The connection is lost.
        """
        self._frames.buffered += data
        messages: list[Message] = []
        try:
            while True:
                found = self._frames.recv_frame()
                message = self._add(found.fin, found.opcode, cast("bytes", found.data))
                if message is not None:
                    messages.append(message)
        except _IncompleteError:
            return messages
        except websocket.WebSocketException as error:
            raise ConnectionError(f"what came is no WebSocket: {error}") from None

    def _add(self, is_last: int, opcode: int, data: bytes) -> Message | None:
        """Take the next frame. The message, if that was the last of it."""
        if opcode >= Kind.CLOSE:
            return Message(Kind(opcode), data)
        parts = self._parts
        if opcode != ABNF.OPCODE_CONT:
            self._kind = Kind(opcode)
        parts.append(data)
        self._size += len(data)
        if not is_last:
            return None
        self._parts, self._size = [], 0
        return Message(self._kind, parts[0] if len(parts) == 1 else b"".join(parts))

    def _check(self, is_last: int, opcode: int, size: int) -> None:
        """Refuse a frame by its header, before any more of it is taken."""
        if opcode >= ABNF.OPCODE_CLOSE:
            if size > LONGEST_CONTROL or not is_last:
                raise ConnectionError("what came is no WebSocket: a control frame that is long, or in parts")
            return
        if (opcode == ABNF.OPCODE_CONT) != bool(self._parts):
            raise ConnectionError("what came is no WebSocket: fragments out of their order")
        if self._size + size > self._most or len(self._parts) > self._most // _FRAGMENT + 1024:
            raise ConnectionError(f"a message of more than {self._most} bytes, where no more are taken")


class _IncompleteError(Exception):
    """The rest of the frame has not come yet."""


class _FrameReader(frame_buffer):
    """websocket-client's reader of frames. It keeps what it has read of a frame when it is interrupted by an
    exception, and goes on from there when it is called again.

    Args:
        check: called with each header: whether it is the last frame of its message, opcode, size.

    Attributes:
        buffered: what has come and was not read.
    """

    def __init__(self, check: Callable[[int, int, int], object]) -> None:
        super().__init__(_never, True)
        self._check = check
        self.buffered = bytearray()

    def recv_strict(self, bufsize: int) -> bytes:
        if len(self.buffered) < bufsize:
            raise _IncompleteError
        with memoryview(self.buffered) as view:
            taken = bytes(view[:bufsize])
        del self.buffered[:bufsize]
        return taken

    def recv_length(self) -> None:
        super().recv_length()
        header, length = self.header, self.length
        if header is not None and length is not None:
            is_last, *_, opcode, _, _ = header
            self._check(is_last, opcode, length)


def _never(size: int) -> bytes:
    raise NotImplementedError
