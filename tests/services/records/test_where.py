"""Filters on records: which keys are asked for, and which records come."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowthings_like import API, CannotFilter, InvalidInput, mem
from flowthings_like.filters import EXISTS, Filter, nodes
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    Key,
    NumpyPayloadType,
    PayloadType,
    Record,
    RecordBatch,
    ResponseAcq,
    ResponseStatus,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
)
from flowthings_like.services.records.api_client import RecordChannel
from flowthings_like.services.records.searching import TESTED_AT_ONCE

S = ResponseStatus
RECORDS = [
    Record(Key(cid, mid, 0, cap, 1), float(cid * 100 + mid * 10 + cap))
    for cid in range(3)
    for mid in range(3)
    for cap in range(10)
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("records")) as opened:
        assert opened.record(StructPayloadType("<d")).puta(RECORDS)
        yield opened


@pytest.fixture
def channel(api: API) -> RecordChannel[float]:
    return api.record(StructPayloadType("<d"))


def document(record: Record[Any]) -> dict[str, Any]:
    return {**record.key._asdict(), "value": record.value, "payload": record.value}


def expected(node: Filter) -> list[Record[float]]:
    test = compile_predicate(node)
    return [record for record in RECORDS if test(document(record), 0)]


FILTERS: list[Filter] = [
    (mem.cid == 1) & (mem.cap >= 3) & (mem.cap < 6) & (mem.value > 120),
    mem.cid.IN(0, 2) & (mem.value < 250),
    (mem.cid == 1) | (mem.cap == 9),
    ((mem.cid == 1) & (mem.value > 130)) | ((mem.mid == 2) & (mem.value < 30)),
    ~(mem.cid == 1),
    mem.value % 50 == 0,
    mem.payload == 111,
    mem.value == "111",
    EXISTS(mem.nowhere),
    (mem.cid == 1) & (mem.cid == 2),
    (mem.cap >= mem.mid) & (mem.cid != 0),
    mem.cap.IN(range(0, 10, 2)) & mem.mid.IN(0, 2) & mem.cid.IN(0, 2),
]


@pytest.mark.parametrize("node", FILTERS, ids=lambda node: str(node)[:50])
def test_get_finds_what_the_predicate_finds(channel: RecordChannel[float], node: Filter) -> None:
    answer = channel.get(where=node)
    assert answer.is_ok()
    assert isinstance(answer.data, RecordBatch)
    assert sorted(answer.data) == expected(node)
    assert answer.acq > 0
    *records, last = channel.get_iter(where=node)
    assert sorted(records) == expected(node)  # type: ignore[type-var]
    assert isinstance(last, ResponseAcq)
    assert last.is_ok()
    parts: list[Any] = []
    assert channel.get_stream(None, None, parts.append, where=node).is_ok()
    assert sorted(record for part in parts for record in part) == expected(node)
    assert all(map(len, parts))


def test_a_filter_narrows_a_range(channel: RecordChannel[float]) -> None:
    low, high = Key(0, 0, 0, 2, 0), Key(3, 1, 1, 5, 2)
    found = channel.get(low, high, where="value > 100")
    assert sorted(found.data) == [
        record for record in RECORDS if record.value > 100 and record.key.mid == 0 and 2 <= record.key.cap < 5
    ]
    assert channel.get(high, low, where=mem.value > 100).status == S.BAD_REQUEST


def test_the_smallest_ranges_are_asked_for(channel: RecordChannel[float]) -> None:
    node = (mem.cid == 1) & (mem.cap >= 3) & (mem.cap < 6) & (mem.value > 120)
    explanation = channel.get(where=node, explain=True)
    assert str(explanation) == "keys: get cid 1, cap from 3 to 5\ntested here: value > 120"
    assert channel.get(where=mem.cid.IN(0, 2), explain=True).requests == ("get cid 0", "get cid 2")
    assert channel.get(Key(1), Key(2, 2, 2, 2, 2), where="cap > 0", explain=True).requests == (
        "get cid 1, mid from -1 to 1, moid from -1 to 1, cap 1, acq from -1 to 1",
    )
    assert channel.get(Key.min(), Key.max(), explain=True).requests == ("get all keys",)
    assert pickle.loads(pickle.dumps(explanation)) == explanation


def test_a_rest_can_be_refused(channel: RecordChannel[float]) -> None:
    with pytest.raises(CannotFilter, match="`value > 0`"):
        channel.get(where=(mem.cid == 1) & (mem.value > 0), partial=False)
    assert len(channel.get(where=(mem.cid == 1) & (mem.mid > 0), partial=False).data) == 20


def test_what_is_no_filter_is_refused(channel: RecordChannel[float]) -> None:
    for wrong in (5, True, mem.cid, {"cid": 1}):
        with pytest.raises(InvalidInput):
            channel.get(where=wrong)  # type: ignore[call-overload]
    with pytest.raises(InvalidInput, match="a range is two Keys"):
        channel.get()
    with pytest.raises(InvalidInput, match="cid"):
        channel.get(Key(2**40), Key.max(), where=mem.cid == 1)


def test_behind_lazy_and_async(channel: RecordChannel[float]) -> None:
    lazy = channel.lazy()
    value = lazy.get(where=(mem.cid == 1) & (mem.mid == 1) & (mem.cap == 1)).data[0].value
    answers = [lazy.get(where=(mem.cid == cid) & (mem.value >= value)) for cid in range(3)]
    assert [len(answer.data) for answer in answers] == [0, 19, 30]
    calls = channel.async_()
    calls.get(where=mem.value == value)
    assert [len(answer.data) for answer in calls.results()] == [1]


PAYLOADS: list[tuple[PayloadType[Any], list[Any], Filter]] = [
    (NumpyPayloadType([("temp", "f4"), ("name", "U4")]), [(1.5, "a"), (2.5, "b")], mem.temp > 2),
    (TuplePayloadType("<dI"), [(1.5, 1), (2.5, 2)], mem.v1 == 2),
    (BytesPayloadType(), [b"one", b"two"], mem.value == b"two"),
    (BytesPayloadType(), [b"one", b"three"], mem.value.re("^th")),
    (BytesPayloadType(), [b"\xff\xfe", b"ok"], EXISTS(mem.payload) & mem.payload.IN("ok")),
    (StructPayloadType("<q"), [2**53, 2**53 + 1], mem.value == 2**53 + 1),
]


@pytest.mark.parametrize(("payload_type", "values", "node"), PAYLOADS, ids=lambda one: str(one)[:40])
def test_payloads_of_any_type_are_tested(
    tmp_path: Path, payload_type: PayloadType[Any], values: list[Any], node: Filter
) -> None:
    with API.embedded(tmp_path) as api:
        channel = api.record(payload_type)
        channel.put([Record(Key(1, number, 0, 0), value) for number, value in enumerate(values)])
        assert [record.value for record in channel.get(where=node).data] == values[1:]
        assert channel.get(where=(mem.mid == 0) & node).data[:] == []
        assert [record.value for record in channel.get(where=~node).data] == values[:1]


def test_keys_without_payload(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        channel = api.record(UnitPayloadType())
        channel.put([Record(Key(1, mid, 0, 0), ()) for mid in range(5)])
        assert len(channel.get(where=mem.mid % 2 == 0).data) == 3
        assert len(channel.get(where=EXISTS(mem.value)).data) == 0


@pytest.mark.needs("threads", "columns of a million records")
def test_the_memory_limit_bounds_what_matches(tmp_path: Path) -> None:
    count = 3 * TESTED_AT_ONCE // 44
    with API.embedded(tmp_path) as api:
        channel = api.record(StructPayloadType("<d"), memory_limit=100_000)
        assert channel.put(RecordBatch(1, np.arange(count), 0, 0, payload=np.arange(count, dtype=float)))
        found = channel.get(where=mem.value % 1000 == 0)
        assert len(found.data) == -(-count // 1000)
        refused = channel.get(where=mem.value % 10 == 0)
        assert refused.status == S.NO_MEMORY
        assert 0 < len(refused.data) < count // 10
        assert channel.get(where=mem.value == 5).is_ok()


def test_a_channel_of_its_own_asks_for_one_range_after_the_other(api: API) -> None:
    host, port = api.record.address()
    with Channel(host, port, StructPayloadType("<d"), 20.0) as channel:
        node = nodes.Or(tuple((mem.cid == cid) & (mem.mid == 2 - cid) for cid in range(3)))
        assert len(channel.get(where=node, explain=True).requests) == 3
        for _ in range(2):
            assert sorted(channel.get(where=node).data) == expected(node)
        iterator = channel.get_iter(where=node)
        next(iterator)
        iterator.close()  # type: ignore[attr-defined]
        assert not channel.is_connected
