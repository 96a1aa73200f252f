"""Requests and short replies, with the bytes of each."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.tstorage.layout import MAX_HEADER_DATA, Form
from flowthings_like.wire.tstorage.outcome import Completed, Failed, Malformed
from flowthings_like.wire.tstorage.put_encoder import KeysAndPayloads, encode_records
from flowthings_like.wire.tstorage.record import FIELDS, InvalidRecord, Key
from flowthings_like.wire.tstorage.replies import (
    ACCEPTED,
    ERROR,
    FAILED_END,
    ReplyReader,
    acq_reply,
    end_of_records,
    put_reply,
)
from flowthings_like.wire.tstorage.requests import (
    AcqRequest,
    GetRequest,
    PutBegun,
    PutDone,
    PutPiece,
    RequestReader,
    acq_request,
    get_request,
)
from flowthings_like.wire.tstorage.status import ResponseStatus
from tests.wire.tstorage.reference import CUTS, KEYS, pieces

pytestmark = pytest.mark.once

LOW, HIGH = Key(0, 0, 0, 0, 0), Key(1, 2, 3, 4, 5)
I64 = st.integers(*FIELDS["acq"])
GET = bytes.fromhex(
    "01000000 4000000000000000"
    "00000000 0000000000000000 00000000 0000000000000000 0000000000000000"
    "01000000 0200000000000000 03000000 0400000000000000 0500000000000000"
)
PUT = bytes.fromhex(
    "05000000 0000000000000000 03000000 1c000000"
    "18000000 0100000000000000 01000000 0100000000000000 07000000 ffffffff"
)


def read(reader: ReplyReader, stream: bytes, cuts: list[int] | None = None) -> ReplyReader:
    for piece in pieces(stream, cuts or []):
        reader.feed(piece)
    return reader


def test_the_bytes_of_a_get() -> None:
    assert get_request(LOW, HIGH) == GET
    assert acq_request(LOW, HIGH) == bytes([7]) + GET[1:]


def test_the_bytes_of_a_put() -> None:
    piece = KeysAndPayloads([Key(3, 1, 1, 1)], [bytes([7, 0, 0, 0])])
    assert list(encode_records(Form.PUT, [piece])) == [PUT]
    assert list(encode_records(Form.PUT, [])) == [bytes([5]) + bytes(11) + b"\xff" * 4]
    assert list(encode_records(Form.PUTA, [])) == [bytes([6]) + bytes(11) + b"\xff" * 4]


def test_the_bytes_of_replies() -> None:
    assert acq_reply(15).hex() == "00000000" + "0800000000000000" + "0f00000000000000"
    assert put_reply(1, 2).hex() == "00000000" + "1000000000000000" + "0100000000000000" + "0200000000000000"
    assert ERROR.hex() == "ffffffff0000000000000000"
    assert bytes(12) == ACCEPTED
    assert len(ACCEPTED + end_of_records(15)) == 36
    assert bytes(4) + ERROR == FAILED_END


@given(KEYS, KEYS, CUTS)
def test_a_server_reads_ranges(low: Key, high: Key, cuts: list[int]) -> None:
    reader = RequestReader()
    stream = get_request(low, high) + acq_request(low, high)
    events = [event for piece in pieces(stream, cuts) for event in reader.feed(piece)]
    assert events == [GetRequest(low, high), AcqRequest(low, high)]
    assert reader.is_idle


def test_a_range_comes_as_it_is() -> None:
    low, high = Key(-1, 5, 5, 5, 5), Key(-7, 0, 0, 0, 0)
    assert RequestReader().feed(get_request(low, high)) == [GetRequest(low, high)]


def test_keys_that_the_header_does_not_count() -> None:
    assert RequestReader().feed(GET[:4] + bytes(8) + GET[12:]) == [GetRequest(LOW, HIGH)]


def test_keys_out_of_range_are_not_sent() -> None:
    for request in (get_request, acq_request):
        with pytest.raises(InvalidRecord, match="cid must be"):
            request(LOW, HIGH._replace(cid=2**31))


def test_a_request_cut_at_every_byte() -> None:
    for stream in (GET, PUT):
        for cut in range(len(stream)):
            reader = RequestReader()
            before = reader.feed(stream[:cut])
            assert reader.is_idle is (cut == 0)
            events = before + reader.feed(stream[cut:])
            assert reader.is_idle
            if stream is GET:
                assert events == [GetRequest(LOW, HIGH)]
            else:
                assert [type(event) for event in events] == [PutBegun, PutPiece, PutDone]


def test_requests_one_after_the_other() -> None:
    reader = RequestReader()
    kinds = [type(event) for event in reader.feed(PUT + GET + PUT)]
    assert kinds == [PutBegun, PutPiece, PutDone, GetRequest, PutBegun, PutPiece, PutDone]
    assert reader.is_idle


@pytest.mark.parametrize("command", [0, 2, 3, 4, 8, -1, 2**31 - 1])
def test_unknown_commands(command: int) -> None:
    reader = RequestReader()
    assert reader.feed(struct.pack("<iQ", command, 0)) == [Malformed(f"there is no command {command}")]
    assert reader.feed(GET) == []


@pytest.mark.parametrize(("command", "size"), [(1, 65), (1, 2**64 - 1), (7, 32), (5, 1), (6, 2**63)])
def test_header_data_that_no_request_has(command: int, size: int) -> None:
    events = RequestReader().feed(struct.pack("<iQ", command, size))
    assert len(events) == 1
    assert isinstance(events[0], Malformed)
    assert str(size) in events[0].reason


def test_what_a_faulty_put_leaves_behind_is_refused() -> None:
    # A client that sends a batch with a negative cid: its size is read as the next command.
    stream = PUT[:-4] + struct.pack("<iii", -5, 0, -1)
    events = RequestReader().feed(stream + GET)
    assert [type(event) for event in events] == [PutBegun, PutPiece, PutDone, Malformed]


@given(I64, I64, CUTS)
def test_a_client_reads_replies(acq: int, acq_max: int, cuts: list[int]) -> None:
    assert read(ReplyReader.for_acq(), acq_reply(acq), cuts).outcome == Completed(acq, acq)
    assert read(ReplyReader.for_put(), put_reply(acq, acq_max), cuts).outcome == Completed(acq, acq_max)


@pytest.mark.parametrize("code", [-1, -7, 1, 123, 2**31 - 1])
def test_a_client_reads_errors(code: int) -> None:
    for make in (ReplyReader.for_acq, ReplyReader.for_put):
        for size in (0, 8, 2**64 - 1):
            reader = read(make(), struct.pack("<iQ", code, size))
            assert reader.outcome == Failed(ResponseStatus.ERROR, code)


def test_replies_cut_at_every_byte() -> None:
    for make, stream in ((ReplyReader.for_acq, acq_reply(5)), (ReplyReader.for_put, put_reply(5, 5))):
        for cut in range(len(stream)):
            reader = read(make(), stream[:cut])
            assert reader.outcome is None
            assert read(reader, stream[cut:]).outcome == Completed(5, 5)
            assert reader.excess == 0


def test_header_data_of_replies_is_bounded() -> None:
    long = struct.pack("<iQqq", 0, 20, 5, 6) + bytes(4)
    assert read(ReplyReader.for_put(), long).outcome == Completed(5, 6)
    assert read(ReplyReader.for_acq(), long, [30]).outcome == Completed(5, 5)
    assert read(ReplyReader.for_put(), long[:-1]).outcome is None
    for make, sizes in ((ReplyReader.for_acq, (0, 7)), (ReplyReader.for_put, (0, 8, 15))):
        for size in (*sizes, MAX_HEADER_DATA + 1, 2**64 - 1):
            assert isinstance(read(make(), struct.pack("<iQ", 0, size)).outcome, Malformed)


def test_bytes_after_a_reply_are_counted() -> None:
    reader = read(ReplyReader.for_acq(), acq_reply(5) + b"abc")
    assert (reader.outcome, reader.excess) == (Completed(5, 5), 3)
    reader.feed(b"de")
    assert reader.excess == 5
