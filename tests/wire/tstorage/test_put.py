"""Puts: what a client writes, and what a server reads."""

from __future__ import annotations

import struct
from array import array
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import InvalidInput
from flowthings_like.wire.tstorage.columns import RecordColumns, VariablePayloads, integer_column
from flowthings_like.wire.tstorage.layout import MAX_BATCH, MAX_PAYLOAD, Form
from flowthings_like.wire.tstorage.outcome import Malformed
from flowthings_like.wire.tstorage.put_encoder import KeysAndPayloads, encode_columns, encode_records
from flowthings_like.wire.tstorage.record import InvalidRecord, Key
from flowthings_like.wire.tstorage.requests import PutBegun, PutDone, PutPiece, RequestReader
from tests.wire.tstorage.reference import (
    CUTS,
    KEYS,
    RECORDS,
    Raw,
    as_columns,
    encode_put,
    from_columns,
    pieces,
    without_numpy,
)

pytestmark = pytest.mark.once

FORMS = st.sampled_from([Form.PUT, Form.PUTA])
KEY = Key(3, 1, 1, 1, 9)


def split(records: list[Raw], length: int | None = None) -> list[KeysAndPayloads]:
    """Records as pieces of so many; as one by default."""
    length = length or len(records) or 1
    parts = [records[start : start + length] for start in range(0, len(records), length)]
    return [KeysAndPayloads([key for key, _ in part], [payload for _, payload in part]) for part in parts]


def encoded(form: Form, records: list[Raw], **options: int) -> bytes:
    return b"".join(encode_records(form, split(records), **options))


def stored(form: Form, records: list[Raw]) -> list[Raw]:
    """What a server has of records, sorted: a PUT does not send acq."""
    return sorted((key if form is Form.PUTA else key._replace(acq=-1), payload) for key, payload in records)


def receive(stream: bytes, cuts: list[int] | None = None) -> list[Raw]:
    """The records that a server reads from one put, in the order in which they came."""
    reader = RequestReader()
    events = [event for piece in pieces(stream, cuts or []) for event in reader.feed(piece)]
    assert isinstance(events[0], PutBegun)
    assert events[-1] == PutDone()
    assert reader.is_idle
    records: list[Raw] = []
    for event in events[1:-1]:
        assert isinstance(event, PutPiece)
        came = list(zip(event.block.keys(), event.block.payloads(), strict=True))
        assert from_columns(event.block.columns()) == came
        records += came
    return records


def batches(form: Form, stream: bytes) -> list[tuple[int, list[int]]]:
    """The cid of each batch, and the sizes of its records with their size fields."""
    found, at = [], 12
    while (cid := struct.unpack_from("<i", stream, at)[0]) >= 0:
        end = at + 8 + struct.unpack_from("<i", stream, at + 4)[0]
        at += 8
        sizes = []
        while at < end:
            sizes.append(4 + struct.unpack_from("<i", stream, at)[0])
            at += sizes[-1]
        assert at == end
        found.append((cid, sizes))
    assert stream[at:] == b"\xff" * 4
    return found


@given(FORMS, RECORDS)
def test_the_bytes_of_a_small_put(form: Form, records: list[Raw]) -> None:
    buffers = list(encode_records(form, split(records)))
    assert buffers == [encode_put(form, records)]


@given(FORMS, RECORDS)
def test_columns_and_records_are_put_as_the_same_bytes(form: Form, records: list[Raw]) -> None:
    buffers = list(encode_columns(form, as_columns(records)))
    assert list(map(bytes, buffers)) == [encode_put(form, records)]


@given(FORMS, RECORDS, CUTS, st.booleans())
def test_a_server_reads_any_pieces(form: Form, records: list[Raw], cuts: list[int], has_numpy: bool) -> None:
    with nullcontext() if has_numpy else without_numpy():
        came = receive(encode_put(form, records), cuts)
    assert sorted(came) == stored(form, records)
    if len({key.cid for key, _ in records}) == 1:
        assert [payload for _, payload in came] == [payload for _, payload in records]


