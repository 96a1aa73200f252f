"""Windows of many points, whose rollups are used, against numpy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like.platform.streams import reading, windows, writer
from flowthings_like.platform.streams.segments import SEGMENT_POINTS
from flowthings_like.platform.streams.statistics import Statistics, merge, summarize
from flowthings_like.platform.streams.store import StreamStore

from .harness import Direct

pytestmark = pytest.mark.once

COUNT = 300_000
START = -(10**15)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stream of 300,000 points with gaps and bursts, in several segments; its arrays."""
    store = StreamStore(tmp_path_factory.mktemp("windows"))
    direct = Direct(store)
    uuid = direct.create()
    rng = np.random.default_rng(5)
    steps = rng.choice([1, 1000, 8_333_333, 10**10], COUNT, p=[0.1, 0.1, 0.795, 0.005])
    times = START + np.cumsum(steps)
    values = 1e6 + np.round(rng.normal(0, 1, COUNT), 3)
    for part in range(0, COUNT, 70_000):
        direct.insert_arrays(uuid, times[part : part + 70_000], values[part : part + 70_000])
    direct.insert_arrays(uuid, times[:10] + 1, values[:10])  # recent points within an old segment
    times = np.concatenate([times, times[:10] + 1])
    order = np.argsort(times, kind="stable")
    yield direct, uuid, times[order], np.concatenate([values, values[:10]])[order]
    store.close()


def expected(times: Any, values: Any, keys: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    if not len(keys):
        return found
    edges = np.append(np.flatnonzero(np.append(True, keys[1:] != keys[:-1])), len(keys))
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[low:high]
        found.append((int(keys[low]), part.min(), part.mean(), part.max(), high - low, part.std()))
    return found


def agree(found: list[Any], wanted: list[Any]) -> None:
    a, b = np.array(found, float), np.array(wanted, float)
    assert a.shape == b.shape
    assert [row[0] for row in found] == [row[0] for row in wanted]
    assert (a[:, [1, 3, 4]] == b[:, [1, 3, 4]]).all()
    assert np.allclose(a[:, 2], b[:, 2], rtol=1e-12)
    assert np.allclose(a[:, 5], b[:, 5], rtol=1e-6, atol=1e-9)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), width=st.integers(20, 61))
