"""Damaged streams: the parser ends, and keeps no more bytes than its bound."""

from __future__ import annotations

import random
import time
import tracemalloc
from itertools import pairwise

import pytest

from flowthings_like.wire.things.header import HEADER, ProtocolError
from flowthings_like.wire.things.packages import EVENT_ID, Kind, PackageParser, package
from flowthings_like.wire.things.values import UnpackError, pack, unpack

SEED = 12_969_780
MAX_BODY = 4096
LONGEST_STREAM = 8
SLOWEST = 5.0
"""Seconds for one stream of some KiB: far more than a busy machine makes of microseconds, far less than an
endless loop takes."""

BODIES = [
    b"",
    pack(None),
    pack(2),
    pack("hello"),
    pack([{"#": 1, "name": "Iris", "tags": ["a", "b"], "weight": 1.5}] * 3),
    pack({"scope": "@collection:stuff", "id": 12, "event": "msg", "args": ["hi", {"n": [1, 2, {}]}]}),
    pack({"error_code": -54, "error_msg": "variable `x` is undefined"}),
    pack({"a" * 40: b"\x00\xff" * 30, "b": 2**62, "c": -(2**63), "d": [None, True, False]}),
    bytes(MAX_BODY - 5),
]


def tampered(chance: random.Random) -> bytes:
    """A stream of a few packages in which some bytes were changed, lost, repeated, moved or added."""
    stream = bytearray()
    for _ in range(chance.randrange(1, LONGEST_STREAM)):
        kind = chance.choice(list(Kind)) if chance.random() < 0.9 else chance.randrange(256)
        id = EVENT_ID if chance.random() < 0.2 else chance.randrange(65_536)
        body = bytearray(chance.choice(BODIES))
        if body and chance.random() < 0.7:  # within the body, so that the stream goes on
            body[chance.randrange(len(body))] = chance.randrange(256)
        stream += package(kind, id, body)
    if chance.random() < 0.5:
        where = chance.randrange(len(stream))
        piece = slice(where, where + chance.randrange(1, 12))
        match chance.randrange(4):
            case 0:
                del stream[piece]
            case 1:
                stream[where:where] = stream[piece]
            case 2:
                stream[piece] = chance.randbytes(chance.randrange(1, 12))
            case _:
                del stream[where:]
    return bytes(stream)


def receive(stream: bytes, cuts: list[int]) -> tuple[list[object], bool]:
    """Parse a stream that comes in pieces. Returns the packages, and whether there was no error."""
    parser = PackageParser(max_body=MAX_BODY)
    read: list[object] = []
    for start, stop in pairwise([0, *cuts, len(stream)]):
        try:
            packages = parser.feed(stream[start:stop])
        except ProtocolError:
            assert parser.buffered == 0
            return read, False
        assert parser.buffered < MAX_BODY
        for each in packages:
            assert len(each.body) <= MAX_BODY
            try:
                read.append((each.kind, each.id, repr(unpack(each.body))))
            except UnpackError:
                read.append((each.kind, each.id, each.body))
    return read, True


def fuzz(streams: int, seed: int) -> tuple[int, int]:
    """Parse so many streams. Returns how many packages there were, and how many streams had errors."""
    chance = random.Random(seed)
    came = broke = 0
    for _ in range(streams):
        stream = tampered(chance)
        cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
        started = time.monotonic()
        read, whole = receive(stream, cuts)
        took = time.monotonic() - started
        assert took < SLOWEST, f"{took:.1f} s for {stream.hex()} cut at {cuts}"
        came += len(read)
        broke += not whole
    return came, broke


def test_twenty_thousand_packages() -> None:
    fuzz(100, SEED)  # what is made once, at first use
    tracemalloc.start()
    try:
        came, broke = fuzz(1000, SEED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * LONGEST_STREAM * (MAX_BODY + HEADER)
    more, rest = fuzz(7500, SEED + 1)
    assert came + more > 20_000
    assert broke + rest > 500


@pytest.mark.exhaustive
@pytest.mark.once
def test_a_million_packages() -> None:
    came, broke = fuzz(400_000, SEED + 2)
    assert came > 1_000_000
    assert broke > 30_000


def test_pieces_change_nothing_but_when_it_breaks() -> None:
    chance = random.Random(SEED)
    for _ in range(500):
        stream = tampered(chance)
        at_once, whole = receive(stream, [])
        in_pieces, still_whole = receive(stream, list(range(1, len(stream)) if len(stream) < 600 else []))
        assert still_whole == whole
        assert in_pieces == at_once or (not whole and in_pieces[: len(at_once)] == at_once)
