"""What is put: which bytes are sent, and what happens to records that cannot be."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from struct import pack, unpack_from
from typing import Any

import numpy as np
import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    DeadlineExceeded,
    InvalidInput,
    Key,
    NumpyPayloadType,
    PayloadType,
    Record,
    RecordBatch,
    ResponseStatus,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
    UnparseableEntity,
)
from tests.transport.records.scripted import REFUSED, Scripted, Session

from .conftest import Connect
from .model import Model

S = ResponseStatus
ALL = Key.min(), Key.max()
PAYLOAD = pack("<i", 7)
ONE = Record(Key(3, 1, 1, 1, 9), PAYLOAD)
BIG = 32 << 20


def batches(request: bytes) -> list[tuple[int, int]]:
    """The cid and the size of each batch in a put."""
    found, at = [], 12
    while (cid := unpack_from("<i", request, at)[0]) >= 0:
        size = unpack_from("<i", request, at + 4)[0]
        found.append((cid, size))
        at += 8 + size
    assert len(request) == at + 4
    return found


def with_type(server: Scripted, payload_type: PayloadType[Any]) -> Channel[Any]:
    made = Channel(server.host, server.port, payload_type, 20.0)
    assert made.connect()
    return made


def test_the_bytes_of_one_record(server: Scripted, channel: Channel[bytes]) -> None:
    assert channel.put([ONE])
    assert channel.puta([ONE])
    put, puta = server.requests
    assert put == pack("<iQiiiqiqii", 5, 0, 3, 28, 24, 1, 1, 1, 7, -1)
    assert puta == pack("<iQiiiqiqqii", 6, 0, 3, 36, 32, 1, 1, 1, 9, 7, -1)


@pytest.mark.parametrize("data", [[], (), RecordBatch(1, [], 1, 1, payload=np.zeros(0, "V4"))], ids=type)
def test_nothing(data: Any, server: Scripted, channel: Channel[bytes]) -> None:
    assert channel.put(data).status == S.OK
    assert server.requests == [pack("<iQi", 5, 0, -1)]


def test_a_small_put_is_one_write(connect: Connect) -> None:
    received: list[bytes] = []

    def script(session: Session) -> None:
        while data := session.sock.recv(65_536):
            received.append(data)
            session.send(pack("<iQqq", 0, 16, 1, 1))

    channel = connect(script)
    for number in range(20):
        assert channel.put([ONE, Record(Key(4, number, 0, 0), b"")])
    assert len(received) == 20


@pytest.mark.parametrize("as_columns", [False, True])
def test_batches_by_cid(as_columns: bool, server: Scripted, channel: Channel[bytes]) -> None:
    records = [Record(Key(cid, place, 0, 0), PAYLOAD) for place, cid in enumerate([5, 2, 5, 9, 2])]
    data: Any = RecordBatch.from_records(records, BytesPayloadType()) if as_columns else records
    assert channel.put(data)
    assert batches(server.requests[0]) == [(5, 56), (2, 56), (9, 28)]
    mids = [unpack_from("<q", server.requests[0], 24 + 28 * place)[0] for place in range(2)]
    assert mids == [0, 2]


@pytest.mark.parametrize("as_columns", [False, True])
@pytest.mark.parametrize(
    ("most", "sizes"), [(28, [28] * 5), (57, [56, 56, 28]), (1, [28] * 5), (139, [112, 28]), (140, [140])]
)
def test_the_size_of_a_batch(
    as_columns: bool, most: int, sizes: list[int], server: Scripted, channel: Channel[bytes]
) -> None:
    records = [Record(Key(5, place, 0, 0), PAYLOAD) for place in range(5)]
    data: Any = RecordBatch.from_records(records, BytesPayloadType()) if as_columns else records
    assert channel.put(data, most)
    assert [size for _, size in batches(server.requests[0])] == sizes


@pytest.mark.parametrize("most", [0, -1, 2**31, 2**40])
def test_batch_sizes_that_cannot_be(most: int, server: Scripted, channel: Channel[bytes]) -> None:
    for data in ([ONE], RecordBatch.from_records([ONE], BytesPayloadType())):
        with pytest.raises(InvalidInput, match="max_batch_size"):
            channel.put(data, most)
    assert server.requests == []
    assert channel.get_acq(*ALL)


# Records that cannot be sent

INVALID = [
    Key(-1, 0, 0, 0),
    Key(-(2**31), 0, 0, 0),
    Key(2**31, 0, 0, 0),
    Key(0, 2**63, 0, 0),
    Key(0, 0, -(2**31) - 1, 0),
    Key(0, 0, 0, 2**64),
    Key(0, 0.5, 0, 0),  # type: ignore[arg-type]
    Key(),
]


@pytest.mark.parametrize("key", INVALID)
@pytest.mark.parametrize("call", ["put", "puta"])
@pytest.mark.parametrize("place", [0, 1, 3000])
def test_an_invalid_record(
    key: Key, call: str, place: int, model: Model, server: Scripted, channel: Channel[bytes]
) -> None:
    """Nothing is sent, whatever came before it."""
    records = [ONE] * place + [Record(key, b"")] + [ONE]
    answer = getattr(channel, call)(records)
    assert (answer.status, f"record {place}" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    assert server.requests == []
    answer = getattr(channel, call)(records, skip_invalid=True)
    assert (answer.status, answer.skipped) == (S.OK, 1)
    assert len(model.stored) == place + 1
    assert channel.put([ONE]) == channel.put([ONE], skip_invalid=True)


def test_an_acq_out_of_range(model: Model, channel: Channel[bytes]) -> None:
    """A put does not send it."""
    records = [Record(Key(1, 2, 3, 4, 2**63), b"")]
    assert channel.puta(records).status == S.UNPARSEABLE_ENTITY
    assert channel.puta(records, skip_invalid=True).skipped == 1
    assert channel.put(records).status == S.OK
    assert channel.put(records, skip_invalid=True).skipped == 0
    assert len(model.stored) == 2


def test_an_invalid_record_of_columns(model: Model, server: Scripted, channel: Channel[bytes]) -> None:
    batch = RecordBatch([1, -5, 2, -1], 1, 1, 1, payload=np.zeros(4, "V4"))
    answer = channel.put(batch)
    assert (answer.status, "record 1" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    assert server.requests == []
    answer = channel.put(batch, skip_invalid=True)
    assert (answer.status, answer.skipped) == (S.OK, 2)
    assert [key.cid for key, _ in model.stored] == [1, 2]


def test_no_record_is_valid(model: Model, channel: Channel[bytes]) -> None:
    for data in ([Record(Key(), b"")], RecordBatch([-1], 1, 1, 1, payload=np.zeros(1, "V4"))):
        answer = channel.put(data, skip_invalid=True)
        assert (answer.status, answer.skipped, model.stored) == (S.OK, 1, [])


def test_a_payload_that_is_too_large(server: Scripted, channel: Channel[bytes]) -> None:
    records = [ONE, Record(Key(1, 2, 3, 4), bytes(BIG + 1))]
    answer = channel.put(records)
    assert (answer.status, "record 1" in answer.reason) == (S.UNPARSEABLE_ENTITY, True)
    assert server.requests == []
    assert channel.put(records, skip_invalid=True).skipped == 1


def test_the_largest_payload(connect: Connect) -> None:
    def script(session: Session) -> None:
        while session.request():
            session.send(pack("<iQqq", 0, 16, 1, 1))

    channel = connect(script)
    assert channel.put([Record(Key(1, 2, 3, 4), bytes(BIG))]).status == S.OK


def test_a_value_that_does_not_fit(server: Scripted) -> None:
    channel = with_type(server, StructPayloadType("<b"))
    records = [Record(Key(1, 2, 3, 4), value) for value in (1, 300, "no", 2)]
    with pytest.raises(struct.error):
        channel.put(records)
    assert server.requests == []
    assert channel.put(records, skip_invalid=True).skipped == 2
    channel.close()


def test_what_the_payload_type_raises_is_raised(model: Model, server: Scripted) -> None:
    class Mine(PayloadType[int]):
        def to_bytes(self, value: int) -> bytes:
            if value == 3:
                raise LookupError("mine")
            return b"%d" % value

        def from_bytes(self, buffer: bytes) -> int | None:
            return int(buffer)

    channel = with_type(server, Mine())
    records = [Record(Key(1, 2, 3, value), value) for value in range(6)]
    with pytest.raises(LookupError, match="mine"):
        channel.put(records)
    assert server.requests == []
    assert channel.put(records, skip_invalid=True).skipped == 1
    assert [each.value for each in channel.get(*ALL).data] == [0, 1, 2, 4, 5]
    channel.close()


def test_strict(server: Scripted) -> None:
    channel = Channel(server.host, server.port, BytesPayloadType(), 20.0, strict=True)
    with channel, pytest.raises(UnparseableEntity, match="cid"):
        channel.put([Record(Key(), b"")])
    assert server.requests == []


@pytest.mark.parametrize("data", [None, 5, "records", b"records", [1, 2], [b""], [()], np.zeros(3)], ids=repr)
def test_what_is_no_records(data: Any, server: Scripted, channel: Channel[bytes]) -> None:
    with pytest.raises(InvalidInput, match="Records"):
        channel.put(data)
    assert server.requests == []


# All that can be put

TYPES: list[tuple[PayloadType[Any], list[Any]]] = [
    (BytesPayloadType(), [b"a", b"bc", b""]),
    (BytesPayloadType(), [b"ab", b"cd"]),
    (UnitPayloadType(), [(), ()]),
    (StructPayloadType("<d"), [1.5, -0.0]),
    (TuplePayloadType("<dI"), [(1.5, 7), (2.5, 8)]),
    (NumpyPayloadType([("x", "<f8"), ("n", "<i4")]), [(1.5, 7), (2.5, 8)]),
    (NumpyPayloadType("<f8"), [(1.5,)]),
    (NumpyPayloadType(None), [()]),
]
by_type = pytest.mark.parametrize(("payload_type", "values"), TYPES, ids=repr)


@by_type
@pytest.mark.parametrize("call", ["put", "puta"])
@pytest.mark.parametrize("numpy", [True, False])
def test_records_come_back(
    payload_type: PayloadType[Any],
    values: list[Any],
    call: str,
    numpy: bool,
    server: Scripted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not numpy:
        if isinstance(payload_type, NumpyPayloadType):
            pytest.skip("it needs numpy")
        without_numpy(monkeypatch)
    channel = with_type(server, payload_type)
    records = [Record(Key(1, place, 3, 4, 50), value) for place, value in enumerate(values)]

    def lazily() -> Iterator[Record[Any]]:
        yield from records

    for data in (records, tuple(records), lazily()):
        assert getattr(channel, call)(data).status == S.OK
    found = channel.get(*ALL).data
    expected = [record for record in records for _ in range(3)]
    if call == "put":
        assert sorted(record.key.acq for record in found) == sorted([100, 101, 102] * len(records))
        assert [record.value for record in found] == [record.value for record in expected]
    else:
        assert list(found) == expected
    assert list(channel.get_iter(*ALL))[:-1] == list(found)
    assert type(found) is (RecordBatch if numpy and len(set(map(len, _payloads(server)))) == 1 else list)
    channel.close()


def without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowthings_like.wire.tstorage import scan

    monkeypatch.setitem(sys.modules, "numpy", None)
    scan.numpy_or_none.cache_clear()
    monkeypatch.setattr(scan, "numpy_or_none", lambda: None)
    monkeypatch.setattr("flowthings_like.services.records.getting.numpy_or_none", lambda: None)


def _payloads(server: Scripted) -> list[bytes]:
    model = Model()
    for request in server.requests:
        if request[0] in (5, 6):
            model._put(request, is_with_acq=request[0] == 6)
    return [payload for _, payload in model.stored]


@by_type
def test_columns_come_back(payload_type: PayloadType[Any], values: list[Any], server: Scripted) -> None:
    if len({len(payload_type.to_bytes(value)) for value in values}) > 1:
        pytest.skip("payloads of different sizes are no column")
    channel = with_type(server, payload_type)
    records = [Record(Key(1, place, 3, 4, 50), value) for place, value in enumerate(values)]
    assert channel.puta(RecordBatch.from_records(records, payload_type))
    first = channel.get(*ALL).data
    assert isinstance(first, RecordBatch)
    assert first == records
    assert channel.puta(first[::-1])
    assert sorted(channel.get(*ALL).data) == sorted(records * 2)
    channel.close()


def test_arrays_of_numpy(server: Scripted) -> None:
    payload_type = NumpyPayloadType([("x", "<f8"), ("n", "<i4")])
    channel = with_type(server, payload_type)
    rows = np.zeros(3, payload_type.record_dtype)
    rows["cid"], rows["mid"], rows["acq"], rows["x"], rows["n"] = 1, [1, 2, 3], 50, [0.5, 1.5, 2.5], [7, 8, 9]
    with_size = np.zeros(3, payload_type.parsing_dtype)
    for name in rows.dtype.names or ():
        with_size[name] = rows[name]
    columns = {name: rows[name] for name in rows.dtype.names or ()}
    for data in (rows, with_size, columns, rows.view(np.recarray)):
        assert channel.puta(data)
    found = channel.get(*ALL).data
    assert isinstance(found, RecordBatch)
    assert found["x"].tolist() == [0.5] * 4 + [1.5] * 4 + [2.5] * 4
    assert found[0] == Record(Key(1, 1, 0, 0, 50), (0.5, 7))
    assert "_size" not in columns
    channel.close()


def test_tables(server: Scripted) -> None:
    import polars

    payload_type = TuplePayloadType("<dI")
    channel = with_type(server, payload_type)
    records = [Record(Key(1, place, 3, 4, 50), (place / 2, place)) for place in range(3)]
    batch = RecordBatch.from_records(records, payload_type)
    for table in (batch.to_arrow(), batch.to_pandas(), polars.DataFrame(batch)):
        assert channel.puta(table)
    found = channel.get(*ALL).data
    assert sorted(found) == sorted(records * 3)
    with pytest.raises(InvalidInput, match="moid"):
        channel.put(batch.to_pandas().drop(columns="moid"))
    channel.close()


@pytest.mark.parametrize(
    ("payload", "fits"),
    [
        (np.array([1, 2], "<i2"), True),
        (np.array([1.5, 2.5], ">f8"), True),
        (np.array([1.5, 2.5], "<f4"), True),
        (np.array([b"12345678"] * 2, "V8"), True),
        (np.array(["a", "b"]), False),
        (np.array([1j, 2j]), False),
        (np.array([(1.0, 2.0)] * 2, "f8,f8"), False),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_columns_of_another_dtype(payload: Any, fits: bool, server: Scripted) -> None:
    channel = with_type(server, StructPayloadType("<d"))
    batch = RecordBatch(1, [1, 2], 3, 4, payload=payload)
    if fits:
        assert channel.put(batch)
        expected = payload.view("<f8") if payload.dtype.kind == "V" else payload.astype("<f8")
        assert [record.value for record in channel.get(*ALL).data] == expected.tolist()
    else:
        with pytest.raises(InvalidInput, match="StructPayloadType"):
            channel.put(batch)
        assert server.requests == []
    channel.close()


def test_numbers_that_do_not_fit_a_smaller_type(server: Scripted) -> None:
    channel = with_type(server, StructPayloadType("<b"))
    assert channel.put(RecordBatch(1, [1, 2], 3, 4, payload=np.array([-128, 127])))
    with pytest.raises(InvalidInput, match="range"):
        channel.put(RecordBatch(1, [1, 2], 3, 4, payload=np.array([1, 128])))
    channel.close()


# Long puts


def test_a_put_that_is_refused_while_it_is_sent(connect: Connect) -> None:
    """The server reads a little, refuses, and takes nothing more for a while."""

    def script(session: Session) -> None:
        session.sock.recv(100)
        session.send(REFUSED)
        session.sock.shutdown(1)
        while session.sock.recv(65_536):
            pass

    batch: Any = RecordBatch(1, range(2_000_000), 3, 4, payload=np.zeros(2_000_000, "V100"))
    channel = connect(script)
    answer = channel.put(batch)
    assert (answer.status, "-1" in answer.reason) == (S.ERROR, True)
    assert not channel.is_connected


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_put_that_is_refused_and_not_read(timeout: float | None, connect: Connect) -> None:
    """The socket's buffers are full, and only the reply can come. It is seen long before the time-out."""
    batch: Any = RecordBatch(1, range(300_000), 3, 4, payload=np.zeros(300_000, "V100"))

    def script(session: Session) -> None:
        session.sock.recv(100)
        session.send(REFUSED)
        while channel.is_connected:
            detect().sleep(0.01)

    channel = connect(script, timeout=timeout)
    assert channel.put(batch).status == S.ERROR


