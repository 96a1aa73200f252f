"""What holds points, and what is refused before anything is sent."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.services.streams.inserting import LATEST, to_columns
from flowthings_like.services.streams.times import MINIMUM_TIME
from flowthings_like.streams import RawPoint, RawPoints, streams_errors

pytestmark = pytest.mark.once

T0 = 1_706_702_400_123_456_789
TIMES = [T0, T0 + 1, T0 + 2]
VALUES = [1.5, -2.0, 0.0]
STAMPS = np.array(TIMES).view("datetime64[ns]")
ARRAYS = np.array(TIMES), np.array(VALUES)
FRAME = pd.DataFrame({"time": TIMES, "value": VALUES})
STRUCTURED = np.array(list(zip(TIMES, VALUES, strict=True)), [("time", "i8"), ("value", "f8")])
PAIRS = list(zip(TIMES, VALUES, strict=True))


@pytest.mark.parametrize(
    "data",
    [
        PAIRS,
        tuple(PAIRS),
        iter(PAIRS),
        [list(pair) for pair in PAIRS],
        [RawPoint(*pair) for pair in PAIRS],
        RawPoints(*ARRAYS),
        list(RawPoints(*ARRAYS)),
        ARRAYS,
        (STAMPS, np.array(VALUES, "f4")),
        (ARRAYS[0].astype("u8"), np.array(VALUES, dtype=object)),
        STRUCTURED,
        np.array(PAIRS, dtype=object),
        {"time": TIMES, "value": VALUES},
        {"value": ARRAYS[1], "time": STAMPS},
        [(np.int64(time), np.float32(value)) for time, value in PAIRS],
        [(str(time), Decimal(str(value))) for time, value in PAIRS],
        [(pd.Timestamp(time), value) for time, value in PAIRS],
        FRAME,
        FRAME.assign(time=pd.to_datetime(FRAME["time"])),
        FRAME.assign(time=pd.to_datetime(FRAME["time"], utc=True).dt.tz_convert("Asia/Tokyo")),
        FRAME.assign(value=VALUES, extra=0)[["extra", "value", "time"]],
        pd.Series(VALUES, index=pd.DatetimeIndex(STAMPS)),
        pd.Series(VALUES, index=pd.DatetimeIndex(STAMPS, tz="UTC").tz_convert("America/New_York")),
        pd.DataFrame({"value": VALUES}, index=pd.DatetimeIndex(STAMPS)),
        (FRAME["time"], FRAME["value"]),
        pa.table({"time": pa.array(STAMPS, pa.timestamp("ns", tz="UTC")), "value": VALUES}),
        pa.table({"when": pa.array(TIMES), "what": VALUES}),
        pa.table({"value": VALUES, "time": TIMES, "other": VALUES}),
        pl.DataFrame({"time": TIMES, "value": VALUES}),
        pl.DataFrame({"time": pl.Series(TIMES).cast(pl.Datetime("ns", "UTC")), "value": VALUES}),
    ],
    ids=lambda data: type(data).__name__,
)
def test_all_kinds_of_data(data: Any) -> None:
    points = to_columns(data)
    assert points.times.tolist() == TIMES
    assert points.values.tolist() == VALUES
    assert (points.times.dtype, points.values.dtype) == ("i8", "f8")


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_times_in_other_units(unit: str) -> None:
    stamps = np.array(["2024-01-31T12:00:00", "1960-01-01"], f"datetime64[{unit}]")
    expected = stamps.astype("datetime64[ns]").view("i8").tolist()
    assert to_columns((stamps, np.ones(2))).times.tolist() == expected
    table = pa.table({"time": pa.array(stamps), "value": [1.0, 2.0]})
    assert to_columns(table).times.tolist() == expected
    assert to_columns(pd.Series([1, 2], index=pd.DatetimeIndex(stamps))).times.tolist() == expected


def test_datetimes_and_dates() -> None:
    points = to_columns([(datetime(2024, 1, 31, tzinfo=timezone.utc), 1), ("2024-02-01", 2)])
    assert points.times.tolist() == [1_706_659_200 * 10**9, 1_706_745_600 * 10**9]
    assert to_columns((np.array(["2024-01"], "datetime64[M]"), np.ones(1))).times[0] == 1_704_067_200 * 10**9


@pytest.mark.parametrize(
    "nothing", [[], (), {"time": [], "value": []}, pd.DataFrame(columns=["time", "value"])]
)
def test_nothing(nothing: Any) -> None:
    assert len(to_columns(nothing)) == 0


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("inf"), -float("inf"), "1.5", True, b"1", [], pd.NA, pd.NaT, 10**400]
)
def test_values_that_are_none(value: Any) -> None:
    for data in (
        [(1, 2.0), (2, value)],
        {"time": [1, 2], "value": [2.0, value]},
        pd.DataFrame({"time": [1, 2], "value": pd.Series([2.0, value], dtype=object)}),
    ):
        with pytest.raises(streams_errors.BadValue, match="point 1"):
            to_columns(data)


def test_missing_values_in_columns() -> None:
    for data in (
        (np.arange(3), np.array([1, np.nan, 2])),
        pd.DataFrame({"time": [1, 2, 3], "value": pd.array([1, None, 3], "Int64")}),
        pd.DataFrame({"time": [1, 2, 3], "value": [1, None, 3]}),
    ):
        with pytest.raises(streams_errors.BadValue, match="point 1"):
            to_columns(data)
    for column in ({"time": [1, 2], "value": [1.0, None]}, {"time": [1, None], "value": [1.0, 2.0]}):
        for table in (pa.table(column), pl.DataFrame(column)):
            with pytest.raises(ValueError, match="nulls"):
                to_columns(table)


@pytest.mark.parametrize(
    "time",
    [
        MINIMUM_TIME - 1,
        LATEST + 1,
        2**63,
        -(2**70),
        0.5,
        "noon",
        np.datetime64("1500-01-01"),
        np.datetime64(2**62, "s"),
    ],
)
def test_times_that_are_none(time: Any) -> None:
    with pytest.raises(streams_errors.InvalidTimeRange, match="the time of point 1"):
        to_columns([(0, 1.0), (time, 2.0)])


@pytest.mark.parametrize(
    "times",
    [
        np.array([0, LATEST + 1]),
        np.array([0, 2**63], "u8"),
        np.array([0, 0.5]),
        np.array(["1970-01-01", "1500-01-01"], "datetime64[s]"),
        np.array(["1970-01-01", "NaT"], "datetime64[ns]"),
        np.array([0, 2**62], "datetime64[s]"),
    ],
    ids=str,
)
def test_columns_of_times_that_are_none(times: Any) -> None:
    with pytest.raises(streams_errors.InvalidTimeRange):
        to_columns((times, np.ones(2)))


@pytest.mark.parametrize(
    "data",
    [
        *(None, 5, "text", b"bytes", [1, 2], [(1, 2, 3)], [(1,)], [None], {"time": [1]}),
        *({"times": [1], "values": [1]}, {"time": [1, 2], "value": [1.0]}),
        *(np.arange(4), np.ones((2, 3)), pd.DataFrame({"a": [1]}), pa.table({"a": [1]})),
    ],
    ids=lambda data: repr(data)[:30],
)
def test_what_holds_no_points(data: Any) -> None:
    with pytest.raises(TypeError):
        to_columns(data)


@given(
    st.lists(st.tuples(st.integers(MINIMUM_TIME, LATEST), st.floats(allow_nan=False, allow_infinity=False)))
)
def test_lists_and_arrays_are_the_same(pairs: list[tuple[int, float]]) -> None:
    points = to_columns(pairs)
    assert list(zip(points.times.tolist(), points.values.tolist(), strict=True)) == pairs
    again = to_columns((points.times, points.values))
    assert (again.times == points.times).all()