def test_aligned_windows(loaded: Any, data: Any, width: int) -> None:
    direct, uuid, times, values = loaded
    low = data.draw(st.integers(0, COUNT - 1))
    high = data.draw(st.integers(low + 1, min(COUNT, low + max(1, (1 << width) // 4000))))
    start, end = int(times[low]), int(times[high]) + 1
    first, last = start >> width << width, end >> width << width
    inside = (times >= first) & (times < last)
    found = direct.aligned(uuid, start, end, width)
    wanted = expected(times[inside], values[inside], times[inside] >> width << width)
    agree(found, wanted) if wanted else None
    assert bool(found) == bool(wanted)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_windows(loaded: Any, data: Any) -> None:
    direct, uuid, times, values = loaded
    low = data.draw(st.integers(0, COUNT - 1))
    start = int(times[low]) + data.draw(st.integers(-1000, 1000))
    width = data.draw(st.integers(1, 20).map(lambda power: 10**power // 7 + 1).filter(lambda w: w < 10**16))
    count = data.draw(st.integers(1, 300))
    found = direct.windows(uuid, start, start + count * width + data.draw(st.integers(0, width - 1)), width)
    assert len(found) == count
    inside = (times >= start) & (times < start + count * width)
    wanted = expected(times[inside], values[inside], start + (times[inside] - start) // width * width)
    filled = [row for row in found if row[4]]
    agree(filled, wanted) if wanted else None
    assert len(filled) == len(wanted)


def test_long_ranges_read_no_points(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    direct, uuid, times, _values = loaded

    def refuse(cursor: Any, ids: Any, start: int, end: int) -> Any:
        assert not len(ids), "points were read"
        return reading.fetch(cursor, ids, start, end)

    monkeypatch.setattr(windows, "fetch", refuse)
    start, end = int(times[0]), int(times[-1]) + 1
    assert sum(row[4] for row in direct.aligned(uuid, start, end + (1 << 42), 42)) == len(times)
    assert sum(row[4] for row in direct.aligned(uuid, start, end + (1 << 55), 55)) == len(times)


def test_a_window_has_the_points_of_all_segments(loaded: Any) -> None:
    direct, uuid, times, values = loaded
    (found,) = direct.aligned(uuid, int(times[0]), 1, 60)[:1]
    agree([found], expected(times, values, times >> 60 << 60))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-1e9, 1e9)), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_merging_parts_is_summarizing_all(points: list[tuple[int, float]], parts: int) -> None:
    keys = np.array([key for key, _ in points])
    values = np.array([value for _, value in points])
    whole = summarize(keys, values)
    merged = merge([summarize(keys[part::parts], values[part::parts]) for part in range(parts)])
    for name in ("times", "mins", "maxes", "counts"):
        assert (getattr(whole, name) == getattr(merged, name)).all()
    scale = np.abs(values).max() + 1
    assert np.allclose(whole.means, merged.means, rtol=1e-12, atol=1e-12 * scale)
    assert np.allclose(whole.stddevs, merged.stddevs, rtol=1e-6, atol=1e-8 * scale)
    assert ((merged.means >= merged.mins) & (merged.means <= merged.maxes)).all()


def test_variances_of_large_values_keep_their_digits() -> None:
    values = np.array([1e9, 1e9 + 1, 1e9 + 2])
    merged = merge([summarize(np.zeros(1, np.int64), values[n : n + 1]) for n in range(3)])
    assert merged.stddevs[0] == pytest.approx(np.sqrt(2 / 3), rel=1e-12)


def test_nothing_merged_is_nothing() -> None:
    assert len(merge([Statistics.empty()])) == 0


def test_segments_overlap_and_are_read_in_order(direct: Direct) -> None:
    """Batches that come in no order of time, with one point in two of them."""
    uuid = direct.create()
    size = SEGMENT_POINTS + 1000
    even = np.arange(0, 2 * size, 2)
    direct.insert_arrays(uuid, even, np.zeros(size))
    direct.insert_arrays(uuid, even + 1, np.ones(size))
    direct.insert_arrays(uuid, even, np.full(size, 2.0))
    found = direct.values(uuid, 0, 4 * size)
    assert [time for time, _ in found] == sorted([*even.tolist() * 2, *(even + 1).tolist()])
    assert found[:4] == [(0, 0.0), (0, 2.0), (1, 1.0), (2, 0.0)]
    assert direct.values(uuid, 0, 3, 12) == [(0, 0.0), (1, 1.0), (2, 0.0)]
    assert direct.aligned(uuid, 0, 1 << 20, 20)[0][4] == 3 * size


def test_recent_points_are_bounded(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_RECENT_POINTS", 2000)
    monkeypatch.setattr(writer, "_COUNTED_AFTER", 100)
    uuids = [direct.create() for _ in range(30)]
    for batch in range(10):
        for uuid in uuids:
            times = np.arange(50) + batch * 50
            direct.insert_arrays(uuid, times, times.astype(float))
    states = [direct.store.find("acme", uuid).current() for uuid in uuids]
    assert sum(len(state.recent) for state in states) <= 2000 + 100
    for uuid in uuids:
        assert direct.values(uuid, 0, 1000) == [(time, float(time)) for time in range(500)]
        assert direct.values(uuid, 0, 1000, 12) == [(time, float(time)) for time in range(100)]


def test_small_segments_are_joined(direct: Direct) -> None:
    uuid: UUID = direct.create()
    for batch in range(20):
        times = np.arange(10_000) + batch * 10_000
        direct.insert_arrays(uuid, times, times.astype(float))
        for each in range(3):
            direct.insert_arrays(uuid, times[each::3][:4000], np.ones(len(times[each::3][:4000])))
    state = direct.store.find("acme", uuid).current()
    assert len(state.segments) < 14
    assert sum(row[4] for row in direct.aligned(uuid, 0, 1 << 20, 20)) == 20 * 20_000
    assert len(direct.values(uuid, 0, 1 << 20, 11)) == 10_000
