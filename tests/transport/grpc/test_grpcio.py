"""Calls to a server of grpcio's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from flowthings_like.errors import ConnectionFailed, DeadlineExceeded, ResponseTooLarge
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.grpc.channel import Channel
from flowthings_like.wire.grpc.status import GrpcError, StatusCode

from .conftest import Connect
from .test_channel import BLOCKS, COUNT, ECHO, FAIL, FOREVER, SLEEP, connections, wait_until

ROOT = Path(__file__).parents[3]


class Grpcio:
    """A server of grpcio's in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.address = "127.0.0.1", int(process.stdout.readline())

    def stop(self, grace: float) -> None:
        """Begin to stop: calls in flight may finish."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"stop %f\n" % grace)
        self.process.stdin.flush()


@contextmanager
def grpcio(*arguments: str) -> Iterator[Grpcio]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.grpcio.server", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield Grpcio(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def peer() -> Iterator[Grpcio]:
    with grpcio() as running:
        yield running


@pytest.fixture
def channel(peer: Grpcio, connect: Connect) -> Channel:
    return connect(peer.address)


def ended(channel: Channel) -> int:
    return int(channel.unary("/tests.Service/Ended", b""))


def test_calls(channel: Channel) -> None:
    for size in 0, 1, 1000, 100_000, 6_000_000:
        request = os.urandom(size)
        assert channel.unary(ECHO, request) == request
    here = detect()
    threads = [here.spawn(channel.unary, ECHO, b"%d" % number) for number in range(200)]
    assert [here.get(thread) for thread in threads] == [b"%d" % number for number in range(200)]
    assert connections(channel) == 1


def test_streams(channel: Channel) -> None:
    assert [int(message) for message in channel.stream(COUNT, b"2000")] == list(range(2000))
    assert [len(block) for block in channel.stream(BLOCKS, b"60 200000")] == [200_000] * 60
    assert list(channel.stream(COUNT, b"0")) == []


def test_compression(connect: Connect) -> None:
    with grpcio("gzip") as peer:
        channel = connect(peer.address, compression="gzip", max_message_bytes=1_000_000)
        request = b"abc" * 300_000
        assert channel.unary(ECHO, request) == request
        assert [len(block) for block in channel.stream(BLOCKS, b"3 900000")] == [900_000] * 3
        with pytest.raises(ResponseTooLarge, match="when it is decompressed"):
            channel.unary(ECHO, bytes(1_000_001))


def test_statuses(channel: Channel) -> None:
    with pytest.raises(GrpcError, match="NOT_FOUND: nothing: é %") as caught:
        channel.unary(FAIL, "5 nothing: é %".encode())
    assert caught.value.code == StatusCode.NOT_FOUND
    with pytest.raises(GrpcError, match="UNIMPLEMENTED"):
        channel.unary("/tests.Service/Nothing", b"")
    with pytest.raises(GrpcError, match="NOT_FOUND: no more"):
        list(channel.stream("/tests.Service/FailLate", b""))


def test_a_deadline_ends_the_call_at_both_ends(channel: Channel) -> None:
    before = ended(channel)
    with pytest.raises(DeadlineExceeded):
        channel.unary(SLEEP, b"20", timeout=0.2)
    wait_until(lambda: ended(channel) == before + 1)


def test_a_stream_that_is_closed_is_cancelled(channel: Channel) -> None:
    before = ended(channel)
    stream = channel.stream(FOREVER, b"first")
    assert next(stream) == b"first"
    stream.close()  # type: ignore[attr-defined]
    wait_until(lambda: ended(channel) == before + 1)


def test_a_slow_consumer_holds_up_the_server(channel: Channel) -> None:
    stream = channel.stream(BLOCKS, b"500 100000")
    next(stream)
    until = monotonic() + 0.5
    while monotonic() < until:
        assert channel.unary(ECHO, bytes(50_000)) == bytes(50_000)
    assert int(channel.unary("/tests.Service/Sent", b"")) < 60
    assert sum(1 for _ in stream) == 499


def test_the_servers_limit_of_calls_opens_connections(connect: Connect) -> None:
    with grpcio("calls=5") as peer:
        channel = connect(peer.address)
        here = detect()
        threads = [here.spawn(channel.unary, SLEEP, b"1") for _ in range(15)]
        assert {here.get(thread) for thread in threads} == {b"slept"}
        assert connections(channel) == 3


def test_a_server_that_stops_lets_the_calls_in_flight_finish(connect: Connect) -> None:
    with grpcio() as peer:
        channel = connect(peer.address)
        here = detect()
        stream = channel.stream(FOREVER, b"first")
        assert next(stream) == b"first"
        slow = here.spawn(channel.unary, SLEEP, b"1")
        wait_until(lambda: channel.unary("/tests.Service/Started", b"") == b"1")
        peer.stop(grace=10.0)
        wait_until(lambda: connections(channel) == 0)
        with pytest.raises(ConnectionFailed) as caught:
            channel.unary(ECHO, b"later")
        assert not caught.value.sent
        assert here.get(slow) == b"slept"
        stream.close()  # type: ignore[attr-defined]
