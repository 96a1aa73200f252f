"""Keys, records and statuses."""

from __future__ import annotations

import copy
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import FlowThingsError, InvalidInput
from flowthings_like.wire.tstorage.record import FIELDS, InvalidRecord, Key, Record, find_invalid_key
from flowthings_like.wire.tstorage.status import ResponseStatus
from tests.wire.tstorage.reference import KEYS

pytestmark = pytest.mark.once


def test_a_key_has_the_documents_defaults() -> None:
    assert Key() == Key(cid=-1, mid=-1, moid=-1, cap=-1, acq=-1)
    assert repr(Key(3, acq=5)) == "Key(cid=3, mid=-1, moid=-1, cap=-1, acq=5)"


def test_the_lowest_and_the_highest_key() -> None:
    assert Key.min() == Key(0, -(2**63), -(2**31), -(2**63), -(2**63))
    assert Key.max() == Key(2**31 - 1, 2**63 - 1, 2**31 - 1, 2**63 - 1, 2**63 - 1)
    assert Key.min() < Key(0, 0, 0, 0, 0) < Key.max()


def test_keys_and_records_are_ordered_hashable_and_immutable() -> None:
    assert Key(1, 9, 9, 9, 9) < Key(2, 0, 0, 0, 0)
    assert Record(Key(1), 5) < Record(Key(1), 6) < Record(Key(2), 0)
    assert len({Record(Key(1), 5), Record(Key(1), 5), Key(1), Key(1)}) == 2
    with pytest.raises(AttributeError):
        Key().cid = 4  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Record(Key(), 4).value = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Record(Key(), 4).other = 5  # type: ignore[attr-defined]


def test_a_record_says_what_it_is() -> None:
    record = Record(Key(1, 2, 3, 4, 5), 7.5)
    assert repr(record) == "Record(key=Key(cid=1, mid=2, moid=3, cap=4, acq=5), value=7.5)"
    for other in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), Record[float](*record)):
        assert other == record
        assert type(other) is Record
    match record:
        case Record(Key(cid=1), value):
            assert value == 7.5
        case _:
            pytest.fail("it does not match")


@given(KEYS)
def test_a_key_as_bytes_and_back(key: Key) -> None:
    packed = key.to_bytes()
    assert packed == struct.pack("<iqiqq", *key)
    assert Key.from_bytes(packed) == key
    assert Key.from_bytes(b"abc" + packed + b"d", 3) == key
    assert len(packed) == Key.bytes_count() == 32
    assert key.to_bytes(with_acq=False) == packed[:24]
    assert key.to_bytes(with_cid=False) == packed[4:]
    assert key.to_bytes(with_cid=False, with_acq=False) == packed[4:24]
    assert key.valid()


def test_bytes_that_are_no_key() -> None:
    packed = Key(1, 2, 3, 4, 5).to_bytes()
    assert Key.from_bytes(packed[:-1]) is None
    assert Key.from_bytes(packed, 1) is None
    assert Key.from_bytes(packed, -1) is None
    assert Key.from_bytes(Key(-1).to_bytes()) is None


@pytest.mark.parametrize("name", FIELDS)
def test_a_number_out_of_range_is_one_clear_error(name: str) -> None:
    highest = FIELDS[name][1]
    good = Key(1, 2, 3, 4, 5)._replace(**{name: highest})
    wrong = good._replace(**{name: highest + 1})
    assert (good.valid(), wrong.valid()) == (True, False)
    with pytest.raises(InvalidRecord, match=f"{name} must be .* to {highest}, but is {highest + 1}"):
        wrong.to_bytes()
    found = find_invalid_key([good, wrong])
    assert found is not None
    assert found.index == 1
    assert find_invalid_key([good, good]) is None


def test_numbers_are_integers() -> None:
    for wrong in ("1", 1.0, None):
        with pytest.raises(InvalidRecord, match="mid must be an integer, but is"):
            Key(1, wrong, 1, 1, 1).to_bytes()  # type: ignore[arg-type]
    assert Key(*np.arange(5)).to_bytes() == Key(0, 1, 2, 3, 4).to_bytes()
    assert Key(*np.arange(5)).valid()


def test_acq_does_not_count_where_it_is_not_sent() -> None:
    key = Key(1, 2, 3, 4, 2**63)
    assert find_invalid_key([key], with_acq=False) is None
    assert find_invalid_key([key]) is not None
    assert key.to_bytes(with_acq=False) == Key(1, 2, 3, 4).to_bytes(with_acq=False)


def test_a_key_with_the_number_minus_one_can_be_packed() -> None:
    assert Key.from_bytes(Key(cid=0).to_bytes()) == Key(cid=0)
    assert not Key().valid()
    assert Key().to_bytes()[:4] == b"\xff" * 4


def test_an_invalid_record_is_bad_input_and_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(InvalidRecord("so", 5)))
    assert (str(error), error.index) == ("so", 5)
    assert isinstance(error, (InvalidInput, FlowThingsError, ValueError))


@given(st.sampled_from(ResponseStatus))
def test_a_status_is_true_only_if_it_is_ok(status: ResponseStatus) -> None:
    assert bool(status) is status.is_ok() is (status == 0)


def test_the_statuses_have_the_documents_numbers() -> None:
    assert {status.name: int(status) for status in ResponseStatus} == {
        "OK": 0,
        "ERROR": -1,
        "DISCONNECTED": 128,
        "BAD_REQUEST": 129,
        "UNPARSEABLE_ENTITY": 130,
        "NO_MEMORY": 131,
    }
