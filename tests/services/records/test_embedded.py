"""The client and the embedded store: which keys are stored, which ranges are refused, what the acq means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like import API
from flowthings_like.records import (
    BytesPayloadType,
    Key,
    Record,
    RecordBatch,
    ResponseStatus,
    StructPayloadType,
    now_ns,
)
from flowthings_like.services.records.api_client import RecordChannel

S = ResponseStatus
ALL = Key.min(), Key.max()
FIELDS = list(Key._fields)
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[RecordChannel[bytes]]:
    with API.embedded(tmp_path) as api:
        yield api.record(BytesPayloadType())


def stored(channel: RecordChannel[Any]) -> list[Key]:
    answer = channel.get(*ALL)
    assert answer
    return [record.key for record in answer.data]


@pytest.mark.parametrize("field", FIELDS)
def test_a_key_at_a_maximum(field: str, channel: RecordChannel[bytes]) -> None:
    """It is in no range, so it is dropped. A put does not send its acq."""
    key = Key(1, 2, 3, 4, 5)._replace(**{field: getattr(Key.max(), field)})
    assert channel.puta([Record(key, b"a")]).status == S.OK
    assert stored(channel) == []
    assert channel.put([Record(key, b"a")]).status == S.OK
    assert len(stored(channel)) == (field == "acq")


@pytest.mark.parametrize("field", FIELDS)
def test_a_key_below_a_maximum_and_at_a_minimum(field: str, channel: RecordChannel[bytes]) -> None:
    below = Key(1, 2, 3, 4, 5)._replace(**{field: getattr(Key.max(), field) - 1})
    lowest = Key(1, 2, 3, 4, 5)._replace(**{field: getattr(Key.min(), field)})
    assert channel.puta([Record(below, b"a"), Record(lowest, b"b")])
    # A record of the future is not shown until the clock gets there.
    assert sorted(stored(channel)) == sorted([lowest] if field == "acq" else [below, lowest])


def test_all_maxima_and_all_minima(channel: RecordChannel[bytes]) -> None:
    assert channel.puta([Record(Key.max(), b"a"), Record(Key.min(), b"b")])
    assert stored(channel) == [Key.min()]


@pytest.mark.parametrize(
    ("low", "high", "get", "acq"),
    [
        (Key.min()._replace(cid=-1), Key.max(), S.BAD_REQUEST, S.ERROR),
        (Key.min(), Key.max()._replace(cid=-5), S.BAD_REQUEST, S.ERROR),
        (Key.max(), Key.min(), S.BAD_REQUEST, S.ERROR),  # its lower acq lies in the future
        *[
            (Key.min()._replace(**{field: 7}), Key.max()._replace(**{field: 7}), S.BAD_REQUEST, S.OK)
            for field in FIELDS
        ],
        (Key.min(), Key.max(), S.OK, S.OK),
    ],
)
def test_ranges(
    low: Key, high: Key, get: ResponseStatus, acq: ResponseStatus, channel: RecordChannel[bytes]
) -> None:
    assert channel.get(low, high).status == get
    assert channel.get_acq(low, high).status == acq


def test_a_lower_acq_in_the_future(channel: RecordChannel[bytes]) -> None:
    low = Key.min()._replace(acq=now_ns() + 3600 * 10**9)
    assert channel.get(low, Key.max()).status == S.BAD_REQUEST
    assert channel.get_acq(low, Key.max()).status == S.ERROR
    for now in (0, now_ns()):
        assert channel.get(Key.min()._replace(acq=now), Key.max()).status == S.OK


@pytest.mark.parametrize("acq", [1, 15, 100])
def test_the_acq_is_that_of_the_range_or_the_present(acq: int, channel: RecordChannel[bytes]) -> None:
    before = now_ns()
    found = channel.get_acq(*ALL).acq
    assert before <= found <= now_ns()
    assert channel.get_acq(Key.min(), Key.max()._replace(acq=acq)).acq == acq
    assert channel.get(Key.min(), Key.max()._replace(acq=acq)).acq == acq


def test_stamps_lie_between_two_looks_at_the_clock(channel: RecordChannel[bytes]) -> None:
    before = now_ns()
    assert channel.put([Record(Key(1, 2, 3, 4, 5), b"")])
    after = now_ns()
    (key,) = stored(channel)
    assert before <= key.acq < after


def test_equal_keys_are_both_kept(channel: RecordChannel[bytes]) -> None:
    assert channel.puta([Record(Key(1, 2, 3, 4, 5), b"a"), Record(Key(1, 2, 3, 4, 5), b"b")])
    assert len(stored(channel)) == 2


SMALL = st.builds(
    Key, st.integers(0, 3), st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 3)
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@FEW
@given(st.lists(st.builds(Record, SMALL, st.floats(allow_nan=False)), min_size=1, max_size=30), SMALL, SMALL)
def test_a_range_is_a_box(api: API, records: list[Record[float]], low: Key, high: Key) -> None:
    channel = api.record(StructPayloadType("<d"))
    mid = now_ns()  # each example has a range of its own
    moved = [Record(key._replace(mid=mid + key.mid), value) for key, value in records]
    assert channel.puta(RecordBatch.from_records(moved, channel.payload_type))
    answer = channel.get(low._replace(mid=mid + low.mid), high._replace(mid=mid + high.mid))
    if any(one >= other for one, other in zip(low, high, strict=True)):
        assert answer.status == S.BAD_REQUEST
        return
    found = [
        Record(key._replace(mid=mid + key.mid), value)
        for key, value in records
        if all(lowest <= at < highest for lowest, at, highest in zip(low, key, high, strict=True))
    ]
    assert sorted(answer.data) == sorted(found)
