"""Damaged streams: each is read or refused, the same in whatever pieces it comes, and without much memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import pytest

from flowthings_like.wire.tstorage.get_reader import GetReader
from flowthings_like.wire.tstorage.layout import Form
from flowthings_like.wire.tstorage.outcome import Completed, Failed, Malformed
from flowthings_like.wire.tstorage.record import FIELDS, Key
from flowthings_like.wire.tstorage.replies import ERROR, FAILED_END, ReplyReader, acq_reply, put_reply
from flowthings_like.wire.tstorage.requests import (
    PutBegun,
    PutDone,
    PutPiece,
    RequestReader,
    acq_request,
    get_request,
)
from tests.wire.tstorage.reference import Raw, encode_put, encode_reply, without_numpy

pytestmark = pytest.mark.once

SEED = 8_034_579
MAX_PAYLOAD = 600
SLOWEST = 5.0
"""Seconds for a stream of some KiB: far more than a busy machine needs, far less than an endless loop."""
NUMBERS = (-(2**31), -4, -1, 0, 1, 19, 20, 24, 28, 31, 32, 33, 40, 2**15, 2**31 - 1)
"""What stands in the place of a size or a cid in some streams."""

Read = tuple[list[Any], str]


def key(chance: random.Random) -> Key:
    numbers = (
        chance.choice((0, 1, highest, chance.randint(*limits)))
        for limits in FIELDS.values()
        for highest in limits[1:]
    )
    return Key(*numbers)


def some_records(chance: random.Random) -> list[Raw]:
    records: list[Raw] = []
    for _ in range(chance.randrange(4)):
        size = chance.choice((0, 1, 4, 8, 8, 8, 100))
        first = key(chance)._replace(cid=chance.choice((0, 3, 2**31 - 1)))
        records += [(first, chance.randbytes(size))] * chance.choice((1, 2, 3, 70))
    return records


def requests(chance: random.Random) -> bytes:
    """A few requests of a client."""
    stream = b""
    for _ in range(chance.randrange(1, 4)):
        match chance.randrange(4):
            case 0:
                stream += get_request(key(chance), key(chance))
            case 1:
                stream += acq_request(key(chance), key(chance))
            case number:
                stream += encode_put(Form.PUT if number == 2 else Form.PUTA, some_records(chance))
    return stream


def reply_to_get(chance: random.Random) -> bytes:
    """The reply to a GET, which may have failed."""
    stream = encode_reply(some_records(chance))
    match chance.randrange(6):
        case 0:
            return ERROR
        case 1:
            return stream[:-24] + FAILED_END
    return stream


def damaged(stream: bytes, chance: random.Random) -> bytes:
    """A stream in which some bytes were changed, lost, repeated or added."""
    spoilt = bytearray(stream)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 4))):
        where = chance.randrange(len(spoilt) + 1)
        piece = slice(where, where + chance.choice((1, 4, 8, 12, 32, 44)))
        match chance.randrange(6):
            case 0:
                del spoilt[piece]
            case 1:
                spoilt[where:where] = spoilt[piece]
            case 2:
                spoilt[piece] = chance.randbytes(chance.randrange(1, 24))
            case 3 if spoilt:
                spoilt[where % len(spoilt)] = chance.randrange(256)
            case 4:
                spoilt[where : where + 4] = struct.pack("<i", chance.choice(NUMBERS))
            case _:
                del spoilt[where:]
    return bytes(spoilt)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    return [stream[start:stop] for start, stop in pairwise([0, *cuts, len(stream)])]


def read_requests(stream: bytes, cuts: list[int]) -> Read:
    """What a server reads: its events, with the records of a put one by one."""
    reader = RequestReader(MAX_PAYLOAD)
    found: list[Any] = []
    form = None
    for piece in pieces(stream, cuts):
        for event in reader.feed(piece):
            match event:
                case PutPiece(block):
                    assert block.form is form
                    assert len(block)
                    keys, payloads = block.keys(), block.payloads()
                    assert all(key.cid >= 0 for key in keys)
                    assert all(len(payload) <= MAX_PAYLOAD for payload in payloads)
                    found += zip(keys, payloads, strict=True)
                    continue
                case PutBegun(form):
                    pass
                case PutDone():
                    form = None
                case Malformed():
                    assert reader.buffered == 0
            found.append(event)
        assert reader.buffered < MAX_PAYLOAD + 200
    return found, type(found[-1]).__name__ if found else "nothing"


def read_reply(stream: bytes, cuts: list[int]) -> Read:
    """What a client reads: the records, and how the reply has ended."""
    reader = GetReader(MAX_PAYLOAD)
    found: list[Any] = []
    for piece in pieces(stream, cuts):
        reader.feed(piece)
        assert reader.pending_record <= MAX_PAYLOAD + 36
        block = reader.take()
        assert len(reader) == 0
        found += zip(block.keys(), block.payloads(), strict=True)
    assert all(key.cid >= 0 and len(payload) <= MAX_PAYLOAD for key, payload in found)
    assert reader.received == len(stream)
    found += [reader.outcome, reader.excess if isinstance(reader.outcome, Completed) else 0]
    return found, type(reader.outcome).__name__


def read_short_reply(stream: bytes, cuts: list[int]) -> Read:
    """What a client reads of a reply without records."""
    found: list[Any] = []
    for reader in (ReplyReader.for_acq(), ReplyReader.for_put()):
        for piece in pieces(stream, cuts):
            reader.feed(piece)
        found.append(reader.outcome)
        assert reader.outcome is None or isinstance(reader.outcome, Completed | Failed | Malformed)
    return found, type(found[0]).__name__


READERS: list[tuple[Callable[[random.Random], bytes], Callable[[bytes, list[int]], Read]]] = [
    (requests, read_requests),
    (reply_to_get, read_reply),
    (lambda chance: chance.choice((acq_reply(5), put_reply(5, 6), ERROR)), read_short_reply),
]


def fuzz(streams: int, seed: int) -> Counter[str]:
    """Read so many streams, each at once and in pieces. Returns how they ended."""
    chance = random.Random(seed)
    ends: Counter[str] = Counter()
    for number in range(streams):
        make, read = chance.choices(READERS, (5, 5, 1))[0]
        stream = damaged(make(chance), chance)
        cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(1, 6)))
        started = time.monotonic()
        with without_numpy() if number % 8 == 0 else nullcontext():
            at_once, end = read(stream, [])
        in_pieces, _ = read(stream, cuts)
        took = time.monotonic() - started
        assert took < SLOWEST, f"{took:.1f} s for {stream.hex()} cut at {cuts}"
        assert in_pieces == at_once, f"{stream.hex()} cut at {cuts}"
        ends[end] += 1
    return ends


def test_damaged_streams() -> None:
    fuzz(100, SEED)  # what is made once, at first use
    tracemalloc.start()
    try:
        fuzz(500, SEED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    ends = fuzz(4000, SEED + 1)
    assert min(ends[end] for end in ("Completed", "Failed", "Malformed", "PutDone", "NoneType")) > 50


@pytest.mark.long
def test_a_million_damaged_streams() -> None:
    ends = fuzz(1_000_000, SEED + 2)
    assert ends["Malformed"] > 100_000


def test_a_stream_that_comes_byte_by_byte() -> None:
    chance = random.Random(SEED + 3)
    for _ in range(200):
        make, read = chance.choice(READERS)
        stream = damaged(make(chance), chance)
        if len(stream) < 600:
            assert read(stream, list(range(1, len(stream)))) == read(stream, [])
