"""Behind lazy() and async_(): calls at once, and small inserts in one."""

from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest

from flowthings_like import force
from flowthings_like.streams import Client, Stream, streams_errors
from flowthings_like.wire.btrdb import v5api

from .model import ModelServer, Refused


def names(server: ModelServer) -> list[str]:
    return [name for name, _ in server.calls]


def test_a_stream_from_its_uuid_is_no_call(client: Client, stream: Stream, server: ModelServer) -> None:
    stream.insert([(time, float(time)) for time in range(100)])
    lazy = client.lazy()
    found = [lazy.stream_from_uuid(stream.uuid).windows(0, 100, width) for width in (10, 20, 50)]
    assert [len(each) for each in found] == [10, 5, 2]
    assert found[0].counts.tolist() == [10] * 10
    view = lazy.stream_from_uuid(str(stream.uuid))
    assert view.values(0, 5).values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert view.uuid == stream.uuid
    assert [len(part) for part in view.values_iter(0, 10)] == [10]
    assert view.count() + view.nearest(5)[0].time == 105
    assert sorted(point.time for point, _ in view.values(0, 3)) == [0, 1, 2]


def test_calls_of_a_client(client: Client, stream: Stream) -> None:
    lazy = client.lazy()
    made, collections = lazy.create(uuid4(), "b"), lazy.list_collections()
    assert made.collection == "b"
    assert set(collections) <= {"b", "sensors/jfk"}
    found = lazy.streams_in_collection("sensors")
    assert len(found) == 1
    assert found.filter(name="temp").count() == 0
    assert found[0] == stream
    assert lazy.info()["major_version"] == 5
    with pytest.raises(streams_errors.StreamNotFoundError):
        force(lazy.stream_from_uuid(uuid4()).version())
    assert client.lazy().concurrency_limit == client.concurrency_limit


def test_small_inserts_travel_together(client: Client, stream: Stream, server: ModelServer) -> None:
    other = client.create(uuid4(), "other")
    lazy = client.lazy()
    before = names(server).count("Insert")
    with lazy:
        versions = [
            lazy.stream_from_uuid(of.uuid).insert([(time, float(time))])
            for time in range(200)
            for of in (stream, other)
        ]
    assert {int(version) for version in versions} <= set(range(11, 40))
    assert names(server).count("Insert") - before < 60
    for of in (stream, other):
        assert of.values(0, 1000).times.tolist() == list(range(200))


def test_each_insert_has_its_own_error(client: Client, stream: Stream, server: ModelServer) -> None:
    lazy = client.lazy()
    with lazy:
        good = [lazy.stream_from_uuid(stream.uuid).insert([(time, 1.0)]) for time in range(5)]
        bad = lazy.stream_from_uuid(stream.uuid).insert([(5, None)])
        lost = lazy.stream_from_uuid(UUID(int=1)).insert([(6, 1.0)])
        late = lazy.stream_from_uuid(stream.uuid).insert([(7, 1.0)], merge="replace")
        again = lazy.stream_from_uuid(stream.uuid).insert([(7, 2.0)], merge="replace")
    assert all(int(version) >= 11 for version in (*good, late, again))
    with pytest.raises(streams_errors.BadValue, match="point 0"):
        force(bad)
    with pytest.raises(streams_errors.StreamNotFoundError):
        force(lost)
    points = stream.values(0, 10)
    assert points.times.tolist() == [0, 1, 2, 3, 4, 7]
    assert points.values[-1] == 2.0


def test_an_insert_that_the_server_refuses_fails_alone(
    client: Client, stream: Stream, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = server.Insert

    def insert(body: bytes) -> object:
        if any(each.value == 13.0 for each in v5api.InsertParams.FromString(body).values):
            raise Refused(425, "an unlucky value")
        return original(body)

    monkeypatch.setattr(server, "Insert", insert)
    lazy = client.lazy()
    with lazy:
        made = [lazy.stream_from_uuid(stream.uuid).insert([(n, float(n))]) for n in range(10, 17)]
    with pytest.raises(streams_errors.BadValue, match="unlucky"):
        force(made.pop(3))
    assert all(int(version) > 10 for version in made)
    assert stream.values(0, 100).times.tolist() == [10, 11, 12, 14, 15, 16]


def test_large_inserts_go_alone(client: Client, stream: Stream, server: ModelServer) -> None:
    lazy = client.lazy().stream_from_uuid(stream.uuid)
    before = names(server).count("Insert")
    made = [lazy.insert((np.arange(2000) + 2000 * number, np.ones(2000))) for number in range(3)]
    assert sorted(int(version) for version in made) == [11, 12, 13]
    assert names(server).count("Insert") - before == 3
    assert stream.count() == 6000
    assert force(lazy.insert([])) == 13


def test_sets_behind_lazy(client: Client, stream: Stream) -> None:
    stream.insert([(1, 1.0), (2, 2.0)])
    streams = client.streamset_from_uuids([stream.uuid])
    lazy = streams.lazy()
    windows, count = lazy.aligned_windows(0, 4, 1), lazy.count()
    assert windows[0].counts.tolist() == [1, 1]
    assert count == 2
    assert lazy.filter(start=2).values()[0][0].value == 2.0
    assert lazy.to_dict()[0]["time"] == 1


def test_async(client: Client, stream: Stream) -> None:
    with client.async_() as calls:
        for time in range(5):
            calls.stream_from_uuid(stream.uuid).insert([(time, 1.0)])
        calls.list_collections()
    results = calls.results()
    assert sorted(results[:5]) == [11, 12, 13, 14, 15]
    assert results[5] == ["sensors/jfk"]
    with stream.async_() as of_stream:
        of_stream.values(0, 3)
    assert len(of_stream.results()[0]) == 3


def test_thunks_are_arguments(client: Client, stream: Stream) -> None:
    stream.insert([(5, 1.0)])
    lazy = client.lazy()
    first = lazy.stream_from_uuid(stream.uuid).earliest()
    start = lazy.call(lambda: first[0].time)
    assert len(lazy.stream_from_uuid(stream.uuid).values(start, 10)) == 1
    assert len(stream.values(start, 10)) == 1
    value = lazy.call(lambda: 2.5)
    stream.insert([(6, value)])
    assert stream.values(6, 7).values.tolist() == [2.5]
    assert int(lazy.stream_from_uuid(stream.uuid).insert([(start, value)], "replace")) == 13
