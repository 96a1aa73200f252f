"""The client over real sockets: gRPC, compressed answers, flow control, and the limit of calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from flowthings_like import ConnectionFailed, DeadlineExceeded
from flowthings_like.green import detect
from flowthings_like.platform.grpc.server import Context, GrpcServer
from flowthings_like.streams import Client, StreamSet, streams_errors
from flowthings_like.wire.grpc.status import GrpcError

from .model import KEY, ModelServer, Refused, status


@contextmanager
def serving(server: ModelServer, *, before: Callable[[], object] = lambda: None) -> Iterator[str]:
    """The server in memory on a port of this machine. Its answers are compressed, as version 4's are."""

    def authorize(context: Context) -> None:
        if dict(context.metadata).get("authorization") != f"Bearer {KEY}":
            raise GrpcError(16, "invalid api key")

    def answering(handler: Callable[[bytes], Any]) -> Callable[[bytes, Context], Any]:
        def answer(request: bytes, context: Context) -> Any:
            before()
            try:
                answers = handler(request)
            except Refused as refused:
                return status(refused.code, refused.message)
            if hasattr(answers, "SerializeToString"):
                return answers.SerializeToString()
            return stream(answers)

        def stream(answers: Iterator[Any]) -> Iterator[bytes]:
            try:
                for each in answers:
                    yield each.SerializeToString()
            except Refused as refused:
                yield status(refused.code, refused.message)

        return answer

    handlers = {path: answering(handler) for path, handler in server.handlers().items()}
    grpc = GrpcServer(handlers, "127.0.0.1", 0, authorize=authorize, compression="gzip")
    host, port = grpc.start()
    try:
        yield f"{host}:{port}"
    finally:
        grpc.close(grace=0.1)


@pytest.fixture
def address(either: ModelServer) -> Iterator[str]:
    with serving(either) as found:
        yield found


@pytest.fixture
def remote(address: str) -> Iterator[Client]:
    with Client(address, KEY) as client:
        yield client


def test_a_working_day(remote: Client) -> None:
    stream = remote.create(uuid4(), "sensors/jfk", {"name": "temp"}, {"floor": 3})
    times = np.arange(60_000) * 1000
    stream.insert((times, np.sin(times / 1e6)))
    points = stream.values(0, 10**9)
    assert (points.times == times).all()
    assert (points.values == np.sin(times / 1e6)).all()
    assert stream.windows(0, 60_000_000, 10**6).counts.tolist() == [1000] * 60
    assert stream.aligned_windows(0, 2**26, 20).counts.sum() == 60_000
    assert stream.count() == 60_000
    assert stream.nearest(5)[0].time == 1000
    assert remote.list_collections() == ["sensors/jfk"]
    (found,) = remote.streams_in_collection("sensors")
    assert found.annotations()[0] == {"floor": 3}
    with pytest.raises(streams_errors.StreamNotFoundError):
        remote.stream_from_uuid(uuid4()).values(0, 1)


def test_a_wrong_key(address: str) -> None:
    with Client(address, "wrong-key") as client, pytest.raises(streams_errors.PermissionDenied) as caught:
        client.list_collections()
    assert "wrong-key" not in str(caught.value)


def test_no_server(address: str) -> None:
    client = Client("127.0.0.1:9", retry=False)
    with pytest.raises(ConnectionFailed):
        client.info()


def test_a_slow_reader_holds_a_bounded_number_of_parts(remote: Client, either: ModelServer) -> None:
    stream = remote.create(uuid4(), "a")
    stream.insert((np.arange(200_000), np.random.default_rng(1).random(200_000)))
    sent: list[int] = []
    original = either.RawValues

    def counted(body: bytes) -> Iterator[Any]:
        for answer in original(body):
            sent.append(1)
            yield answer

    either.RawValues = counted  # type: ignore[method-assign]
    with serving(either) as address, Client(address, KEY) as client:
        parts = client.stream_from_uuid(stream.uuid).values_iter(0, 200_000)
        assert len(next(parts)) == 500
        detect().sleep(0.3)
        held = len(sent)
        assert held < 400
        assert sum(len(part) for part in parts) == 199_500
        assert len(sent) == 400


def test_a_dropped_iterator_ends_its_call(remote: Client, either: ModelServer) -> None:
    stream = remote.create(uuid4(), "a")
    stream.insert((np.arange(200_000), np.random.default_rng(1).random(200_000)))
    parts = stream.values_iter(0, 200_000)
    next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert stream.count(0, 10) == 10  # the connection is usable


def test_the_limit_of_calls_at_once(either: ModelServer) -> None:
    running: list[int] = []
    most: list[int] = []

    def before() -> None:
        running.append(1)
        most.append(len(running))
        detect().sleep(0.01)
        running.pop()

    with serving(either, before=before) as address, Client(address, KEY, concurrency_limit=3) as client:
        streams = StreamSet([client.create(uuid4(), f"a{number}") for number in range(4)])
        assert 1 < highest(client, streams, most) <= 3
        client.concurrency_limit = 8
        assert 3 < highest(client, streams, most) <= 8


def highest(client: Client, streams: StreamSet, most: list[int]) -> int:
    """How many calls are in flight at once, when there are enough of them."""
    del most[:]
    lazy = client.lazy()
    found = [lazy.stream_from_uuid(streams[number % 4].uuid).nearest(0) for number in range(40)]
    assert all(each.force() is None for each in found)
    return max(most)


def test_a_deadline(either: ModelServer) -> None:
    naps = [0.0]
    with (
        serving(either, before=lambda: detect().sleep(naps[0])) as address,
        Client(address, KEY, timeout=0.5, retry=False) as client,
    ):
        client.info()
        naps[0] = 3.0
        with pytest.raises(DeadlineExceeded):
            client.info()


def test_a_hundred_lazy_calls(remote: Client) -> None:
    streams = [remote.create(uuid4(), f"a{number}") for number in range(100)]
    lazy = remote.lazy()
    with lazy:
        for stream in streams:
            lazy.stream_from_uuid(stream.uuid).insert([(number, number * 1.0) for number in range(10)])
    windows = [lazy.stream_from_uuid(stream.uuid).windows(0, 10, 5) for stream in streams]
    assert [each.counts.tolist() for each in windows] == [[5, 5]] * 100
