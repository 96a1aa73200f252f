"""Messages on a stream: each has a prefix with its length, and says whether it is compressed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ..content_encoding import BodyTooLargeError, PackingError, Unpacker

__all__ = [
    "ENCODINGS",
    "PREFIX",
    "BrokenMessageError",
    "Message",
    "MessageReader",
    "MessageTooLargeError",
    "compress",
    "inflate",
    "prefix",
]

PREFIX = 5
"""Bytes of the prefix."""

ENCODINGS = (b"gzip", b"deflate", b"identity")
"""The encodings of messages that are understood, as `grpc-accept-encoding` lists them."""

_PREFIX = struct.Struct(">?I")
_PIECE = 1 << 16
_SMALL = 1 << 10


class BrokenMessageError(Exception):
    """What came is no message, or is compressed in a way that was not announced."""


class MessageTooLargeError(Exception):
    """A message has more bytes than its limit."""

    def __init__(self, limit: int, size: int | None = None) -> None:
        super().__init__(limit, size)
        self.limit = limit
        self.size = size

    def __str__(self) -> str:
        if self.size is None:
            return f"the message has more than {self.limit} bytes when it is decompressed"
        return f"the message has {self.size} bytes, and at most {self.limit} are accepted"


def prefix(size: int, is_compressed: bool = False) -> bytes:
    """What stands before a message of so many bytes."""
    return _PREFIX.pack(is_compressed, size)


class Message:
    """A message as it came.

    Attributes:
        pieces: its bytes.
        size: how many they are.
        is_compressed: whether they must be inflated.
    """

    __slots__ = ("is_compressed", "pieces", "size")

    def __init__(self, is_compressed: bool, size: int) -> None:
        self.is_compressed = is_compressed
        self.size = size
        self.pieces: list[bytes | bytearray] = []

    def add(self, piece: bytes) -> None:
        """Add what has come next. Small pieces are joined: as objects they take more memory than as bytes."""
        pieces = self.pieces
        if len(piece) < _SMALL and pieces:
            last = pieces[-1]
            if isinstance(last, bytearray) and len(last) < _PIECE:
                last += piece
            else:
                pieces.append(bytearray(piece))
        else:
            pieces.append(piece)

    def raw(self) -> bytes:
        """Its bytes as they came, in one piece."""
        pieces = self.pieces
        if len(pieces) == 1 and isinstance(pieces[0], bytes):
            return pieces[0]
        return b"".join(pieces)


class MessageReader:
    """Cuts the bytes of a stream into messages.

    Args:
        limit: bytes that a message may have, as it comes.

    Attributes:
        partial: how many bytes of an incomplete message there are, its prefix included.
    """

    __slots__ = ("_head", "_limit", "_message", "_missing", "partial")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = b""  # an incomplete prefix
        self._message: Message | None = None
        self._missing = 0  # bytes
        self.partial = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete.

        Raises:
            MessageTooLargeError: the prefix announces more bytes than `limit`.
            BrokenMessageError: it is no prefix.
        """
        found: list[Message] = []
        position, end = 0, len(data)
        while position < end:
            message = self._message
            if message is None:
                if self._head or end - position < PREFIX:
                    taken = data[position : position + PREFIX - len(self._head)]
                    self._head += taken
                    position += len(taken)
                    if len(self._head) < PREFIX:
                        break
                    message = self._begin(self._head, 0)
                    self._head = b""
                else:
                    message = self._begin(data, position)
                    position += PREFIX
            if self._missing:
                piece = data[position : position + self._missing]
                if not piece:
                    break
                message.add(piece)
                position += len(piece)
                self._missing -= len(piece)
            if not self._missing:
                self._message = None
                found.append(message)
        self._count()
        return found

    def _begin(self, data: bytes, position: int) -> Message:
        if data[position] > 1:
            raise BrokenMessageError(f"a message begins with {data[position]}, which is neither 0 nor 1")
        is_compressed, size = _PREFIX.unpack_from(data, position)
        if size > self._limit:
            raise MessageTooLargeError(self._limit, size)
        self._missing = size
        self._message = message = Message(is_compressed, size)
        return message

    def _count(self) -> None:
        message = self._message
        self.partial = len(self._head) if message is None else PREFIX + message.size - self._missing


def inflate(message: Message, encoding: bytes, limit: int) -> Iterator[bytes]:
    """Decompress a message, in pieces of 64 KiB at most.

    Raises:
        BrokenMessageError: the encoding is not known, or the message is not in it.
        MessageTooLargeError: it has more bytes than `limit`.
    """
    if encoding not in ENCODINGS or encoding == b"identity":
        name = encoding[:20].decode("latin-1") or "identity"
        raise BrokenMessageError(f"a compressed message, with {name} as its encoding")
    unpacker = Unpacker(encoding.decode(), limit)
    try:
        for piece in message.pieces:
            for start in range(0, len(piece), _PIECE):
                yield from unpacker.feed(bytes(piece[start : start + _PIECE]))
        unpacker.finish()
    except PackingError as error:
        raise BrokenMessageError(str(error)) from None
    except BodyTooLargeError as error:
        raise MessageTooLargeError(error.limit) from None


def compress(message: bytes) -> Iterator[bytes]:
    """Compress a message by gzip, in pieces."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    view = memoryview(message)
    for start in range(0, len(view), _PIECE):
        yield packer.compress(view[start : start + _PIECE])
    yield packer.flush()
