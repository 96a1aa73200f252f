"""The reply to a GET: what a server writes, and what a client reads."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.tstorage.get_reader import GetReader
from flowthings_like.wire.tstorage.layout import MAX_HEADER_DATA, MAX_PAYLOAD, Form, row_dtype
from flowthings_like.wire.tstorage.outcome import Completed, Failed, Malformed
from flowthings_like.wire.tstorage.record import Key
from flowthings_like.wire.tstorage.replies import (
    ACCEPTED,
    ERROR,
    FAILED_END,
    encode_reply_records,
    end_of_records,
)
from flowthings_like.wire.tstorage.status import ResponseStatus
from tests.wire.tstorage.reference import (
    CUTS,
    RECORDS,
    Raw,
    as_columns,
    encode_reply,
    from_columns,
    pieces,
    without_numpy,
)

pytestmark = pytest.mark.once

KEY = Key(1, 2, 3, 4, 5)
EIGHT: list[Raw] = [(KEY._replace(mid=mid), bytes([mid]) * 8) for mid in range(8)]


def read(stream: bytes, cuts: list[int] | None = None, *, take: bool = False) -> tuple[list[Raw], GetReader]:
    """The records of a reply that comes in pieces, and its reader."""
    reader = GetReader()
    records: list[Raw] = []
    for piece in pieces(stream, cuts or []):
        reader.feed(piece)
        if take:
            records += whole(reader)
    return records + whole(reader), reader


def whole(reader: GetReader) -> list[Raw]:
    count = len(reader)
    block = reader.take()
    assert len(block) == count
    assert len(reader) == 0
    return list(zip(block.keys(), block.payloads(), strict=True))


def record(size: int, payload: bytes = b"", key: Key = KEY) -> bytes:
    return struct.pack("<i", size) + key.to_bytes() + payload


@given(RECORDS)
def test_the_replies_bytes(records: list[Raw]) -> None:
    written = ACCEPTED + b"".join(encode_reply_records(as_columns(records))) + end_of_records(15)
    assert written == encode_reply(records)


@given(RECORDS, st.integers(1, 500))
def test_slices_change_nothing(records: list[Raw], slice_size: int) -> None:
    buffers = list(encode_reply_records(as_columns(records), slice_size=slice_size))
    assert b"".join(buffers) == encode_reply(records)[12:-24]
    assert all(len(buffer) <= max(slice_size, 48) for buffer in buffers)


@given(RECORDS, CUTS, st.booleans(), st.booleans())
def test_records_in_any_pieces(records: list[Raw], cuts: list[int], take: bool, has_numpy: bool) -> None:
    with nullcontext() if has_numpy else without_numpy():
        found, reader = read(encode_reply(records), cuts, take=take)
    assert found == records
    assert reader.outcome == Completed(15, 15)
    assert (reader.excess, reader.pending_record) == (0, 0)
    assert reader.received == 36 + sum(36 + len(payload) for _, payload in records)


@given(RECORDS)
def test_records_as_columns(records: list[Raw]) -> None:
    reader = GetReader()
    reader.feed(encode_reply(records))
    block = reader.take()
    sizes = {len(payload) for _, payload in records}
    assert block.payload_size == (sizes.pop() if len(sizes) == 1 else None)
    assert from_columns(block.columns()) == records
    if block.payload_size is None and records:
        with pytest.raises(ValueError, match="payloads of different sizes"):
            block.rows()
    elif records:
        rows = block.rows()
        assert rows["_size"].tolist() == [32 + len(payload) for _, payload in records]
        assert rows["cap"].tolist() == [key.cap for key, _ in records]


@given(RECORDS, st.integers(0, 60), st.integers(0, 60))
def test_a_part_of_a_block(records: list[Raw], start: int, length: int) -> None:
    reader = GetReader()
    reader.feed(encode_reply(records))
    part = reader.take()[start : start + length]
    expected = records[start : start + length]
    assert len(part) == len(expected)
    assert list(zip(part.keys(), part.payloads(), strict=True)) == expected
    assert from_columns(part.columns()) == expected


def test_rows_are_views_with_the_dtype_that_is_asked_for() -> None:
    reader = GetReader()
    reader.feed(encode_reply([(KEY, struct.pack("<d", number)) for number in range(100)]))
    rows = reader.take().rows(np.dtype("<f8"))
    assert rows["payload"].tolist() == list(range(100))
    assert not rows.flags.owndata
    nothing = GetReader().take()
    assert nothing.rows(np.dtype("<f8")).dtype == row_dtype(Form.GET, np.dtype("<f8"))
    assert len(nothing.columns()) == 0


@pytest.mark.parametrize("take", [False, True])
def test_a_reply_cut_at_every_byte(take: bool) -> None:
    stream = encode_reply(EIGHT)
    for cut in range(len(stream)):
        found, reader = read(stream[:cut], take=take)
        count = max(0, min(8, (cut - 12) // 44))
        assert found == EIGHT[:count]
        assert reader.outcome is None
        assert reader.pending_record == (44 if count < 8 and (cut - 12) % 44 >= 4 and cut > 12 else 0)
        reader.feed(stream[cut:])
        assert whole(reader) == EIGHT[count:]
        assert reader.outcome == Completed(15, 15)


def test_a_reply_that_comes_byte_by_byte() -> None:
    stream = encode_reply(EIGHT)
    for take in (False, True):
        found, reader = read(stream, list(range(len(stream))), take=take)
        assert found == EIGHT
        assert reader.outcome == Completed(15, 15)


def test_no_records() -> None:
    found, reader = read(encode_reply([]))
    assert (found, reader.outcome, reader.received) == ([], Completed(15, 15), 36)


def test_a_refusal_before_the_records() -> None:
    found, reader = read(ERROR)
    assert (found, reader.outcome) == ([], Failed(ResponseStatus.BAD_REQUEST, -1))
    for code in (-7, 1, 123):
        assert read(struct.pack("<iQ", code, 0))[1].outcome == Failed(ResponseStatus.BAD_REQUEST, code)


def test_a_failure_after_the_records() -> None:
    stream = encode_reply(EIGHT)[:-24]
    found, reader = read(stream + FAILED_END)
    assert (found, reader.outcome) == (EIGHT, Failed(ResponseStatus.ERROR, -1))
    found, reader = read(stream + bytes(4) + struct.pack("<iQ", -5, 8) + bytes(8))
    assert (found, reader.outcome) == (EIGHT, Failed(ResponseStatus.ERROR, -5))


@pytest.mark.parametrize("size", [-(2**31), -4, -1, *range(1, 32), MAX_PAYLOAD + 33, 2**31 - 1])
@pytest.mark.parametrize("has_numpy", [True, False])
def test_sizes_that_no_record_has(size: int, has_numpy: bool) -> None:
    stream = encode_reply(EIGHT)[:-24] + record(size, bytes(64))
    with nullcontext() if has_numpy else without_numpy():
        found, reader = read(stream)
    assert found == EIGHT
    assert isinstance(reader.outcome, Malformed)
    assert f"a record of {size} bytes" in reader.outcome.reason
    reader.feed(bytes(1000))
    assert len(reader) == 0


def test_a_size_is_refused_as_soon_as_it_has_come() -> None:
    reader = GetReader(max_payload=100)
    reader.feed(ACCEPTED + struct.pack("<i", 133))
    assert isinstance(reader.outcome, Malformed)


def test_a_size_alone_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        reader = GetReader()
        reader.feed(ACCEPTED + struct.pack("<i", MAX_PAYLOAD + 32))
        assert reader.outcome is None
        assert reader.pending_record == MAX_PAYLOAD + 36
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_largest_payload() -> None:
    found, reader = read(encode_reply([(KEY, bytes(MAX_PAYLOAD))]), [1 << 20, 1 << 24], take=True)
    assert [len(payload) for _, payload in found] == [MAX_PAYLOAD]
    assert reader.outcome == Completed(15, 15)


@pytest.mark.parametrize("has_numpy", [True, False])
@pytest.mark.parametrize("place", [0, 1, 7, 100, 199])
def test_a_negative_cid_ends_the_records(has_numpy: bool, place: int) -> None:
    records = [(KEY._replace(cid=-7 if number == place else 7), b"abcd") for number in range(200)]
    with nullcontext() if has_numpy else without_numpy():
        found, reader = read(encode_reply(records))
    assert found == records[:place]
    assert reader.outcome == Malformed("a record has a negative cid")


def test_header_data_is_skipped_within_a_bound() -> None:
    records = encode_reply(EIGHT)[12:-20]
    stream = struct.pack("<iQ", 0, 5) + b"hello" + records + struct.pack("<iQq", 0, 20, 15) + bytes(12)
    for cut in range(20):
        found, reader = read(stream, [cut, len(stream) - cut])
        assert (found, reader.outcome, reader.excess) == (EIGHT, Completed(15, 15), 0)
    assert isinstance(read(struct.pack("<iQ", 0, MAX_HEADER_DATA + 1))[1].outcome, Malformed)
    assert isinstance(read(struct.pack("<iQ", 0, 2**64 - 1))[1].outcome, Malformed)
    assert isinstance(read(encode_reply([])[:16] + struct.pack("<iQi", 0, 4, 5))[1].outcome, Malformed)


def test_bytes_after_the_end_are_counted() -> None:
    stream = encode_reply(EIGHT)
    found, reader = read(stream + b"abc", [len(stream) + 1])
    assert (found, reader.outcome, reader.excess) == (EIGHT, Completed(15, 15), 3)


def test_a_taken_block_stays_as_it_is() -> None:
    stream = encode_reply(EIGHT)
    reader = GetReader()
    buffer = bytearray(stream[:200])
    reader.feed(buffer)
    block = reader.take()
    rows = block.rows()
    buffer[:] = b"x" * 200
    reader.feed(stream[200:])
    assert rows["mid"].tolist() == [0, 1, 2, 3]
    assert block.payloads() == [payload for _, payload in EIGHT[:4]]
    assert whole(reader) == EIGHT[4:]