@given(FORMS, RECORDS, st.integers(1, 400), st.integers(1, 400), st.integers(1, 20))
def test_batches_and_slices(form: Form, records: list[Raw], most: int, slice_size: int, length: int) -> None:
    options = {"max_batch_size": most, "slice_size": slice_size}
    from_records = b"".join(encode_records(form, split(records, length), **options))
    columns = b"".join(encode_columns(form, as_columns(records), **options))
    for stream in (from_records, columns):
        assert sorted(receive(stream)) == stored(form, records)
        for _, sizes in batches(form, stream):
            assert sum(sizes) <= most or len(sizes) == 1


@given(FORMS, RECORDS, st.integers(200, 1000))
def test_buffers_are_about_a_slice(form: Form, records: list[Raw], slice_size: int) -> None:
    for buffer in encode_columns(form, as_columns(records), slice_size=slice_size):
        assert len(buffer) <= 2 * slice_size + 16
    for made in encode_records(form, split(records), slice_size=slice_size):
        assert len(made) <= 2 * slice_size + 24


def test_batches_are_as_full_as_they_may_be() -> None:
    records = [(KEY, b"1234")] * 10
    assert batches(Form.PUT, encoded(Form.PUT, records, max_batch_size=84)) == [(3, [28] * 3)] * 3 + [
        (3, [28])
    ]
    assert batches(Form.PUT, encoded(Form.PUT, records, max_batch_size=1)) == [(3, [28])] * 10
    for most in (1, 27, 28, 84, 279, 280):
        columns = b"".join(encode_columns(Form.PUT, as_columns(records), max_batch_size=most))
        assert columns == encoded(Form.PUT, records, max_batch_size=most)
    mixed = [(KEY, bytes(size)) for size in (4, 4, 10, 50, 1)]
    assert batches(Form.PUT, encoded(Form.PUT, mixed, max_batch_size=56)) == [
        (3, [28, 28]), (3, [34]), (3, [74]), (3, [25])
    ]  # fmt: skip


def test_cids_come_in_the_order_of_their_first_records() -> None:
    records = [(KEY._replace(cid=cid, mid=mid), b"") for mid, cid in enumerate([70_000, 2, 70_000, 0, 2])]
    for stream in (encoded(Form.PUT, records), b"".join(encode_columns(Form.PUT, as_columns(records)))):
        assert [(key.cid, key.mid) for key, _ in receive(stream)] == [
            (70_000, 0), (70_000, 2), (2, 1), (2, 4), (0, 3)
        ]  # fmt: skip


def test_cids_that_are_far_from_each_other() -> None:
    records = [(KEY._replace(cid=cid, mid=mid), b"") for mid, cid in enumerate([0, 1 << 16, 2**31 - 1] * 20)]
    stream = b"".join(encode_columns(Form.PUT, as_columns(records)))
    assert [cid for cid, _ in batches(Form.PUT, stream)] == [0, 1 << 16, 2**31 - 1]
    assert stream == encode_put(Form.PUT, records)


