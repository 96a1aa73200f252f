"""Damaged messages: each is decoded or refused, soon, and without much memory."""

from __future__ import annotations

import random
import time
import tracemalloc

import numpy as np
import pytest

from flowthings_like.errors import InvalidResponse
from flowthings_like.wire.btrdb import status, v4api, v5api
from flowthings_like.wire.btrdb.errors import BTrDBError
from flowthings_like.wire.btrdb.points import StatColumns, decode_raw, decode_stat, encode_raw, encode_stat

pytestmark = pytest.mark.once

SEED = 2_967_536
SLOWEST = 5.0
"""Seconds for a thousand messages of a few hundred bytes: far more than a busy machine needs."""

MOST_MEMORY = 64
"""Bytes held for a byte of a message: 6 arrays for a point without members, and lists on the way."""


def messages() -> list[bytes]:
    times, values = np.arange(1, 30), np.linspace(-2, 2, 29)
    stats = StatColumns(times, values, values, values, times.astype("u8"), values)
    sparse = v5api.RawValuesResponse(versionMajor=20)
    for number in range(40):
        sparse.values.add(time=number % 3, value=number % 2)
    descriptor = v5api.StreamDescriptor(
        uuid=b"u" * 16,
        collection="sensors/jfk",
        tags=[v5api.KeyOptValue(key="name", val=v5api.OptValue(value="temp"))],
    )
    return [
        b"",
        encode_raw(times, values, 4),
        v5api.RawValuesResponse(versionMajor=7).SerializeToString() + encode_raw(times, values, 4),
        encode_stat(stats),
        sparse.SerializeToString(),
        v5api.LookupStreamsResponse(results=[descriptor] * 3).SerializeToString(),
        v5api.NearestResponse(stat=v5api.Status(code=401, msg="no such point")).SerializeToString(),
        v5api.SQLQueryResponse(SQLQueryRow=[b'{"count": 1}'] * 4).SerializeToString(),
    ]


MESSAGES = messages()
CLASSES = (
    *(v5api.RawValuesResponse, v5api.WindowsResponse, v5api.LookupStreamsResponse, v5api.InfoResponse),
    *(v5api.SQLQueryResponse, v5api.NearestResponse, v4api.LookupStreamsResponse, v4api.StreamInfoResponse),
)


def damaged(chance: random.Random) -> bytes:
    """A message in which some bytes were changed, lost, repeated or added."""
    message = bytearray(chance.choice(MESSAGES))
    for _ in range(chance.randrange(1, 6)):
        where = chance.randrange(len(message) + 1)
        piece = slice(where, where + chance.randrange(1, 24))
        match chance.randrange(5):
            case 0:
                del message[piece]
            case 1:
                message[where:where] = message[piece]
            case 2:
                message[piece] = chance.randbytes(chance.randrange(1, 24))
            case 3 if message:
                message[where % len(message)] = chance.randrange(256)
            case _:
                del message[where:]
    return bytes(message)


def decode(message: bytes) -> int:
    """Read a message in every way. Returns how many of them refused it."""
    refused = 0
    for split in (decode_raw, decode_stat):
        try:
            rest, columns = split(message)
            assert len(rest) + 2 * len(columns) <= len(message)
        except InvalidResponse:
            refused += 1
    for cls in CLASSES:
        try:
            status.read(cls, message)
        except (InvalidResponse, BTrDBError):
            refused += 1
    return refused


def check(count: int, seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    for _ in range(count // 1000):
        began = time.monotonic()
        refused += sum(decode(damaged(chance)) for _ in range(1000))
        assert time.monotonic() - began < SLOWEST
    assert 0 < refused < count * (len(CLASSES) + 2)


def test_damaged_messages() -> None:
    check(5_000, SEED)


@pytest.mark.long
def test_a_million_damaged_messages() -> None:
    check(1_000_000, SEED + 1)


def test_raw_and_statistical_points_agree_with_protobuf() -> None:
    chance = random.Random(SEED + 2)
    for _ in range(5_000):
        message = damaged(chance)
        try:
            expected = v5api.RawValuesResponse.FromString(message)
        except Exception:
            continue
        try:
            _, columns = decode_raw(message)
        except InvalidResponse:
            continue  # groups, which nobody has sent for years
        assert columns.times.tolist() == [point.time for point in expected.values]
        assert repr(columns.values.tolist()) == repr([point.value for point in expected.values])


def test_memory_is_bounded_by_the_message() -> None:
    for message in (b"\x22\x00" * 200_000, b"\x22\x00\x22\x02\x18\x01" * 70_000):
        tracemalloc.start()
        try:
            decode_stat(message)
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY * len(message)
        finally:
            tracemalloc.stop()
