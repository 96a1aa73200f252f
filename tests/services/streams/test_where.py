"""Filters on points and windows: they find what the predicate finds, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from flowthings_like import API, InvalidInput, mem
from flowthings_like.filters import EXISTS, NOT, Filter
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.streams import RawPoints, StatPoints, Stream, StreamSet

COUNT = 20_000
NODES: list[Filter | str] = [
    mem.value > 30,
    (mem.value > 10) & (mem.value <= 20.5) | (mem.time < 5),
    mem.value % 2 == 0,
    mem.value.IN(1, 2.5, "3"),
    mem.value != 7,
    mem.time >= 2**60,
    "value > 30 && NOT EXISTS nowhere",
    mem.value == "7",
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def stream(api: API) -> Stream:
    made: Stream = api.stream.create(uuid4(), "sensors/jfk", {"name": "temp"})
    times = np.arange(COUNT) * 7
    made.insert((times, (times % 100) / 2))
    return made


def expected(points: Any, node: Any) -> list[Any]:
    from flowthings_like.filters import parse

    test = compile_predicate(parse(node) if isinstance(node, str) else node)  # type: ignore[arg-type]
    return [point for point, _ in points if test(point._asdict(), 0)]


@pytest.mark.parametrize("node", NODES, ids=str)
def test_points_are_those_that_the_predicate_finds(stream: Stream, node: Any) -> None:
    everything = stream.values(0, COUNT * 7)
    found = stream.values(0, COUNT * 7, where=node)
    assert isinstance(found, RawPoints)
    assert list(found.points()) == expected(everything, node)
    assert found == everything.where(node)
    assert found.version == everything.version
    parts = list(stream.values_iter(0, COUNT * 7, where=node))
    assert {part.version for part in parts} == {found.version}
    assert sum(map(len, parts)) == len(found)


def test_windows_too(stream: Stream) -> None:
    node = (mem.mean > 24.5) & (mem.count >= 1) & NOT(mem.stddev > 1000)
    for call, argument in ((stream.windows, 50), (stream.precise_windows, 50), (stream.aligned_windows, 6)):
        everything = call(0, 10_000, argument)
        found = call(0, 10_000, argument, where=node)
        assert isinstance(found, StatPoints)
        assert list(found.points()) == expected(everything, node)
        assert 0 < len(found) < len(everything)
    iterators = (
        stream.windows_iter(0, 10_000, 50, where=node),
        stream.precise_windows_iter(0, 10_000, 50, where=node),
        stream.aligned_windows_iter(0, 10_000, 6, where=node),
    )
    for iterator in iterators:
        assert 0 < sum(map(len, iterator)) < 200


def test_what_is_nan_is_missing(stream: Stream) -> None:
    windows = stream.windows(0, 100, 50)
    windows.stddevs = np.array([np.nan, 1.0])
    assert windows.where(EXISTS(mem.stddev)).times.tolist() == [50]
    assert windows.where(NOT(mem.stddev < 5)).times.tolist() == [0]


def test_sets_of_streams(api: API, stream: Stream) -> None:
    other = api.stream.create(uuid4(), "sensors/jfk", {"name": "other"})
    other.insert([(0, 100.0), (1, 5.0)])
    both = StreamSet([stream, other])
    node = mem.value > 49
    assert both.values(0, 700, where=node) == [one.values(0, 700, where=node) for one in both]
    assert both.values(where=node)[1].values.tolist() == [100.0]
    hot = mem.max > 49
    assert both.windows(0, 700, 70, where=hot) == [one.windows(0, 700, 70, where=hot) for one in both]
    assert both.aligned_windows(0, 700, 5, where=hot) == [
        one.aligned_windows(0, 700, 5, where=hot) for one in both
    ]
    assert both.precise_windows(0, 700, 70, where=hot)[1].times.tolist() == [0]
    with pytest.raises(InvalidInput, match="needs a start and an end"):
        both.clone().windows(70, where=hot)
    with pytest.raises(InvalidInput, match="needs a start and an end"):
        both.clone().aligned_windows(5, where=hot)


def test_behind_lazy_and_async(stream: Stream) -> None:
    lazy = stream.lazy()
    first = lazy.values(0, 7)
    found = lazy.values(0, 700, where=mem.value > first.values[0] + 49)
    assert found.values.tolist() == [49.5]
    calls = stream.async_()
    calls.windows(0, 700, 70, where=mem.mean > 1000)
    assert [len(one) for one in calls.results()] == [0]


def test_what_is_no_filter_is_refused_before_anything_is_asked(stream: Stream) -> None:
    for wrong in (30, True, mem.value, [mem.value > 3]):
        with pytest.raises(InvalidInput):
            stream.values_iter(0, 10, where=wrong)  # type: ignore[arg-type]
