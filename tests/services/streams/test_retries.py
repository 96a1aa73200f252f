"""Which calls are repeated, and what is never done twice."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from flowthings_like import ConnectionFailed, DeadlineExceeded, InvalidResponse, Retry
from flowthings_like.services.streams.connection import Connection
from flowthings_like.services.streams.endpoints import Endpoint
from flowthings_like.streams import BTrDBError, Client, Stream, streams_errors
from flowthings_like.transport.retry import Clock
from flowthings_like.wire.grpc.status import GrpcError

from .conftest import connected
from .model import ModelServer, OldServer, Wire, status

UNAVAILABLE = 14


class NoTime(Clock):
    """A clock whose pauses are noted and not made."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def jitter(self) -> float:
        return 1.0


@pytest.fixture
def clock(client: Client) -> NoTime:
    clock = NoTime()
    client._connection._clock = clock
    return clock


def broken(*, sent: bool) -> ConnectionFailed:
    error = ConnectionFailed("the connection broke")
    error.sent = sent
    return error


def unavailable() -> GrpcError:
    return GrpcError(UNAVAILABLE, "try again")


FAILURES: list[Callable[[], Exception]] = [unavailable, lambda: broken(sent=True), lambda: broken(sent=False)]
READS: list[Callable[[Stream], object]] = [
    lambda stream: stream.values(0, 10),
    lambda stream: stream.windows(0, 10, 5),
    lambda stream: stream.nearest(0),
    lambda stream: stream.version(),
    lambda stream: stream.flush(),
    lambda stream: stream.delete(0, 1),
    lambda stream: stream.insert([(5, 1.0)], "retain"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=["unavailable", "sent", "unsent"])
@pytest.mark.parametrize("read", READS, ids=range(len(READS)))
def test_what_is_harmless_is_repeated(
    server: ModelServer,
    stream: Stream,
    clock: NoTime,
    read: Callable[[Stream], object],
    failure: Callable[[], Exception],
) -> None:
    stream.insert([(1, 1.0)])
    server.wires[0].fail = [failure(), failure()]
    read(stream)
    assert clock.pauses == [0.1, 0.2]


def test_an_insert_that_may_have_been_stored_is_not(
    server: ModelServer, stream: Stream, clock: NoTime
) -> None:
    for failure in (unavailable(), broken(sent=True)):
        server.wires[0].fail = [failure]
        with pytest.raises((BTrDBError, ConnectionFailed)) as caught:
            stream.insert([(1, 1.0)])
        assert caught.value.retryable  # the caller may know better
    server.wires[0].fail = [broken(sent=False)]
    stream.insert([(1, 1.0)])
    assert stream.count() == 1
    assert len(clock.pauses) == 1


@pytest.mark.parametrize("code", [405, 419, 426])
def test_codes_that_say_try_again(
    server: ModelServer, stream: Stream, clock: NoTime, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    original, refusals = Wire.stream, [status(code, "again"), status(code, "again")]

    def refused(self: Wire, method: str, request: bytes, timeout: float | None = None) -> object:
        return iter([refusals.pop()]) if refusals else original(self, method, request, timeout)

    monkeypatch.setattr(Wire, "stream", refused)
    stream.insert([(1, 1.0)])  # the server has said that it did nothing
    assert len(clock.pauses) == 2
    refusals += [status(code, "again")] * 9
    with pytest.raises(BTrDBError, match="after 5 attempts") as caught:
        stream.values(0, 5)
    assert (caught.value.code, caught.value.attempts) == (code, 5)


@pytest.mark.parametrize(
    "error",
    [
        GrpcError(13, "internal"),
        DeadlineExceeded("too late"),
        InvalidResponse("nonsense"),
        GrpcError(8, "full"),
    ],
)
def test_other_errors_are_raised_at_once(
    server: ModelServer, stream: Stream, clock: NoTime, error: Exception
) -> None:
    server.wires[0].fail = [error]
    with pytest.raises((BTrDBError, DeadlineExceeded, InvalidResponse)):
        stream.values(0, 5)
    assert clock.pauses == []


def test_no_grpc_error_reaches_the_caller(server: ModelServer, stream: Stream) -> None:
    for code in range(1, 17):
        server.wires[0].fail = [GrpcError(code, "why")] * 9
        with pytest.raises(BTrDBError):
            next(stream.values_iter(0, 5), None) if code % 2 else stream.insert([(1, 1.0)])
    server.wires[0].fail = [GrpcError(2, "[404] stream does not exist")]
    with pytest.raises(streams_errors.StreamNotFoundError):
        stream.version()
    server.wires[0].fail = []


def test_an_answer_that_has_begun_is_not_repeated(
    server: ModelServer, stream: Stream, clock: NoTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.insert([(time, 1.0) for time in range(1200)])
    original = Wire.stream

    def broken_after_one(self: Wire, method: str, request: bytes, timeout: float | None = None) -> object:
        yield next(original(self, method, request, timeout))
        raise broken(sent=True)

    monkeypatch.setattr(Wire, "stream", broken_after_one)
    parts = stream.values_iter(0, 5000)
    assert len(next(parts)) == 500
    with pytest.raises(ConnectionFailed):
        next(parts)
    assert clock.pauses == []


def test_without_retries(server: ModelServer) -> None:
    client = connected(server, retry=False)
    client.info()
    server.wires[0].fail = [unavailable()]
    with pytest.raises(BTrDBError, match="UNAVAILABLE"):
        client.list_collections()


def test_a_server_that_has_moved(server: ModelServer) -> None:
    other = ModelServer()
    places = [Endpoint("here", 1), Endpoint("there", 2)]
    opened: list[Endpoint] = []

    def open_channel(endpoint: Endpoint, concurrency: int) -> Wire:
        opened.append(endpoint)
        wire = Wire(server if endpoint is places[0] else other, concurrency=concurrency)
        if endpoint is places[0]:
            wire.fail = [broken(sent=False)] * 9
        return wire

    client = Client._of(lambda: places[min(len(opened), 1)], open_channel=open_channel, retry=Retry(base=0))
    assert client.info()["build"] == "model"
    assert opened == places
    assert [name for name, _ in other.calls] == ["Info", "Info"]
    assert repr(client) == "<Client of BTrDB at grpc://there:2>"


def test_connections_are_opened_once(server: ModelServer) -> None:
    from flowthings_like.green import detect

    client = connected(server)
    threads = [detect().spawn(client.list_collections) for _ in range(8)]
    for thread in threads:
        detect().get(thread, 10)
    assert len(server.wires) == 1


def test_version_4_after_a_failure() -> None:
    server = OldServer()
    client = connected(server, retry=False)
    stream = client.create(uuid4(), "a")
    server.wires[0].fail = [unavailable()]
    with pytest.raises(BTrDBError):
        stream.insert([(1, 1.0)])
    assert stream.insert([(1, 1.0)]) == 11
    assert isinstance(client._connection, Connection)
