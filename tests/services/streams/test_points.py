"""Points as columns, and as what other libraries take."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flowthings_like import ConfigurationError
from flowthings_like.services.streams.collecting import collect_raw, collect_stat
from flowthings_like.services.streams.needed import needed
from flowthings_like.streams import RawPoint, RawPoints, StatPoint, StatPoints

pytestmark = pytest.mark.once

T0 = 1_706_702_400_123_456_789


def raw(count: int = 4, version: int = 12) -> RawPoints:
    return RawPoints(np.arange(count) + T0, np.arange(count) * 1.5, version)


def stat(count: int = 3) -> StatPoints:
    values = np.arange(count) * 1.5
    return StatPoints(
        np.arange(count) * 8, values, values + 1, values + 2, np.full(count, 5, "u8"), values, 7
    )


def test_iterating_gives_pairs_as_btrdb_does() -> None:
    pairs = list(raw())
    assert pairs[1] == (RawPoint(T0 + 1, 1.5), 12)
    point, version = pairs[1]
    assert (point.time, point.value, version) == (T0 + 1, 1.5, 12)
    assert (type(point.time), type(point.value)) == (int, float)
    point, version = list(stat())[1]
    assert point == StatPoint(8, 1.5, 2.5, 3.5, 5, 1.5)
    assert (point.min, point.mean, point.max, point.count, point.stddev, version) == (
        1.5,
        2.5,
        3.5,
        5,
        1.5,
        7,
    )
    assert type(point.count) is int


def test_a_length_slices_and_indexes() -> None:
    points = raw(5)
    assert len(points) == 5
    assert points[-1] == points[4] == (RawPoint(T0 + 4, 6.0), 12)
    assert points[1:3] == RawPoints(points.times[1:3], points.values[1:3], 12)
    assert points[1:3].times.base is not None  # no copy
    assert points[::-1].times.tolist() == points.times[::-1].tolist()
    assert stat()[:2].counts.tolist() == [5, 5]
    for index in (5, -6):
        with pytest.raises(IndexError):
            points[index]
    assert not raw(0)
    assert raw(1)


def test_equality_copies_and_pickles() -> None:
    points = raw()
    assert points == copy.copy(points) == copy.deepcopy(points) == pickle.loads(pickle.dumps(points))
    assert points != points[:-1]
    assert points != raw(4)[::-1]
    assert points != stat()
    assert pickle.loads(pickle.dumps(stat())) == stat()
    with pytest.raises(TypeError):
        hash(points)
    unknown = RawPoints(np.arange(2), np.array([np.nan, 1.0]))
    assert unknown == copy.deepcopy(unknown)
    assert repr(points) == f"<RawPoints: 4 from {T0} to {T0 + 3}, version 12>"
    assert repr(raw(0)) == "<RawPoints: 0, version 12>"


@pytest.mark.parametrize("points", [raw(), stat(), raw(0)], ids=["raw", "stat", "empty"])
def test_arrow_pandas_and_polars(points: RawPoints | StatPoints) -> None:
    table = pa.table(points)
    assert table == points.to_arrow()
    assert table.schema.field("time").type == pa.timestamp("ns", tz="UTC")
    assert not any(field.nullable for field in table.schema)
    assert tuple(table.column_names) == points.COLUMNS
    assert table.column("time").cast(pa.int64()).to_pylist() == points.times.tolist()
    frame = points.to_dataframe()
    assert frame.index.tz is not None
    assert frame.index.as_unit("ns").asi8.tolist() == points.times.tolist()
    assert frame.columns.tolist() == list(points.COLUMNS[1:])
    for made in (points.to_polars(), pl.DataFrame(points)):
        assert made.schema["time"] == pl.Datetime("ns", "UTC")
        assert made["time"].to_physical().to_list() == points.times.tolist()
        assert made.columns == list(points.COLUMNS)
    structured = points.to_numpy()
    assert structured.dtype.names == points.COLUMNS
    assert structured["time"].tolist() == points.times.tolist()
    assert pd.DataFrame(structured).shape == (len(points), len(points.COLUMNS))


def test_parts_are_put_together() -> None:
    whole = raw(1000)
    parts = [whole[:1], whole[1:1], whole[1:700], whole[700:]]
    assert collect_raw(iter(parts)) == whole
    assert collect_raw(iter(parts)).version == 12
    assert collect_raw([], 9).version == 9
    assert len(collect_stat([])) == 0
    assert collect_stat([stat(3)[:1], stat(3)[1:]]) == stat(3)


def test_a_point_takes_no_more_than_17_bytes() -> None:
    whole = raw(100_000)
    made = collect_raw(whole[first : first + 5000] for first in range(0, 100_000, 5000))
    assert sum(column.nbytes for column in made.columns) <= 17 * len(made)
    assert all(column.base is None for column in made.columns)


def test_a_notebook_gets_a_drawing() -> None:
    for points in (raw(5000), stat(), raw(1), RawPoints(np.arange(3), np.ones(3))):
        shown = points._repr_html_()
        assert shown.count("<svg") == shown.count("</svg>") == 1
        assert "nan" not in shown
        assert len(shown) < 100_000
    assert "<svg" not in raw(0)._repr_html_()
    empty = StatPoints(np.arange(3), *np.zeros((3, 3)), np.zeros(3, "u8"), np.zeros(3))
    assert "<polygon" not in empty._repr_html_()


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"pip install 'flowthings_like\[streams\]'"), needed():
        raise ModuleNotFoundError("no", name="google.protobuf")
    with pytest.raises(ConfigurationError, match="needs the package pandas"), needed():
        raise ModuleNotFoundError("no", name="pandas")
    with pytest.raises(ModuleNotFoundError), needed():
        raise ModuleNotFoundError("no", name="flowthings_like.nothing")
