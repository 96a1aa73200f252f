"""What is refused before h2 sees it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.grpc.frames import PREFACE, FrameScreen, GoAway, ProtocolViolation
from flowthings_like.wire.grpc.limits import server_limits

LIMITS = server_limits(1 << 16, 1000, 10)


def data(size: int) -> bytes:
    return DataFrame(1, b"x" * size).serialize()


def headers(size: int, *, end: bool) -> bytes:
    return HeadersFrame(1, b"x" * size, flags=["END_HEADERS"] if end else []).serialize()


GOAWAY = GoAwayFrame(0, last_stream_id=7, error_code=2, additional_data=b"bye").serialize()


FRAMES = [data(0), data(300), GOAWAY, headers(9, end=True)]


@given(st.lists(st.sampled_from(FRAMES)), st.lists(st.integers(0, 999)))
def test_everything_but_goaway_passes_in_order(frames: list[bytes], cuts: list[int]) -> None:
    screen = FrameScreen(replace(LIMITS, frames_in_a_piece=3))
    stream = b"".join(frames)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    passed = b""
    found: list[bytes] = []
    for start, stop in pairwise(edges):
        for piece in screen.feed(stream[start:stop], 0.0):
            if isinstance(piece, GoAway):
                assert piece == GoAway(7, 2, b"bye")
                found.append(passed)
            else:
                passed += piece
    assert passed == b"".join(frame for frame in frames if frame != GOAWAY)
    assert len(found) == frames.count(GOAWAY)
    assert not screen.is_incomplete


def test_a_piece_has_a_bounded_number_of_frames() -> None:
    pieces = FrameScreen(LIMITS).feed(data(1) * 1000, 0.0)
    assert [len(piece) // len(data(1)) for piece in pieces if isinstance(piece, bytes)] == [128] * 7 + [104]


def test_a_frame_that_is_too_large_is_refused_by_its_header() -> None:
    header = DataFrame(1, b"").serialize()
    with pytest.raises(ProtocolViolation, match="262145 bytes, and 262144 are allowed"):
        FrameScreen(LIMITS).feed((262_145).to_bytes(3, "big") + header[3:], 0.0)


@pytest.mark.parametrize(
    "frames",
    [
        headers(1001, end=True),
        headers(600, end=False) + ContinuationFrame(1, b"x" * 401).serialize(),
        headers(900, end=False) + ContinuationFrame(1, b"x").serialize() * 101,
    ],
)
def test_headers_are_bounded_over_all_their_frames(frames: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="headers of more than 1000 bytes"):
        FrameScreen(LIMITS).feed(frames, 0.0)


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (RstStreamFrame(1, error_code=8), "1000 RST_STREAM"),
        (SettingsFrame(0), "50 SETTINGS"),
        (PingFrame(0, b"12345678"), "10000 PING"),
        (DataFrame(1, b""), "1000 empty DATA"),
        (ContinuationFrame(1, b""), "1000 CONTINUATION"),
    ],
)
def test_a_flood_is_refused(frame: Frame, name: str) -> None:
    screen = FrameScreen(LIMITS)
    most = int(name.split()[0])
    screen.feed(frame.serialize() * most, 1.0)
    screen.feed(frame.serialize() * most, 2.0)
    with pytest.raises(ProtocolViolation, match=f"more than {name} frames in a second"):
        screen.feed(frame.serialize() * (most + 1), 3.0)


def test_unknown_frames_are_bounded_too() -> None:
    frame = b"\0\0\0\x77\0\0\0\0\0"
    with pytest.raises(ProtocolViolation, match="1000 unknown"):
        FrameScreen(LIMITS).feed(frame * 1001, 0.0)


def test_a_server_expects_the_preface() -> None:
    screen = FrameScreen(LIMITS, expects_preface=True)
    assert screen.is_incomplete
    passed = [piece for byte in PREFACE for piece in screen.feed(bytes([byte]), 0.0)]
    assert b"".join(piece for piece in passed if isinstance(piece, bytes)) == PREFACE
    assert not screen.is_incomplete
    with pytest.raises(ProtocolViolation, match="preface"):
        FrameScreen(LIMITS, expects_preface=True).feed(b"GET / HTTP/1.1\r\n", 0.0)


def test_a_goaway_is_checked() -> None:
    for size in 7, 20_000:
        with pytest.raises(ProtocolViolation, match=r"GOAWAY of less|a frame of 20000 bytes"):
            FrameScreen(LIMITS).feed(size.to_bytes(3, "big") + b"\7\0\0\0\0\0" + bytes(size), 0.0)