def test_a_put_that_nobody_reads(connect: Connect) -> None:
    batch: Any = RecordBatch(1, range(300_000), 3, 4, payload=np.zeros(300_000, "V100"))

    def script(session: Session) -> None:
        while channel.is_connected:
            detect().sleep(0.01)

    channel = connect(script, timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        channel.put(batch)
    assert not channel.is_connected


def test_an_answer_before_all_was_sent(connect: Connect) -> None:
    def script(session: Session) -> None:
        session.sock.recv(100)
        session.send(pack("<iQqq", 0, 16, 1, 1))
        while session.sock.recv(65_536):
            pass

    batch: Any = RecordBatch(1, range(1_000_000), 3, 4, payload=np.zeros(1_000_000, "V100"))
    channel = connect(script)
    answer = channel.put(batch)
    assert (answer.status, "before" in answer.reason) == (S.ERROR, True)
    assert not channel.is_connected


@pytest.mark.parametrize("as_columns", [False, True])
def test_a_long_put(as_columns: bool, model: Model, channel: Channel[bytes]) -> None:
    count = 60_000
    payload = np.arange(count).view("V8")
    batch: Any = RecordBatch(1, range(count), 3, 4, payload=payload, payload_type=BytesPayloadType())
    assert channel.put(batch if as_columns else list(batch))
    assert [key.mid for key, _ in model.stored] == list(range(count))
    assert b"".join(payload for _, payload in model.stored) == np.arange(count).tobytes()