@pytest.mark.parametrize("most", [0, -1, MAX_BATCH + 1, 2**40])
def test_a_batch_has_a_largest_size(most: int) -> None:
    with pytest.raises(InvalidInput, match="max_batch_size must be 1 to 2147483647"):
        encoded(Form.PUT, [], max_batch_size=most)
    with pytest.raises(InvalidInput, match="max_batch_size must be 1 to 2147483647"):
        list(encode_columns(Form.PUT, as_columns([(KEY, b"")]), max_batch_size=most))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (KEY._replace(cid=-1), "cid must be 0 to 2147483647, but is -1"),
        (KEY._replace(cid=2**31), "cid must be 0 to 2147483647, but is 2147483648"),
        (KEY._replace(mid=2**63), "mid must be"),
        (KEY._replace(moid=-(2**31) - 1), "moid must be"),
        (KEY._replace(cap=1.5), "cap must be an integer, but is 1.5"),
        (KEY._replace(cid="3"), "cid must be an integer, but is '3'"),
        (KEY._replace(acq=2**63), "acq must be"),
    ],
)
@pytest.mark.parametrize("place", [0, 299, 300, 599])
def test_an_invalid_key_is_named(wrong: Key, said: str, place: int) -> None:
    records = [(KEY, b"1234")] * 600
    records[place] = (wrong, b"1234")
    for length in (600, 300, 1):
        with pytest.raises(InvalidRecord, match=f"record {place} cannot be put: {said}") as caught:
            list(encode_records(Form.PUTA, split(records, length)))
        assert caught.value.index == place


def test_acq_does_not_count_in_a_put_without_it() -> None:
    assert encoded(Form.PUT, [(KEY._replace(acq=2**70), b"")]) == encode_put(Form.PUT, [(KEY, b"")])


def test_payloads_are_bytes() -> None:
    numbers = array("i", [5, 6])
    records = [(KEY, b"abcdefgh"), (KEY, bytearray(b"ijklmnop")), (KEY, memoryview(numbers)), (KEY, numbers)]
    plain = [(KEY, bytes(payload)) for _, payload in records]
    assert encoded(Form.PUT, records) == encode_put(Form.PUT, plain)
    assert encoded(Form.PUT, [*records, (KEY, b"")]) == encode_put(Form.PUT, [*plain, (KEY, b"")])
    assert encoded(Form.PUT, records[:2]) == encode_put(Form.PUT, plain[:2])
    for wrong in ("abc", 5, None, [1, 2]):
        with pytest.raises(InvalidRecord, match="a payload that cannot be put: "):
            encoded(Form.PUT, [(KEY, wrong)])  # type: ignore[list-item]


@given(FORMS, st.lists(st.tuples(KEYS, st.floats(allow_nan=False)), max_size=600), st.integers(1, 200))
def test_numbers_are_packed_with_their_keys(form: Form, records: list[tuple[Key, float]], most: int) -> None:
    piece = KeysAndPayloads([key for key, _ in records], [number for _, number in records], "d")
    plain = [(key, struct.pack("<d", number)) for key, number in records]
    assert b"".join(encode_records(form, [piece])) == encoded(form, plain)
    batched = b"".join(encode_records(form, [piece], max_batch_size=most))
    assert batched == encoded(form, plain, max_batch_size=most)


def test_a_number_that_cannot_be_packed() -> None:
    with pytest.raises(InvalidRecord, match="a payload that cannot be put: required argument is not a float"):
        list(encode_records(Form.PUT, [KeysAndPayloads([KEY], ["x"], "d")]))
    with pytest.raises(InvalidRecord, match="record 0 cannot be put: cid must be"):
        list(encode_records(Form.PUT, [KeysAndPayloads([KEY._replace(cid=-1)], ["x"], "d")]))


def test_the_largest_payload() -> None:
    largest = [(KEY, bytes(MAX_PAYLOAD))]
    assert receive(encoded(Form.PUTA, largest), [1 << 16, 1 << 24]) == largest
    assert sum(map(len, encode_columns(Form.PUTA, as_columns(largest)))) == MAX_PAYLOAD + 56
    for too_large in ([(KEY, b""), (KEY, bytes(MAX_PAYLOAD + 1))], [(KEY, bytes(MAX_PAYLOAD + 1))] * 2):
        place = 0 if too_large[0][1] else 1
        with pytest.raises(
            InvalidRecord, match=f"record {place} cannot be put: its payload has 33554433 bytes"
        ):
            encoded(Form.PUT, too_large)
        with pytest.raises(
            InvalidRecord, match=f"record {place} cannot be put: its payload has 33554433 bytes"
        ):
            list(encode_columns(Form.PUT, as_columns(too_large)))
    with pytest.raises(InvalidRecord, match="record 1 cannot be put: its payload has 33554433 bytes"):
        encoded(Form.PUT, [(KEY, b""), (KEY, memoryview(bytes(MAX_PAYLOAD + 1)))])


