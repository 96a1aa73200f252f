"""A stream's calls, against a server in memory of each version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like import InvalidInput
from flowthings_like.streams import (
    MAXIMUM_TIME,
    MINIMUM_TIME,
    Client,
    NotSupported,
    RawPoint,
    Stream,
    StreamNotFoundError,
    pointwidth,
    streams_errors,
)

from .conftest import connected
from .model import ModelServer, OldServer

SECOND = 10**9


@pytest.fixture
def any_client(either: ModelServer) -> Iterator[Client]:
    with connected(either) as client:
        yield client


@pytest.fixture
def any_stream(any_client: Client) -> Stream:
    return any_client.create(uuid4(), "sensors/jfk", {"name": "temp", "unit": "F"}, {"floor": 3})


def test_points_come_back_in_order(any_stream: Stream) -> None:
    version = any_stream.insert([(5, 1.0), (-7, 2.0), (5, 3.0), (0, 0.0), (2, 0.0)])
    points = any_stream.values(-10, 10)
    assert points.times.tolist() == [-7, 0, 2, 5, 5]
    assert points.values.tolist() == [2.0, 0.0, 0.0, 1.0, 3.0]  # equal times in the order of insertion
    assert points.version == version == any_stream.version() == 11
    assert any_stream.values(0, 5).times.tolist() == [0, 2]  # the end is excluded
    assert len(any_stream.values(6, 10)) == 0
    assert any_stream.raw_values(-10, 10) == points
    table = any_stream.arrow_values(-10, 10)
    assert table.column("value").to_pylist() == points.values.tolist()


def test_large_answers_come_in_parts(any_stream: Stream) -> None:
    any_stream.insert((np.arange(2500), np.arange(2500) * 0.5))
    parts = any_stream.values_iter(0, 5000)
    assert [len(part) for part in parts] == [500] * 5
    assert len(any_stream.values(0, 5000)) == 2500
    assert sum(len(part) for part in any_stream.windows_iter(0, 2500, 2)) == 1250
    assert sum(len(part) for part in any_stream.aligned_windows_iter(0, 2560, 1)) == 1250


def test_windows_of_any_width(any_stream: Stream) -> None:
    any_stream.insert([(10, 1.0), (12, 3.0), (25, 5.0), (41, 7.0)])
    windows = any_stream.windows(10, 48, 10)  # the last one would end after the end
    assert windows.times.tolist() == [10, 20, 30]
    assert windows.counts.tolist() == [2, 1, 0]
    assert windows.means.tolist() == [2.0, 5.0, 0.0]
    assert windows.mins.tolist() == [1.0, 5.0, 0.0]
    assert windows.maxes.tolist() == [3.0, 5.0, 0.0]
    assert any_stream.windows(50, 70, 10).counts.tolist() == [0, 0]
    assert any_stream.precise_windows(10, 48, 10) == windows
    for width in (0, -1):
        with pytest.raises(ValueError, match="width"):
            any_stream.windows(0, 10, width)
    with pytest.raises(TypeError):
        any_stream.windows(0, 10, "5")  # type: ignore[arg-type]


def test_aligned_windows(any_stream: Stream) -> None:
    any_stream.insert([(-5, 1.0), (3, 2.0), (9, 4.0), (17, 8.0)])
    windows = any_stream.aligned_windows(-3, 18, pointwidth(3))
    assert windows.times.tolist() == [-8, 0, 8]  # start and end rounded down; whole windows
    assert windows.counts.tolist() == [1, 1, 1]
    assert any_stream.aligned_windows(17, 18, 3).times.tolist() == []
    for wrong in (-1, 64):
        with pytest.raises(streams_errors.InvalidPointWidth):
            any_stream.aligned_windows(0, 10, wrong)


def test_deviations_are_unknown_in_version_4(either: ModelServer, any_stream: Stream) -> None:
    any_stream.insert([(1, 1.0), (2, 3.0)])
    deviation = any_stream.windows(0, 10, 10).stddevs[0]
    assert np.isnan(deviation) if isinstance(either, OldServer) else deviation == 1.0


def test_the_nearest_point(any_stream: Stream) -> None:
    assert any_stream.earliest() is any_stream.latest() is any_stream.nearest(0) is None
    any_stream.insert([(5, 1.0), (9, 2.0)])
    assert any_stream.nearest(5) == (RawPoint(5, 1.0), 11)
    assert any_stream.nearest(5, backward=True) is None  # strictly before
    assert any_stream.nearest(9, 0, True) == (RawPoint(5, 1.0), 11)
    assert any_stream.nearest(10) is None
    assert any_stream.earliest() == (RawPoint(5, 1.0), 11)
    assert any_stream.latest() == any_stream.current() == (RawPoint(9, 2.0), 11)


def test_counting_is_exact(any_stream: Stream) -> None:
    late = 2**61 + 12345  # after 2043, which btrdb's count() does not see
    times = [MINIMUM_TIME, -1, 0, 1, 1, 70_000, 2**40 + 3, late, MAXIMUM_TIME - 1]
    any_stream.insert([(time, 1.0) for time in times])
    assert any_stream.count() == len(times)
    assert any_stream.count(0, 2) == 3
    assert any_stream.count(0, 2**40 + 4) == 5
    assert any_stream.count(2**61, MAXIMUM_TIME, precise=True) == 2
    assert any_stream.count(1, 70_000) == 2
    assert any_stream.count(1, 9, pointwidth=3) == 3  # by whole windows, when they are asked for


@given(
    st.lists(st.integers(-(2**34), 2**34), max_size=40),
    st.integers(-(2**34), 2**34),
    st.integers(1, 2**35),
)
def test_counts_are_those_of_the_points(times: list[int], start: int, length: int) -> None:
    for server in (ModelServer(), OldServer()):
        with connected(server) as client:
            stream = client.create(uuid4(), "a")
            stream.insert([(time, 1.0) for time in times])
            expected = sum(start <= time < start + length for time in times)
            assert stream.count(start, start + length) == expected


def test_versions(any_stream: Stream) -> None:
    assert any_stream.version() == 10
    first = any_stream.insert([(1, 1.0)])
    second = any_stream.insert([(2, 2.0)])
    assert (first, second) == (11, 12)
    assert len(any_stream.values(0, 10)) == 2
    assert len(any_stream.values(0, 10, version=first)) == 1
    assert len(any_stream.values(0, 10, first)) == any_stream.count(0, 10, version=first) == 1
    assert len(any_stream.values(0, 10, version=1)) == 0
    for read in (
        lambda: any_stream.values(0, 10, 13),
        lambda: any_stream.windows(0, 10, 5, version=13),
        lambda: any_stream.aligned_windows(0, 10, 2, 13),
        lambda: any_stream.nearest(0, 13),
    ):
        with pytest.raises(streams_errors.VersionNotAvailable):
            read()
    for wrong in (-1, 2**64):
        with pytest.raises(ValueError, match="version"):
            any_stream.values(0, 10, wrong)
    with pytest.raises(TypeError):
        any_stream.values(0, 10, version="1")  # type: ignore[arg-type]


def test_pinning(any_stream: Stream) -> None:
    any_stream.insert([(1, 1.0)])
    assert any_stream.pin() is any_stream
    any_stream.insert([(2, 2.0)])
    assert any_stream.pinned_version == 11
    assert any_stream.count(0, 10) == len(any_stream.values(0, 10)) == 1
    assert any_stream.latest() == (RawPoint(1, 1.0), 11)
    assert len(any_stream.values(0, 10, version=12)) == 2
    assert any_stream.version() == 12
    assert any_stream.pin(10).count() == 0
    assert any_stream.unpin().count() == 2


def test_changes(any_stream: Stream) -> None:
    any_stream.insert([(1, 1.0), (9, 1.0)])
    any_stream.insert([(100, 1.0)])
    assert any_stream.changes(10) == [{"start": 1, "end": 10}, {"start": 100, "end": 101}]
    assert any_stream.changes(11) == [{"start": 100, "end": 101}]
    assert any_stream.changes(10, 11, resolution=4) == [{"start": 0, "end": 16}]
    assert list(any_stream.changes_iter(12)) == []
    with pytest.raises(streams_errors.BTRDBServerError):
        any_stream.changes(12, 11)


def test_deleting(any_stream: Stream) -> None:
    any_stream.insert([(time, 1.0) for time in range(10)])
    assert any_stream.delete(3, 7) == 12
    assert any_stream.values(0, 10).times.tolist() == [0, 1, 2, 7, 8, 9]
    assert any_stream.count(0, 10, version=11) == 10
    assert any_stream.flush() == 12
    with pytest.raises(streams_errors.InvalidTimeRange):
        any_stream.delete(7, 3)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("never", [(1, 1.0), (1, 1.0), (1, 2.0), (1, 3.0)]),
        ("equal", [(1, 1.0), (1, 2.0), (1, 3.0)]),
        ("retain", [(1, 1.0)]),
        ("replace", [(1, 3.0)]),
    ],
)
def test_merge_policies(stream: Stream, merge: str, expected: list[tuple[int, float]]) -> None:
    stream.insert([(1, 1.0)])
    stream.insert([(1, 1.0), (1, 2.0), (1, 3.0)], merge)
    points = stream.values(0, 10)
    assert list(zip(points.times.tolist(), points.values.tolist(), strict=True)) == expected


def test_a_policy_that_does_not_exist(any_stream: Stream, either: ModelServer) -> None:
    with pytest.raises(ValueError, match="'never', 'equal', 'retain', 'replace'"):
        any_stream.insert([(1, 1.0)], "sometimes")
    if isinstance(either, OldServer):
        with pytest.raises(NotSupported, match="'retain'"):
            any_stream.insert([(1, 1.0)], "retain")
    assert any_stream.count() == 0


def test_large_inserts_take_several_calls(either: ModelServer, any_stream: Stream) -> None:
    any_stream.insert((np.arange(120_000), np.zeros(120_000)))
    sizes = [len(body) // 20 for name, body in either.calls if name == "Insert"]
    most = 25_000 if isinstance(either, OldServer) else 50_000
    assert sizes == [most] * (120_000 // most) + ([120_000 % most] if 120_000 % most else [])


def test_a_server_that_takes_fewer_points(either: ModelServer, any_stream: Stream) -> None:
    either.most = 1000
    any_stream.insert((np.arange(5000), np.zeros(5000)))
    assert any_stream.count() == 5000
    refused = len([name for name, _ in either.calls if name == "Insert"])
    any_stream.insert((np.arange(5000), np.zeros(5000)))
    assert len([name for name, _ in either.calls if name == "Insert"]) - refused <= 8  # it has learnt
    either.most = 0
    with pytest.raises(streams_errors.BTRDBServerError, match="414"):
        any_stream.insert([(1, 1.0)])


def test_an_insert_that_fails_in_the_middle_says_how_far_it_came(
    server: ModelServer, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = server.Insert, []

    def insert(body: bytes) -> object:
        calls.append(body)
        if len(calls) == 3:
            server.streams.clear()
        return original(body)

    monkeypatch.setattr(server, "Insert", insert)
    with pytest.raises(StreamNotFoundError) as caught:
        stream.insert((np.arange(150_000), np.zeros(150_000)))
    assert caught.value.inserted == 100_000  # type: ignore[attr-defined]


def test_nothing_is_sent_of_data_with_a_fault(either: ModelServer, any_stream: Stream) -> None:
    sent = len(either.calls)
    good = [(time, 1.0) for time in range(60_000)]
    for bad in ((60_000, None), (60_000, float("nan")), (MAXIMUM_TIME, 1.0), ("noon", 1.0)):
        with pytest.raises(ValueError, match="point 60000"):
            any_stream.insert([*good, bad])
    assert len(either.calls) == sent
    assert any_stream.insert([]) == 10  # the version, and no insert
    assert [name for name, _ in either.calls[sent:]] == ["StreamInfo"]


def test_metadata(any_stream: Stream) -> None:
    assert (any_stream.collection, any_stream.name, any_stream.unit) == ("sensors/jfk", "temp", "F")
    assert any_stream.tags() == {"name": "temp", "unit": "F"}
    assert any_stream.annotations() == ({"floor": 3}, 1)
    again = any_stream.btrdb.stream_from_uuid(str(any_stream.uuid).upper())
    assert repr(again) == f"<Stream {any_stream.uuid}>"
    assert again == any_stream
    assert hash(again) == hash(any_stream)
    assert again.exists()
    assert again.name == "temp"
    assert repr(again) == f"<Stream {any_stream.uuid} sensors/jfk/temp>"
    again.tags()["name"] = "changed"
    assert again.name == "temp"


def test_a_stream_that_is_not_there(any_client: Client) -> None:
    stream = any_client.stream_from_uuid(uuid4())
    assert not stream.exists()
    for call in (
        lambda: stream.name,
        lambda: stream.values(0, 1),
        lambda: stream.insert([(0, 1.0)]),
        lambda: stream.version(),
        lambda: stream.delete(0, 1),
        lambda: stream.obliterate(),
        lambda: stream.values(0, 1, 5),
    ):
        with pytest.raises(StreamNotFoundError):
            call()
    assert "stream does not exist" in stream._repr_html_()


@pytest.mark.parametrize(
    "value",
    [
        "5",
        "true",
        "null",
        '"x"',
        "plain",
        "",
        "NaN",
        5,
        1.5,
        None,
        True,
        [1, "a"],
        {"a": {"b": None}},
        "{a}",
        "ä",
    ],
)
def test_annotations_come_back_as_they_were(any_stream: Stream, value: object) -> None:
    any_stream.update(annotations={"it": value})
    for stream in (any_stream, any_stream.btrdb.stream_from_uuid(any_stream.uuid)):
        found, _ = stream.annotations()
        assert (found["it"], type(found["it"])) == (value, type(value))
    (listed,) = any_stream.btrdb.streams_in_collection("sensors", annotations={"floor": None})
    assert listed.annotations()[0]["it"] == value


def test_changing_annotations(any_client: Client, any_stream: Stream) -> None:
    assert any_stream.update(annotations={"room": "b", "id": UUID(int=5)}) == 2
    assert any_stream.annotations() == ({"floor": 3, "room": "b", "id": str(UUID(int=5))}, 2)
    by_uuid = any_client.stream_from_uuid(any_stream.uuid)
    assert by_uuid.update(annotations={"room": "c"}, replace=True) == 3
    assert by_uuid.annotations(refresh=True) == ({"room": "c"}, 3)
    with pytest.raises(streams_errors.BTRDBServerError, match="423") as caught:
        any_stream.update(annotations={"room": "d"})
    assert caught.value.code == 423
    any_stream.refresh_metadata()
    assert any_stream.update(annotations={"room": "d"}, encoder=None) == 4
    with pytest.raises(InvalidInput):
        any_stream.update()
    for wrong in (float("nan"), {1, 2}, object(), {"a": {1}}, b"bytes"):
        with pytest.raises(ValueError, match="JSON"):
            any_stream.update(annotations={"it": wrong})
    any_stream.update(annotations={"it": [Decimal("1.5"), date(2024, 1, 31), np.int64(5)]})
    assert any_stream.annotations()[0]["it"] == ["1.5", "2024-01-31", 5]
    for wrong in ({"annotations": [1]}, {"tags": {"name": 5}}, {"tags": {5: "a"}}, {"collection": 5}):
        with pytest.raises(TypeError):
            any_stream.update(**wrong)  # type: ignore[arg-type]


def test_changing_tags_and_collection(any_stream: Stream, either: ModelServer) -> None:
    if isinstance(either, OldServer):
        with pytest.raises(NotSupported):
            any_stream.update(tags={"unit": "C"})
        return
    assert any_stream.update(tags={"unit": "C"}) == 2
    assert any_stream.tags() == {"name": "temp", "unit": "C"}
    assert any_stream.update(collection="sensors/lga", annotations={"a": 1}) == 4
    assert (any_stream.collection, any_stream.annotations()[0]) == ("sensors/lga", {"floor": 3, "a": 1})


def test_obliterating(any_client: Client, any_stream: Stream) -> None:
    any_stream.obliterate()
    assert not any_stream.exists()
    assert len(any_client.streams_in_collection()) == 0
    with pytest.raises(streams_errors.RecycledUUID):
        any_client.create(any_stream.uuid, "sensors/jfk")


def test_retention(client: Client, stream: Stream) -> None:
    assert stream.get_retention() == {"remove_older_than": None, "is_inherited": True}
    client.set_collection_retention("sensors/jfk", remove_older_than=timedelta(days=7))
    week = {"retention": {"remove_older_than": timedelta(days=7)}}
    assert client.get_collection_properties("sensors/jfk") == week
    assert stream.get_retention() == {"remove_older_than": timedelta(days=7), "is_inherited": True}
    stream.set_retention(timedelta(days=1))
    assert stream.get_retention() == {"remove_older_than": timedelta(days=1), "is_inherited": False}
    stream.set_retention()
    assert stream.get_retention() == {"remove_older_than": None, "is_inherited": False}
    stream.set_retention(inherit=True)
    assert stream.get_retention()["is_inherited"]
    stream.set_retention(timedelta(days=1))
    client.set_collection_retention("sensors/jfk", False, timedelta(days=9))
    assert not stream.get_retention()["is_inherited"]
    client.set_collection_retention("sensors/jfk", True, timedelta(days=9))
    assert stream.get_retention() == {"remove_older_than": timedelta(days=9), "is_inherited": True}
    client.set_collection_retention("sensors/jfk")
    assert client.get_collection_properties("sensors/jfk") == {"retention": {"remove_older_than": None}}
    for wrong in (timedelta(0), timedelta(-1), 0):
        with pytest.raises(ValueError, match="longer than 0"):
            stream.set_retention(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="timedelta"):
        stream.set_retention("7 days")  # type: ignore[arg-type]


def test_what_only_our_store_has(any_stream: Stream, either: ModelServer) -> None:
    with pytest.raises(NotSupported):
        any_stream.get_version_at_time("2024-01-01")
    if isinstance(either, OldServer):
        for call in (any_stream.get_retention, any_stream.set_retention, any_stream.btrdb.list_devices):
            with pytest.raises(NotSupported):
                call()


def test_a_notebook_gets_a_drawing(any_stream: Stream) -> None:
    assert "no points" in any_stream._repr_html_()
    any_stream.insert((np.arange(3000) * SECOND, np.sin(np.arange(3000) / 100)))
    shown = any_stream._repr_html_()
    assert "<svg" in shown
    assert "sensors/jfk/temp (F)" in shown
    any_stream.insert([(MAXIMUM_TIME - 1, 5.0), (MINIMUM_TIME, 5.0)])
    assert "<svg" in any_stream._repr_html_()
