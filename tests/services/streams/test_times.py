"""Times from whatever a caller has, exact to the nanosecond."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.services.streams.times import (
    MAXIMUM_TIME,
    MINIMUM_TIME,
    check_range,
    check_time,
    datetime_to_ns,
    ns_delta,
    ns_to_datetime,
    timedelta_to_ns,
    to_nanoseconds,
)
from flowthings_like.streams import streams_errors

pytestmark = pytest.mark.once

NOON = 1_706_702_400 * 10**9  # 2024-01-31T12:00:00Z
ODD = NOON + 123_456_789
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ODD, ODD),
        (0, 0),
        (-5, -5),
        (np.int64(ODD), ODD),
        (float(NOON), NOON),
        (str(ODD), ODD),
        ("-5", -5),
        (b"17", 17),
        (datetime(2024, 1, 31, 12), NOON),
        (datetime(2024, 1, 31, 13, tzinfo=PARIS), NOON),
        (datetime(2024, 1, 31, 12, 0, 0, 123_456), NOON + 123_456_000),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999), -1000),
        (date(2024, 1, 31), NOON - 12 * 3600 * 10**9),
        ("2024-01-31", NOON - 12 * 3600 * 10**9),
        ("2024-01-31 12:00", NOON),
        ("2024-01-31 12:00:00", NOON),
        ("2024-01-31T12:00:00Z", NOON),
        ("2024-01-31T12:00:00.123456789Z", ODD),
        ("2024-01-31 12:00:00.123456789", ODD),
        ("2024-01-31T13:00:00.123456789+01:00", ODD),
        ("2024-01-31T07:30:00.123456789-0430", ODD),
        ("2024-01-31T13:00:00,5+01", NOON + 500_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
        (np.datetime64(ODD, "ns"), ODD),
        (np.datetime64("2024-01-31T12:00:00"), NOON),
        (np.datetime64("2024-01-31T12:00:00.123"), NOON + 123_000_000),
        (np.datetime64("2024-01", "M"), 1_704_067_200 * 10**9),
        (np.datetime64(5000, "ps"), 5),
        (pd.Timestamp(ODD), ODD),
        (pd.Timestamp(ODD, tz="UTC").tz_convert("Europe/Paris"), ODD),
        (pd.Timestamp("2024-01-31T12:00:00"), NOON),
    ],
    ids=str,
)
def test_exact_times(value: Any, expected: int) -> None:
    found = to_nanoseconds(value)
    assert found == expected
    assert type(found) is int


@given(st.integers(MINIMUM_TIME, MAXIMUM_TIME))
def test_nanoseconds_survive_every_type(time: int) -> None:
    assert to_nanoseconds(np.datetime64(time, "ns")) == time
    assert to_nanoseconds(str(np.datetime64(time, "ns"))) == time
    assert to_nanoseconds(pd.Timestamp(time)) == time
    micro = time // 1000 * 1000
    assert to_nanoseconds(ns_to_datetime(time)) == micro
    assert datetime_to_ns(ns_to_datetime(time).astimezone(PARIS)) == micro


@pytest.mark.parametrize("value", [None, True, [], object(), pd.NaT, np.datetime64("NaT", "ns"), Decimal(5)])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(TypeError, match="start is"):
        to_nanoseconds(value, "start")


@pytest.mark.parametrize(
    "value", ["", "noon", "2024-13-01", "2024-01-31T25:00", "5.5", 0.5, float("nan"), float("inf"), "١٢"]
)
def test_what_is_no_time_although_it_looks_like_one(value: Any) -> None:
    with pytest.raises(ValueError, match="which is no"):
        to_nanoseconds(value)


def test_ranges() -> None:
    assert check_range("1970-01-01", 5) == (0, 5)
    assert check_range(MINIMUM_TIME, MAXIMUM_TIME) == (MINIMUM_TIME, MAXIMUM_TIME)
    for start, end in ((5, 5), (6, 5), (MINIMUM_TIME - 1, 5), (5, MAXIMUM_TIME + 1)):
        with pytest.raises(streams_errors.InvalidTimeRange):
            check_range(start, end)
    with pytest.raises(TypeError, match="end is None"):
        check_range(0, None)
    assert check_time(MAXIMUM_TIME, "time") == MAXIMUM_TIME


def test_spans() -> None:
    assert ns_delta(1, 1, 1, 1, 1, 1, 1) == 90_061_001_001_001
    assert ns_delta(days=365 * 40) == 365 * 40 * 86_400 * 10**9
    assert ns_delta(seconds=Decimal("0.1")) == 100_000_000
    assert timedelta_to_ns(timedelta(days=400, microseconds=1)) == 400 * 86_400 * 10**9 + 1000
    assert timedelta_to_ns(pd.Timedelta(5, "ns")) == 5
    assert timedelta_to_ns(timedelta(seconds=-1)) == -(10**9)