def test_columns_with_a_negative_cid_are_refused() -> None:
    columns = as_columns([(KEY, b"1"), (KEY._replace(cid=-5), b"2"), (KEY._replace(cid=-6), b"3")])
    with pytest.raises(InvalidRecord, match="record 1 cannot be put: its cid is negative"):
        next(encode_columns(Form.PUT, columns))


def test_columns_without_acq() -> None:
    columns = as_columns([(KEY, b"1"), (KEY, b"2")])
    without = RecordColumns(columns.cid, columns.mid, columns.moid, columns.cap, None, columns.payload)
    assert b"".join(encode_columns(Form.PUT, without)) == b"".join(encode_columns(Form.PUT, columns))
    with pytest.raises(ValueError, match="these columns have no acq"):
        list(encode_columns(Form.PUTA, without))
    variable = RecordColumns(
        columns.cid,
        columns.mid,
        columns.moid,
        columns.cap,
        None,
        VariablePayloads(b"abc", np.array([0, 1, 3])),
    )
    assert receive(b"".join(encode_columns(Form.PUT, variable)))[1][1] == b"bc"
    with pytest.raises(ValueError, match="these columns have no acq"):
        list(encode_columns(Form.PUTA, variable))


def test_columns_may_be_views_with_any_stride() -> None:
    records = [(KEY._replace(mid=mid), struct.pack("<q", mid)) for mid in range(100)]
    columns = as_columns(records)[::-2]
    assert receive(b"".join(encode_columns(Form.PUTA, columns))) == records[::-2]


def test_bytes_between_the_fields_of_a_payload_are_sent_as_they_are() -> None:
    dtype = np.dtype([("a", "u1"), ("b", "<i8")], align=True)
    payload = np.zeros(3, dtype)
    payload["b"] = 5
    columns = as_columns([(KEY, bytes(16))] * 3)
    padded = RecordColumns(columns.cid, columns.mid, columns.moid, columns.cap, columns.acq, payload)
    assert [came for _, came in receive(b"".join(encode_columns(Form.PUT, padded)))] == [
        bytes(8) + b"\5" + bytes(7)
    ] * 3


