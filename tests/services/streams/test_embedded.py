"""The client and the embedded platform's store, one against the other and against plain numpy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowthings_like import API, force
from flowthings_like.streams import (
    MAXIMUM_TIME,
    MINIMUM_TIME,
    Client,
    RawPoint,
    Stream,
    StreamSet,
    connect,
    streams_errors,
)

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
TIMES = st.integers(-3000, 3000) | st.integers(MINIMUM_TIME, MAXIMUM_TIME - 1)
POINTS = st.lists(st.tuples(TIMES, st.floats(-1e6, 1e6)), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture
def stream(api: API) -> Stream:
    return new_stream(api)


def new_stream(api: API, **tags: str) -> Stream:
    return api.stream.create(uuid4(), f"sensors/{uuid4()}", {"name": "temp", "unit": "F", **tags}, {"n": 1})


def model(points: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """The points as arrays, in order; equal times in the order of insertion."""
    times, values = np.array([point[0] for point in points]), np.array([point[1] for point in points])
    order = np.argsort(times, kind="stable")
    return times[order], values[order]


def windows_of(
    times: np.ndarray, values: np.ndarray, edges: list[int], width: int
) -> list[tuple[int, int, float, float]]:
    found = []
    for edge in edges:
        inside = values[(times >= edge) & (times < edge + width)]
        if len(inside):
            found.append((edge, len(inside), float(inside.min()), float(inside.max())))
    return found


def seen(windows: Any) -> list[tuple[int, int, float, float]]:
    has = windows.counts > 0
    columns = windows.times[has], windows.counts[has], windows.mins[has], windows.maxes[has]
    return list(zip(*(column.tolist() for column in columns), strict=True))


@FEW
@given(POINTS, st.data())
def test_windows_are_those_of_the_points(api: API, points: list[tuple[int, float]], data: Any) -> None:
    stream = new_stream(api)
    stream.insert(points[: len(points) // 2])
    stream.insert(points[len(points) // 2 :])
    times, values = model(points)
    every = stream.values(MINIMUM_TIME, MAXIMUM_TIME)
    assert every.times.tolist() == times.tolist()
    assert every.values.tolist() == values.tolist()
    assert stream.count() == len(points)

    start = data.draw(st.integers(-4000, 4000))
    end = start + data.draw(st.integers(1, 8000))
    inside = (times >= start) & (times < end)
    assert stream.values(start, end).times.tolist() == times[inside].tolist()
    assert stream.count(start, end) == int(inside.sum())

    width = data.draw(st.integers(max(1, (end - start) // 50), end - start))
    edges = list(range(start, start + (end - start) // width * width, width))
    windows = stream.windows(start, end, width)
    assert seen(windows) == windows_of(times, values, edges, width)
    mean = {edge: values[(times >= edge) & (times < edge + width)].mean() for edge, *_ in seen(windows)}
    for time, found, count in zip(windows.times.tolist(), windows.means, windows.counts, strict=True):
        assert not count or found == pytest.approx(mean[time], rel=1e-9, abs=1e-6)

    exponent = data.draw(st.integers(0, 56))
    size = 1 << exponent
    first, last = (start, end) if exponent < 12 else (MINIMUM_TIME, MAXIMUM_TIME)
    edges = sorted({int(time) // size * size for time in times.tolist()})
    edges = [edge for edge in edges if first // size * size <= edge < last // size * size]
    assert seen(stream.aligned_windows(first, last, exponent)) == windows_of(times, values, edges, size)

    at = data.draw(TIMES)
    after, before = times[times >= at], times[times < at]
    forward, backward = stream.nearest(at), stream.nearest(at, backward=True)
    assert (forward and forward[0].time) == (int(after[0]) if len(after) else None)
    assert (backward and backward[0].time) == (int(before[-1]) if len(before) else None)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("never", [(1, 1.0), (1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)]),
        ("equal", [(1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)]),
        ("retain", [(1, 1.0), (2, 5.0)]),
        ("replace", [(1, 2.0), (2, 6.0)]),
    ],
)
def test_merge_policies(stream: Stream, merge: str, expected: list[tuple[int, float]]) -> None:
    stream.insert([(1, 1.0)])
    stream.insert([(1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)], merge)
    assert [tuple(point) for point, _ in stream.values(0, 10)] == expected


def test_versions(stream: Stream) -> None:
    first = stream.version()
    second = stream.insert([(1, 1.0)])
    third = stream.insert([(2, 2.0)])
    assert first < second < third == stream.version()
    assert len(stream.values(0, 10, second)) == 1
    assert stream.count(version=first) == 0
    with pytest.raises(streams_errors.VersionNotAvailable):
        stream.values(0, 10, third + 1)
    assert stream.changes(second, third)
    assert all(change["start"] <= 2 < change["end"] for change in stream.changes(second))
    assert stream.pin(second).count() == 1
    deleted = stream.unpin().delete(0, 2)
    assert (deleted, stream.count(), stream.count(version=third)) == (third + 1, 1, 2)


def test_bounds(stream: Stream) -> None:
    assert stream.insert([(MINIMUM_TIME, 1.0), (MAXIMUM_TIME - 1, 2.0)])
    assert stream.earliest() == (RawPoint(MINIMUM_TIME, 1.0), stream.version())
    assert stream.latest() == (RawPoint(MAXIMUM_TIME - 1, 2.0), stream.version())
    assert stream.count() == 2


def test_metadata_and_searches(api: API, stream: Stream) -> None:
    client = api.stream
    assert client.stream_from_uuid(stream.uuid).annotations() == ({"n": 1}, 1)
    assert stream.update(tags={"unit": "C"}, annotations={"room": "b"}) == 3
    assert list(client.streams(f"{stream.collection}/temp")) == [stream]
    assert list(client.streams_in_collection(stream.collection, tags={"unit": "C"})) == [stream]
    assert list(client.streams_in_collection(stream.collection, annotations={"room": None})) == [stream]
    assert len(client.streams_in_collection(stream.collection.upper())) == 0
    assert client.list_collections(stream.collection) == [stream.collection]
    assert client.list_unique_units(stream.collection) == ["C"]
    client.create(uuid4(), stream.collection.replace("-", "_"), {"name": "other"})
    assert client.list_unique_names(stream.collection.replace("-", "_")) == ["other"]
    assert client.list_unique_annotations(stream.collection) == ["n", "room"]
    rows = client.sql_query("select name, unit from streams where collection = $1", [stream.collection])
    assert rows == [{"name": "temp", "unit": "C"}]
    with pytest.raises(streams_errors.StreamExists):
        client.create(stream.uuid, "other")
    stream.obliterate()
    assert not client.stream_from_uuid(stream.uuid).exists()


def test_retention_devices_and_units(api: API, stream: Stream) -> None:
    client = api.stream
    client.set_collection_retention(stream.collection, remove_older_than=timedelta(days=7))
    found = client.get_collection_properties(stream.collection)
    assert found == {"retention": {"remove_older_than": timedelta(days=7)}}
    assert stream.get_retention() == {"remove_older_than": timedelta(days=7), "is_inherited": True}
    device = client.create_device(name="pmu")
    assert client.get_device(device)["name"] == "pmu"
    unit = client.create_unit(name="volt")
    assert unit in [row["id"] for row in client.list_units()]


def test_sets(api: API) -> None:
    streams = StreamSet([new_stream(api, name=name) for name in ("a", "b", "c")])
    times = np.arange(5000) * 10
    streams.insert({stream.uuid: (times, times + number * 1.0) for number, stream in enumerate(streams)})
    windows = streams.aligned_windows(0, 50_000, 12)
    assert [int(each.counts.sum()) for each in windows] == [4916] * 3
    assert streams.count() == 15_000
    chosen = streams.filter(start=100, end=200)
    assert chosen.to_numpy().shape == (10, 3)
    assert len(chosen.rows()) == 10
    assert "<svg" in streams[0]._repr_html_()


def test_lazy_calls(api: API) -> None:
    lazy = api.lazy()
    streams = [new_stream(api) for _ in range(20)]
    with lazy:
        for time in range(10):
            for stream in streams:
                lazy.stream.stream_from_uuid(stream.uuid).insert([(time, time * 1.0)])
    windows = [lazy.stream.stream_from_uuid(stream.uuid).windows(0, 10, 5) for stream in streams]
    assert [each.counts.tolist() for each in windows] == [[5, 5]] * 20
    assert force(lazy.stream.info())["major_version"] == 5


def test_another_client_with_the_address(api: API, stream: Stream) -> None:
    host, port, key = api.stream.address()
    with connect(f"{host}:{port}", apikey=key) as client:
        assert client.stream_from_uuid(stream.uuid).exists()
    with Client(f"{host}:{port}", "wrong") as other, pytest.raises(streams_errors.PermissionDenied):
        other.list_collections()


def test_reopening_the_folder(tmp_path: Path) -> None:
    uuid = uuid4()
    with API.embedded(tmp_path) as api:
        api.stream.create(uuid, "a").insert((np.arange(1000), np.ones(1000)))
    with API.embedded(tmp_path) as api:
        assert api.stream.stream_from_uuid(uuid).count() == 1000
