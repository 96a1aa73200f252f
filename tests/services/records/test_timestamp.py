"""Times of TStorage and unix times."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.records import (
    InvalidInput,
    Tstoragedatetime,
    from_unix,
    from_unix_ns,
    now,
    now_ns,
    to_unix,
    to_unix_ns,
)

pytestmark = pytest.mark.once

EPOCH = datetime(2001, 1, 1, tzinfo=timezone.utc)
I64 = st.integers(-(2**63), 2**63 - 1)


def test_the_epoch_is_2001() -> None:
    assert to_unix(0) == EPOCH.timestamp() == 978307200
    assert to_unix_ns(0) == 978307200 * 10**9
    assert Tstoragedatetime.from_tstorage_ns(0) == Tstoragedatetime(EPOCH, 0)
    assert Tstoragedatetime.from_unix_ns(0) == Tstoragedatetime(datetime(1970, 1, 1, tzinfo=timezone.utc), 0)


@given(I64)
def test_whole_numbers_come_back(number: int) -> None:
    assert from_unix(to_unix(number)) == from_unix_ns(to_unix_ns(number)) == number
    assert Tstoragedatetime.from_tstorage_ns(number).to_tstorage_ns() == number
    assert Tstoragedatetime.from_unix_ns(number).to_unix_ns() == number
    assert 0 <= Tstoragedatetime.from_unix_ns(number).nanoseconds < 1000


@given(st.integers(-(10**9), 10**9))
def test_whole_seconds_are_exact(seconds: int) -> None:
    assert Tstoragedatetime.from_unix(seconds).to_unix_ns() == seconds * 10**9
    assert Tstoragedatetime.from_tstorage(seconds).to_tstorage() == seconds
    assert isinstance(to_unix(seconds), int)
    assert isinstance(to_unix(float(seconds)), float)


def test_a_fraction_before_1970() -> None:
    moment = Tstoragedatetime.from_unix(-0.5)
    assert moment.datetime == datetime(1969, 12, 31, 23, 59, 59, 500_000, timezone.utc)
    assert (moment.to_unix_ns(), moment.to_unix()) == (-500_000_000, -0.5)


def test_nanoseconds_that_a_datetime_cannot_hold() -> None:
    moment = Tstoragedatetime.from_unix_ns(1_700_000_000_123_456_789)
    assert (moment.datetime.microsecond, moment.nanoseconds) == (123456, 789)
    assert moment.to_unix_ns() == 1_700_000_000_123_456_789


def test_seconds_keep_the_digits_that_a_float_has() -> None:
    assert Tstoragedatetime.from_unix(1_700_000_000.125).to_unix_ns() == 1_700_000_000_125_000_000
    assert Tstoragedatetime.from_tstorage(0.1).to_tstorage_ns() == 100_000_000


def test_a_time_zone() -> None:
    zone = timezone(timedelta(hours=2))
    moment = Tstoragedatetime.from_tstorage(0, tzinfo=zone)
    assert (moment.datetime.hour, moment.datetime.tzinfo) == (2, zone)
    assert moment.to_tstorage_ns() == 0


def test_without_a_time_zone_it_is_utc() -> None:
    assert Tstoragedatetime(datetime(2001, 1, 1), 5).to_tstorage_ns() == 5


def test_they_are_ordered() -> None:
    earlier, later = Tstoragedatetime(EPOCH, 1), Tstoragedatetime(EPOCH, 2)
    assert earlier < later < Tstoragedatetime(EPOCH + timedelta(microseconds=1), 0)
    assert len({earlier, Tstoragedatetime(EPOCH, 1)}) == 1


def test_now() -> None:
    before = time.time_ns()
    found, seconds = to_unix_ns(now_ns()), to_unix(now())
    after = time.time_ns()
    assert before <= found <= after
    assert before / 1e9 - 1 <= seconds <= after / 1e9 + 1


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_what_is_no_time(seconds: float) -> None:
    with pytest.raises(InvalidInput):
        Tstoragedatetime.from_unix(seconds)