def test_many_cids_and_large_puts() -> None:
    count = 100_000
    mid = np.arange(count)
    columns = RecordColumns(
        cid=(mid % 7 * 1000).astype("i4"), mid=mid, moid=mid.astype("i4"), cap=mid, acq=mid, payload=mid * 2.5
    )
    buffers = list(encode_columns(Form.PUTA, columns))
    assert max(map(len, buffers)) < 1_100_000
    reader = RequestReader()
    seen = []
    for buffer in buffers:
        for event in reader.feed(buffer):
            if isinstance(event, PutPiece):
                came = event.block.columns()
                assert (came.cid == came.mid % 7 * 1000).all()
                assert (came.payload.view("<f8") == came.mid * 2.5).all()  # type: ignore[union-attr]
                seen.append(came.mid)
    assert (np.sort(np.concatenate(seen)) == mid).all()


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, 2**31], "cid has the number 2147483648; it must be 0 to 2147483647"),
        ([1, -(2**31) - 1], "cid has the number -2147483649"),
        ([1.5, 2], "cid has the type float64; it must be integers"),
        (["a", "b"], "cid has the type <U1"),
        ([2**70, 1], "cid has the type object"),
        ([[1], [2]], r"cid has the shape \(2, 1\)"),
        ([1, 2, 3], r"cid has the shape \(3,\); it must have the length 2"),
    ],
)
def test_a_column_that_is_refused(numbers: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        integer_column("cid", numbers, 2)


def test_a_column_of_integers() -> None:
    assert integer_column("cid", [1, 2]).dtype == np.dtype("i4")
    assert integer_column("mid", np.array([1, 2], "u1")).dtype == np.dtype("i8")
    assert integer_column("cap", 5, 3).tolist() == [5, 5, 5]
    assert integer_column("cid", [], 0).tolist() == []
    same = np.arange(4)
    assert integer_column("acq", same) is same
    assert integer_column("mid", np.array([2**63 - 1], "u8")).tolist() == [2**63 - 1]
    with pytest.raises(InvalidInput, match="mid has the number 9223372036854775808"):
        integer_column("mid", np.array([2**63], "u8"))


def refusal(stream: bytes, cuts: list[int] | None = None) -> str:
    reader = RequestReader()
    events = [event for piece in pieces(stream, cuts or []) for event in reader.feed(piece)]
    assert isinstance(events[-1], Malformed), events
    assert reader.feed(bytes(100)) == []
    assert reader.buffered == 0
    return events[-1].reason


HEAD = struct.pack("<iQ", 5, 0)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (struct.pack("<ii", 3, -1), "a batch of -1 bytes"),
        (struct.pack("<ii", 3, -(2**31)), "a batch of -2147483648 bytes"),
        (struct.pack("<ii", 3, 23), "a batch of 23 bytes"),
        (struct.pack("<iii", 3, 100, -4), "a record of -4 bytes"),
        (struct.pack("<iii", 3, 100, 0), "a record of 0 bytes"),
        (struct.pack("<iii", 3, 100, 19), "a record of 19 bytes"),
        (struct.pack("<iii", 3, 2**31 - 1, MAX_PAYLOAD + 21), "a record of 33554453 bytes"),
        (struct.pack("<iii", 3, 2**31 - 1, 2**31 - 1), "a record of 2147483647 bytes"),
        (struct.pack("<iii", 3, 30, 30), "a record of 30 bytes goes beyond the end of its batch"),
        (struct.pack("<iii", 3, 26, 20) + bytes(20) + struct.pack("<i", 20), "a record of .* bytes"),
    ],
)
def test_malformed_puts(stream: bytes, said: str) -> None:
    whole = HEAD + stream
    assert said in refusal(whole) or said.startswith("a record of .*")
    assert refusal(whole, list(range(len(whole)))) == refusal(whole)


def test_a_part_of_a_block() -> None:
    records = sorted((KEY._replace(cid=number // 30, mid=number), b"1234") for number in range(90))
    events = RequestReader().feed(encode_put(Form.PUTA, records))
    block = next(event.block for event in events if isinstance(event, PutPiece))
    for start, stop in ((0, 20), (20, 70), (85, 99), (90, 95)):
        part = block[start:stop]
        assert list(zip(part.keys(), part.payloads(), strict=True)) == records[start:stop]
        assert from_columns(part.columns()) == records[start:stop]


def test_a_put_may_have_empty_batches_and_any_negative_end() -> None:
    record = struct.pack("<i", 20) + KEY.to_bytes(with_cid=False, with_acq=False)
    stream = HEAD + struct.pack("<iiii", 9, 0, 3, 24) + record + struct.pack("<iii", 9, 0, -77)
    assert receive(stream) == receive(stream, list(range(len(stream)))) == [(KEY._replace(acq=-1), b"")]


def test_a_put_cut_at_every_byte_is_not_done() -> None:
    stream = encode_put(Form.PUT, [(KEY, b"1234"), (KEY._replace(cid=4), b"123")])
    for cut in range(len(stream)):
        reader = RequestReader()
        events = reader.feed(stream[:cut])
        assert PutDone() not in events
        assert reader.is_idle is (cut == 0)
        assert reader.feed(stream[cut:])[-1] == PutDone()
        assert reader.is_idle
