"""Damaged frames: either end goes on or ends the connection, in time, and holds no more than its bounds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from flowthings_like.wire.grpc.client import ClientCall, ClientConnection
from flowthings_like.wire.grpc.frames import PREFACE, FrameScreen, ProtocolViolation
from flowthings_like.wire.grpc.limits import CLIENT_LIMITS, server_limits
from flowthings_like.wire.grpc.messages import PREFIX, prefix
from flowthings_like.wire.grpc.metadata import request_headers
from flowthings_like.wire.grpc.server import CallState, ServerConnection
from flowthings_like.wire.grpc.status import Status

from .pair import Purse

pytestmark = pytest.mark.once

SEED = 2_967_536
LIMIT = 3000
CALLS = 4
SLOWEST = 5.0
"""Seconds for one connection of some KiB: far more than a busy machine makes of milliseconds, far less than
an endless loop takes."""

REQUEST = request_headers(b"/a/B", b"localhost", False, None, [(b"authorization", b"Bearer x")])
ANSWER = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0"), (b"grpc-message", b"fine%20")]
WINDOWS = replace(CLIENT_LIMITS, stream_window=70_000, connection_window=70_000)
SERVER = server_limits(70_000, 4000, CALLS)

Headers = list[tuple[bytes, bytes]]
Received = tuple[int, bool]
"""How many frames were handled, and whether the connection goes on."""


def message(chance: random.Random) -> bytes:
    size = (
        chance.choice([0, 1, 20, 900, LIMIT, LIMIT + 1])
        if chance.random() < 0.9
        else chance.randrange(1 << 32)
    )
    return prefix(size, chance.random() < 0.1) + bytes(min(size, LIMIT + 1))


def noise(chance: random.Random, stream: int) -> Frame:
    """A frame that may come at any time, with fields that may be wrong."""
    where = chance.choice([0, stream, stream, 2, chance.randrange(1 << 31)])
    match chance.randrange(8):
        case 0:
            return WindowUpdateFrame(where, window_increment=chance.choice([1, 100, 1 << 20, (1 << 31) - 1]))
        case 1:
            return PingFrame(0, chance.randbytes(8), flags=chance.choice([[], ["ACK"]]))
        case 2:
            values = chance.choice([0, 1, 100, 16_384, 1 << 20, (1 << 31) - 1, (1 << 32) - 1])
            return SettingsFrame(0, settings={chance.randrange(10): values})
        case 3:
            return RstStreamFrame(where or 1, error_code=chance.randrange(20))
        case 4:
            return PriorityFrame(
                where or 1, depends_on=chance.randrange(9), stream_weight=chance.randrange(256)
            )
        case 5:
            return GoAwayFrame(0, last_stream_id=chance.randrange(9), error_code=chance.randrange(20))
        case 6:
            return ContinuationFrame(where or 1, chance.randbytes(chance.randrange(20)))
        case _:
            return DataFrame(where or 1, chance.randbytes(chance.randrange(30)))


def exchange(
    chance: random.Random, first: list[tuple[bytes, bytes]], last: list[tuple[bytes, bytes]]
) -> list[bytes]:
    """The frames of some calls, as one end sends them, with other frames in between."""
    encoder = Encoder()
    frames: list[Frame] = []
    for stream in range(1, 2 * CALLS, 2):
        block = encoder.encode(first)
        cut = chance.randrange(len(block)) if chance.random() < 0.2 else len(block)
        frames.append(HeadersFrame(stream, block[:cut], flags=["END_HEADERS"] if cut == len(block) else []))
        if cut < len(block):
            frames.append(ContinuationFrame(stream, block[cut:], flags=["END_HEADERS"]))
        for _ in range(chance.randrange(1, 4)):
            body = message(chance)
            at = chance.randrange(len(body) + 1)
            frames += [DataFrame(stream, body[:at]), DataFrame(stream, body[at:])]
            if chance.random() < 0.3:
                frames.append(noise(chance, stream))
        if last:
            frames.append(HeadersFrame(stream, encoder.encode(last), flags=["END_HEADERS", "END_STREAM"]))
        else:
            frames.append(DataFrame(stream, b"", flags=["END_STREAM"]))
    return [frame.serialize() for frame in frames]


def tampered(chance: random.Random, frames: list[bytes]) -> bytes:
    """The frames, some of them changed, lost, repeated, moved or cut."""
    frames = list(frames)
    for _ in range(chance.randrange(4)):
        at, to = chance.randrange(len(frames)), chance.randrange(len(frames))
        match chance.randrange(5):
            case 0 if len(frames) > 1:
                del frames[at]
            case 1:
                frames.insert(to, frames[at])
            case 2:
                frames[at], frames[to] = frames[to], frames[at]
            case _:
                frame = bytearray(frames[at])
                for _ in range(chance.randrange(1, 4)):
                    where = chance.randrange(min(len(frame), 9 if chance.random() < 0.5 else len(frame)))
                    frame[where] = chance.randrange(256)
                frames[at] = bytes(frame)
    return b"".join(frames)


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    cuts = sorted(chance.randrange(len(data)) for _ in range(chance.randrange(6)))
    return [data[start:stop] for start, stop in pairwise([0, *cuts, len(data)])]


def damage_the_server(chance: random.Random) -> Received:
    """What a client sends, damaged, and a server that answers."""
    purse = Purse(50_000)
    screen, server = FrameScreen(SERVER, expects_preface=True), ServerConnection(SERVER, LIMIT, purse)
    frames = exchange(chance, REQUEST, [])
    data = PREFACE + SettingsFrame(0).serialize() + tampered(chance, frames)
    try:
        for part in pieces(chance, data):
            for piece in screen.feed(part, 0.0):
                for call in server.receive(piece, CALLS - len(server)):
                    assert len(server) <= CALLS
                    if call.state is CallState.REQUESTED:
                        assert call.request is not None
                        assert call.request.size <= LIMIT
                        server.send(call, bytes(chance.randrange(2000)))
                        server.finish(call, Status(chance.randrange(3)))
                server.take(1 << 20)
            assert 0 <= purse.free <= 50_000
    except ProtocolViolation:
        return len(frames), False
    finally:
        server.end()
        assert purse.free == 50_000
    return len(frames), True


def damage_the_client(chance: random.Random) -> Received:
    """What a server sends, damaged, and a client that takes messages now and then."""
    screen, client = FrameScreen(WINDOWS), ClientConnection(WINDOWS)
    calls = [ClientCall(REQUEST, bytes(10), LIMIT) for _ in range(CALLS)]
    for call in calls:
        client.begin(call)
    client.take(1 << 20)
    cancelled: set[int] = set()
    frames = exchange(chance, ANSWER, TRAILERS)
    data = SettingsFrame(0).serialize() + tampered(chance, frames)
    try:
        for part in pieces(chance, data):
            for piece in screen.feed(part, 0.0):
                for call in client.receive(piece):
                    assert all(message.size <= LIMIT for message in call.messages)
                    while call.messages and chance.random() < 0.5:
                        call.consumed += PREFIX + call.messages.popleft().size
                    client.grant(call)
                if chance.random() < 0.1:
                    call = chance.choice(calls)
                    cancelled.add(call.id)
                    client.cancel(call)
                client.take(1 << 20)
    except ProtocolViolation:
        return len(frames), False
    ended = [call for call in calls if call not in client.calls() and call.id not in cancelled]
    assert all(call.status is not None for call in ended)
    return len(frames), True


def run(damage: Callable[[random.Random], Received], frames: int, seed: int) -> None:
    """Damage connections until so many frames were sent. Some must go on, and some must end."""
    went_on = ended = 0
    number = 0
    while frames > 0:
        number += 1
        chance = random.Random(seed * 1_000_003 + number)
        started = time.monotonic()
        handled, goes_on = damage(chance)
        assert time.monotonic() - started < SLOWEST, f"connection {number} of seed {seed}"
        frames -= handled
        went_on += goes_on
        ended += not goes_on
    assert went_on > 20
    assert ended > 20


@pytest.mark.parametrize("damage", [damage_the_server, damage_the_client], ids=lambda each: each.__name__)
def test_damaged_frames(damage: Callable[[random.Random], Received]) -> None:
    run(damage, 10_000, SEED)


@pytest.mark.long
@pytest.mark.parametrize("damage", [damage_the_server, damage_the_client], ids=lambda each: each.__name__)
def test_a_million_damaged_frames(damage: Callable[[random.Random], Received]) -> None:
    run(damage, 1_000_000, SEED + 1)
