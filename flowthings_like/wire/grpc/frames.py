"""Looks at HTTP/2 frames before h2 parses them: bounds that h2 does not have, and GOAWAY.

h2 checks the length of a frame only when all of it has come, holds 64 frames of a header block whatever their
size, and counts no resets. It also ends a connection with the first GOAWAY, where HTTP/2 lets the calls in
flight finish. So GOAWAY frames are taken out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .limits import Http2Limits

__all__ = ["FRAME_HEADER", "PREFACE", "FrameKind", "FrameScreen", "GoAway", "ProtocolViolation"]

FRAME_HEADER = 9
"""Bytes of a frame's header."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_END_HEADERS = 0x4
_MAX_GOAWAY = 16 << 10  # bytes; it may carry a text


class FrameKind(IntEnum):
    """The kinds of frames in HTTP/2."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ProtocolViolation(Exception):
    """The other end violates HTTP/2 or our bounds. The connection cannot be used any more.

    Attributes:
        error_code: HTTP/2's code for it.
    """

    def __init__(self, message: str, error_code: int = 1) -> None:
        super().__init__(message)
        self.error_code = error_code


@dataclass(frozen=True)
class GoAway:
    """The other end begins no more calls on this connection.

    Attributes:
        last_stream_id: the last call that it has begun, or may have begun.
        error_code: why; 0 if it shuts down in an orderly way.
        text: what it says about it.
    """

    last_stream_id: int
    error_code: int
    text: bytes


class FrameScreen:
    """Cuts what comes on one connection into pieces for h2, and checks them.

    Args:
        limits: what a frame and a header block may have, and how many frames may come in a second.
        expects_preface: whether this is the server's end, to which the client's preface comes first.

    Attributes:
        is_incomplete: whether a frame or a header block has begun and not ended.
    """

    def __init__(self, limits: Http2Limits, *, expects_preface: bool = False) -> None:
        self._limits = limits
        self._preface = PREFACE if expects_preface else b""
        self._held = b""  # an incomplete frame
        self._has_begun = expects_preface
        self._in_headers = False
        self._block = 0  # bytes of the current header block
        self._second = 0
        self._counts: dict[int, int] = {}

    @property
    def is_incomplete(self) -> bool:
        return bool(self._held or self._in_headers or self._preface)

    def feed(self, data: bytes, now: float) -> list[bytes | GoAway]:
        """Look at the next bytes.

        Args:
            data: what has come.
            now: a clock in seconds.

        Returns:
            What to give to h2, in pieces of whole frames that it parses within milliseconds each, and GOAWAY
            frames.

        Raises:
            ProtocolViolation: a bound is exceeded, or it is not HTTP/2.
        """
        pieces: list[bytes | GoAway] = []
        data = self._check_preface(data, pieces)
        self._check_http1(data)
        if self._held:
            data, self._held = self._held + data, b""
        if int(now) != self._second:
            self._second = int(now)
            self._counts.clear()
        size, most = len(data), self._limits.frames_in_a_piece
        start = position = frames = 0
        while position + FRAME_HEADER <= size:
            length = int.from_bytes(data[position : position + 3], "big")
            kind = data[position + 3]
            self._check_length(kind, length)
            following = position + FRAME_HEADER + length
            if following > size:
                break
            self._check(kind, length, data[position + 4])
            frames += 1
            if kind == FrameKind.GOAWAY or frames == most:
                end = position if kind == FrameKind.GOAWAY else following
                if end > start:
                    pieces.append(data[start:end])
                if kind == FrameKind.GOAWAY:
                    pieces.append(_parse_goaway(data[position + FRAME_HEADER : following]))
                start, frames = following, 0
            position = following
        if position > start:
            pieces.append(data[start:position] if start or position < size else data)
        self._held = data[position:]
        return pieces

    def _check_http1(self, data: bytes) -> None:
        if not self._has_begun and data:
            self._has_begun = True
            if data.startswith(b"HTTP/1."):
                raise ProtocolViolation("the server answers in HTTP/1.x, so it is no gRPC server")

    def _check_preface(self, data: bytes, pieces: list[bytes | GoAway]) -> bytes:
        if not self._preface:
            return data
        start, rest = data[: len(self._preface)], data[len(self._preface) :]
        if not self._preface.startswith(start):
            raise ProtocolViolation("the connection does not begin with HTTP/2's preface")
        self._preface = self._preface[len(start) :]
        if start:
            pieces.append(start)
        return rest

    def _check_length(self, kind: int, length: int) -> None:
        most = _MAX_GOAWAY if kind == FrameKind.GOAWAY else self._limits.frame_bytes
        if length > most:
            raise ProtocolViolation(f"a frame of {length} bytes, and {most} are allowed", error_code=6)

    def _check(self, kind: int, length: int, flags: int) -> None:
        limits = self._limits
        if kind in (FrameKind.HEADERS, FrameKind.CONTINUATION, FrameKind.PUSH_PROMISE):
            self._block = length + (self._block if kind == FrameKind.CONTINUATION else 0)
            if self._block > limits.header_bytes:
                raise ProtocolViolation(f"headers of more than {limits.header_bytes} bytes", error_code=11)
            self._in_headers = not flags & _END_HEADERS
        if kind == FrameKind.DATA and length > 0:
            return
        most = limits.frames_a_second.get(kind, limits.other_frames_a_second)
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count > most:
            raise ProtocolViolation(f"more than {most} {_name(kind)} frames in a second", error_code=11)


def _name(kind: int) -> str:
    try:
        return "empty DATA" if kind == FrameKind.DATA else FrameKind(kind).name
    except ValueError:
        return "unknown"


def _parse_goaway(payload: bytes) -> GoAway:
    if len(payload) < 8:
        raise ProtocolViolation("a GOAWAY of less than 8 bytes", error_code=6)
    last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
    return GoAway(last, int.from_bytes(payload[4:8], "big"), payload[8:])
