"""The bounds of one HTTP/2 connection: windows, frames, headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CLIENT_LIMITS", "Http2Limits", "server_limits"]

# Kinds of frames, see `FrameKind`, that are counted by their own bounds.
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9


@dataclass(frozen=True)
class Http2Limits:
    """What the other end may send.

    Attributes:
        stream_window: bytes that it may send on a stream before they are consumed.
        connection_window: bytes that it may send on all streams before we acknowledge them.
        frame_bytes: bytes of one frame.
        header_bytes: bytes of one header block, before and after decompression.
        streams: calls that it may have in flight.
        frames_in_a_piece: frames that are parsed before other threads may run.
        frames_a_second: how many of each kind may come in a second. DATA counts only if it is empty.
        other_frames_a_second: the same for the other kinds.
    """

    stream_window: int
    connection_window: int
    frame_bytes: int
    header_bytes: int
    streams: int
    frames_a_second: Mapping[int, int] = field(default_factory=dict)
    other_frames_a_second: int = 1000
    frames_in_a_piece: int = 128


UNBOUNDED = 1 << 30

CLIENT_LIMITS = Http2Limits(
    stream_window=1 << 20,
    connection_window=32 << 20,
    frame_bytes=256 << 10,
    header_bytes=64 << 10,
    streams=100,  # of a server's own, which it may not begin; h2 counts late frames of closed calls as such
    frames_a_second={
        _HEADERS: UNBOUNDED,
        _CONTINUATION: UNBOUNDED,
        _RST_STREAM: UNBOUNDED,
        _WINDOW_UPDATE: UNBOUNDED,
        _PING: 10_000,
        _SETTINGS: 100,
    },
)
"""For connections to servers. A server may end as many calls as it likes; it has not begun them."""


def server_limits(message_window: int, header_bytes: int, streams: int) -> Http2Limits:
    """For connections of clients.

    Args:
        message_window: bytes of a request that may come before they are acknowledged.
        header_bytes: bytes of a call's headers.
        streams: calls in flight on one connection.
    """
    return Http2Limits(
        stream_window=message_window,
        connection_window=16 * message_window,
        frame_bytes=256 << 10,
        header_bytes=header_bytes,
        streams=streams,
        frames_a_second={
            _DATA: 1000,  # empty ones
            _HEADERS: UNBOUNDED,
            _CONTINUATION: 1000,
            # A call that is begun and reset at once costs the server more than the client.
            _RST_STREAM: 1000,
            _SETTINGS: 50,
            _PING: 10_000,  # clients measure the speed of a fast connection with them
            _WINDOW_UPDATE: UNBOUNDED,
        },
    )
