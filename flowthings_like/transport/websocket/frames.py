"""Parses WebSocket frames, and writes them. There is no I/O here.

websocket-client encodes and decodes the frames. Its frame reader waits for bytes. Here it is given those that
have come, and is called again when there are more: so a hub can do the reading.

The fragments of a message are joined here. websocket-client would copy the message for each of its fragments,
and a ThingsDB node sends 20 MiB in 14 thousand fragments.
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
"""Bytes that a fragment must have on average: shorter ones take more memory than they carry. A node sends
1,447 in each."""


class Kind(IntEnum):
    """The kind of a message: text, bytes or a control frame."""

    TEXT = ABNF.OPCODE_TEXT
    BINARY = ABNF.OPCODE_BINARY
    CLOSE = ABNF.OPCODE_CLOSE
    PING = ABNF.OPCODE_PING
    PONG = ABNF.OPCODE_PONG


_WHOLE = {0x80 | Kind.TEXT: Kind.TEXT, 0x80 | Kind.BINARY: Kind.BINARY}
"""By the first byte of a frame: the kind of a message in one frame."""

_REPEATED = 4096  # bytes at most of the beginning of a message that are looked at again when more have come
_TWO_BYTES = 126  # in place of a length: it is in the two bytes that follow


class Message(NamedTuple):
    """A whole message, or a control frame."""

    kind: Kind
    data: bytes

    @property
    def is_control(self) -> bool:
        """Whether it is a control frame: CLOSE, PING or PONG."""
        return self.kind >= Kind.CLOSE


def frame(kind: Kind, data: bytes | memoryview) -> bytes:
    """Encode a message as one frame. It is masked, as clients have to do."""
    return bytes(ABNF.create_frame(bytes(data), kind).format())


class MessageParser:
    """Parses messages from bytes that come in pieces of any size.

    Args:
        most: bytes of a message, at most, in any number of frames. A frame that would exceed that is refused
            when its header has come.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames = _FrameReader(self._check)
        self._kind = Kind.TEXT  # of the message that has begun
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes, in their order. The rest is kept for the next call.

        Raises:
            ConnectionError: the bytes violate the protocol, or a message is too long.
        """
        frames = self._frames
        frames.buffered += data
        messages: list[Message] = []
        try:
            while self._parts or frames.header is not None or not self._feed_whole(messages):
                found = frames.recv_frame()
                message = self._add(found.fin, found.opcode, cast("bytes", found.data))
                if message is not None:
                    messages.append(message)
            return messages
        except _IncompleteError:
            return messages
        except websocket.WebSocketException as error:
            raise ConnectionError(f"what came is no WebSocket: {error}") from None

    def _feed_whole(self, messages: list[Message]) -> bool:
        """Parse the short messages at the beginning of what is buffered that have one frame each.

        There may be a hundred thousand of them in a second. Here each costs a fifth of what it costs below.

        Returns:
            Whether nothing else can be parsed now: the rest is the beginning of another such message.
        """
        data = self._frames.buffered
        at, size = 0, len(data)
        waits = False
        while at + 4 <= size:
            kind = _WHOLE.get(data[at])
            length = data[at + 1]
            start = at + 2
            if length == _TWO_BYTES:
                length = data[at + 2] << 8 | data[at + 3]
                start = at + 4
            end = start + length
            if kind is None or length > self._most or data[at + 1] > _TWO_BYTES:  # longer, or masked
                break
            if end > size:
                waits = size - at < _REPEATED
                break
            messages.append(Message(kind, bytes(data[start:end])))
            at = end
        del data[:at]
        return waits or not data

    def _add(self, is_last: int, opcode: int, data: bytes) -> Message | None:
        """Add the next frame. Returns the message if that was its last frame."""
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
        """Raise if a frame is not allowed, as soon as its header has come."""
        if opcode >= ABNF.OPCODE_CLOSE:
            if size > LONGEST_CONTROL or not is_last:
                raise ConnectionError("what came is no WebSocket: a control frame that is long, or in parts")
            return
        if (opcode == ABNF.OPCODE_CONT) != bool(self._parts):
            raise ConnectionError("what came is no WebSocket: fragments out of their order")
        if self._size + size > self._most or len(self._parts) > self._most // _FRAGMENT + 1024:
            raise ConnectionError(f"a message of more than {self._most} bytes, where no more are taken")


class _IncompleteError(Exception):
    """Raised if the rest of a frame has not come yet."""


class _FrameReader(frame_buffer):
    """websocket-client's frame reader on top of a buffer. An exception does not make it forget which parts of
    a frame it has read, so it can be called again when more has come.

    Args:
        check: called for each header: whether the frame is the last of its message, its opcode, its size.

    Attributes:
        buffered: bytes that have come and were not read.
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
