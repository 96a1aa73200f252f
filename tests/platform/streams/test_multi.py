"""Points of several streams, joined by their times."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.platform.streams import store as stores
from flowthings_like.platform.streams.multi import Grid, join
from flowthings_like.platform.streams.points import Points
from flowthings_like.wire.btrdb import v5api

from .harness import Direct, Refused

pytestmark = pytest.mark.once


def points(times: list[int]) -> Points:
    ordered = np.sort(np.array(times, np.int64))
    return Points(ordered, ordered.astype(float), np.full(len(ordered), 11))


def snapped(times: list[int], period: int, start: int, end: int) -> dict[int, set[int]]:
    """For each instant the times that are nearest to it: what a reader of the rules would compute."""
    found: dict[int, list[int]] = {}
    for time in times:
        if time < end:
            low = time // period * period
            instant = low if time - low < low + period - time else low + period
            if start <= instant < end:
                found.setdefault(instant, []).append(time)
    return {
        instant: {time for time in near if abs(time - instant) == min(abs(t - instant) for t in near)}
        for instant, near in found.items()
    }


@given(
    st.lists(st.integers(-50, 50), max_size=20),
    st.integers(1, 12),
    st.integers(-40, 30),
    st.integers(1, 40),
)
def test_snapping(times: list[int], period: int, start: int, size: int) -> None:
    grid = Grid(period, start, start + size)
    counted = points([time for time in times if grid.first <= time < grid.end])
    joined = join([counted], grid)
    expected = snapped(times, period, start, start + size)
    assert joined.times.tolist() == sorted(expected)
    for instant, value in zip(joined.times.tolist(), joined.columns[0].tolist(), strict=True):
        assert value in expected[instant]


@given(st.integers(0, 12), st.integers(-50, 50), st.integers(1, 60), st.integers(1, 30))
def test_parts_end_between_instants(period: int, start: int, size: int, step: int) -> None:
    """Whatever the parts, no instant is in two of them."""
    grid = Grid(period, start, start + size)
    place, seen = grid.first, []
    while place < grid.end:
        cut = grid.cut(place, place + step)
        assert cut > place
        seen += join([points(list(range(place, cut)))], grid).times.tolist()
        place = cut
    assert seen == join([points(list(range(grid.first, grid.end)))], grid).times.tolist()


def multi(direct: Direct, uuids: list[UUID], start: int, end: int, **more: Any) -> Any:
    import pyarrow as pa

    params = v5api.ArrowMultiValuesParams(uuid=[uuid.bytes for uuid in uuids], start=start, end=end, **more)
    answers = direct.stream("ArrowMultiValues", params, v5api.ArrowMultiValuesResponse)
    return pa.concat_tables([pa.ipc.open_stream(answer.arrowBytes).read_all() for answer in answers])


@pytest.mark.parametrize("at_once", [4, 1 << 18])
def test_two_streams(direct: Direct, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(stores, "READ_AT_ONCE", at_once)
    one, two = direct.create(), direct.create()
    for batch in range(3):
        direct.insert(one, [(batch * 100 + n, float(n)) for n in range(5)])
        direct.insert(two, [(batch * 100 + n, -float(n)) for n in range(3, 8)])
    table = multi(direct, [one, two], 0, 1000)
    assert table.column_names == ["time", str(one), str(two)]
    rows = np.column_stack([table.column(name).to_numpy() for name in (str(one), str(two))])
    nan = np.nan
    expected = [[0, nan], [1, nan], [2, nan], [3, -3], [4, -4], [nan, -5], [nan, -6], [nan, -7]] * 3
    assert np.array_equal(rows, np.array(expected, float), equal_nan=True)
    assert multi(direct, [one, two], 0, 1000, versionMajor=[11, 12]).num_rows == 8 + 5
    snapped = multi(direct, [one, two], 0, 1000, snapPeriodNs=100)
    assert snapped.column(str(two)).to_pylist() == [-3.0] * 3
    assert multi(direct, [one, two], 5000, 6000).num_rows == 0


def test_refusals(direct: Direct) -> None:
    uuid = direct.create()
    for arguments in ({"versionMajor": [1, 2]}, {"snapPeriodNs": -1}, {"templateBytes": b"nonsense"}):
        with pytest.raises(Refused, check=lambda error: error.code == 421):
            multi(direct, [uuid], 0, 10, **arguments)
    with pytest.raises(Refused, check=lambda error: error.code == 421):
        multi(direct, [], 0, 10)


def test_arrow_bytes_that_are_none(direct: Direct) -> None:
    uuid = direct.create()
    for data in (b"", b"nonsense"):
        with pytest.raises(Refused, check=lambda error: error.code == 421):
            direct.unary(
                "ArrowInsert",
                v5api.ArrowInsertParams(uuid=uuid.bytes, arrowBytes=data),
                v5api.InsertResponse,
            )


def test_without_pyarrow(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from flowthings_like.platform.streams.handlers import metadata

    uuid = direct.create()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    params = v5api.ArrowRawValuesParams(uuid=uuid.bytes, start=0, end=9)
    with pytest.raises(Refused, match="need the package pyarrow") as caught:
        list(direct.stream("ArrowRawValues", params, v5api.ArrowRawValuesResponse))
    assert caught.value.code == 501
    monkeypatch.setattr(metadata, "find_spec", lambda name: None)
    found = direct.unary("Info", v5api.InfoParams(), v5api.InfoResponse)
    assert found.minorVersion < 30  # clients do not try
