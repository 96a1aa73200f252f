"""Calls that are killed or run out of time: the client stays usable, and nothing goes on behind its back."""

from __future__ import annotations

import gc
from uuid import uuid4

import pytest

from flowthings_like import DeadlineExceeded
from flowthings_like.green import detect
from flowthings_like.streams import Client, StreamSet

from .conftest import connected
from .model import KEY, ModelServer
from .test_network import serving

green = pytest.mark.needs("green", "an OS thread cannot be killed")


def streams_of(client: Client, count: int) -> StreamSet:
    return StreamSet([client.create(uuid4(), f"a{number}") for number in range(count)])


@green
def test_a_set_whose_caller_is_killed_makes_no_more_calls(server: ModelServer) -> None:
    backend = detect()
    client = connected(server, concurrency_limit=2)
    streams = streams_of(client, 20)
    server.wires[0].pause = lambda: backend.sleep(0.05)
    caller = backend.spawn(streams.count)
    backend.sleep(0.08)
    backend.kill(caller)
    backend.sleep(0.05)
    begun = len(server.calls)
    backend.sleep(0.3)
    assert len(server.calls) == begun < 40
    server.wires[0].pause = lambda: None
    assert streams.count() == 0


@green
def test_a_set_that_runs_out_of_time(server: ModelServer) -> None:
    backend = detect()
    client = connected(server, concurrency_limit=2)
    streams = streams_of(client, 6)
    server.wires[0].pause = lambda: backend.sleep(0.2)
    with pytest.raises(DeadlineExceeded), backend.deadline(0.1):
        streams.count()
    server.wires[0].pause = lambda: None
    assert streams.count() == 0


@green
def test_a_killed_call_leaves_the_connection_to_others(server: ModelServer) -> None:
    backend = detect()
    naps = [0.0]
    with (
        serving(server, before=lambda: backend.sleep(naps[0])) as address,
        Client(address, KEY, concurrency_limit=4) as client,
    ):
        stream = client.create(uuid4(), "a")
        stream.insert([(time, float(time)) for time in range(100)])
        naps[0] = 0.2
        for _ in range(3):
            callers = [backend.spawn(stream.values, 0, 100) for _ in range(4)]
            other = backend.spawn(stream.count)
            backend.sleep(0.05)
            for caller in callers:
                backend.kill(caller)
            assert backend.get(other, 10) == 100  # none of the four permits is lost
        naps[0] = 0.0
        assert len(stream.values(0, 100)) == 100


def test_the_first_error_of_a_set_stops_the_others(server: ModelServer) -> None:
    client = connected(server, concurrency_limit=1)
    streams = streams_of(client, 30)
    del server.streams[streams[0].uuid.bytes]
    begun = len(server.calls)
    server.wires[0].pause = lambda: detect().sleep(0.01)
    with pytest.raises(LookupError):
        streams.count()
    detect().sleep(0.1)
    assert len(server.calls) - begun < 30


def test_an_iterator_that_is_dropped_ends_its_call(server: ModelServer) -> None:
    ended: list[int] = []
    original = server.RawValues

    def watched(body: bytes) -> object:
        try:
            yield from original(body)
        finally:
            ended.append(1)

    server.RawValues = watched  # type: ignore[method-assign, assignment]
    client = connected(server)
    stream = client.create(uuid4(), "a")
    stream.insert([(time, 1.0) for time in range(2000)])
    parts = stream.values_iter(0, 2000)
    next(parts)
    assert not ended
    del parts
    gc.collect()
    assert ended
