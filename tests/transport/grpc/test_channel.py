"""Calls over a channel, to our own server."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable
from time import monotonic

import pytest

from flowthings_like.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    InvalidInput,
    ResponseTooLarge,
)
from flowthings_like.green.backends.choice import detect
from flowthings_like.platform.grpc.server import ServerLimits
from flowthings_like.transport.grpc.channel import Channel
from flowthings_like.wire.grpc.status import GrpcError, StatusCode
from tests.forked import forked
from tests.grpc_server import Running, running

from .conftest import Connect

ECHO, COUNT, BLOCKS, FOREVER, SLEEP, FAIL = (
    f"/tests.Service/{name}" for name in ("Echo", "Count", "Blocks", "Forever", "Sleep", "Fail")
)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    until = monotonic() + seconds
    while not condition():
        assert monotonic() < until, "it does not come true"
        detect().sleep(0.005)


def connections(channel: Channel) -> int:
    return len(channel._connections.all())


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 3_000_000])
def test_a_call(channel: Channel, size: int) -> None:
    request = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
    assert channel.unary(ECHO, request) == request


def test_a_stream_comes_in_order_and_whole(channel: Channel, server: Running) -> None:
    assert [int(message) for message in channel.stream(COUNT, b"3000")] == list(range(3000))
    wait_until(lambda: server.service.ended == 1)
    blocks = list(channel.stream(BLOCKS, b"200 100000"))
    assert [int.from_bytes(block[:4], "big") for block in blocks] == list(range(200))
    assert {len(block) for block in blocks} == {100_000}
    assert list(channel.stream(COUNT, b"0")) == []


def test_many_calls_at_once_share_one_connection(channel: Channel, server: Running) -> None:
    here = detect()
    threads = [here.spawn(channel.unary, ECHO, b"%d" % number) for number in range(64)]
    assert [here.get(thread) for thread in threads] == [b"%d" % number for number in range(64)]
    assert connections(channel) == 1
    assert server.server.connections == 1


def test_another_connection_is_opened_when_the_server_takes_no_more_calls(connect: Connect) -> None:
    with running(ServerLimits(calls=4)) as server:
        channel = connect(server.server.address)
        here = detect()
        threads = [here.spawn(channel.unary, SLEEP, b"20") for _ in range(12)]
        wait_until(lambda: server.service.started == 12)
        assert connections(channel) == 3
        server.server.close(grace=0.0)
        for thread in threads:
            with pytest.raises((ConnectionFailed, GrpcError)):
                here.get(thread)


def test_the_concurrency_bounds_the_calls_in_flight(channel: Channel, server: Running) -> None:
    channel.concurrency = 3
    assert channel.concurrency == 3
    here = detect()
    threads = [here.spawn(channel.unary, SLEEP, b"0.1") for _ in range(9)]
    most = 0
    while not all(thread.ready() for thread in threads):
        most = max(most, server.service.started - server.service.ended)
        here.sleep(0.005)
    assert most == 3
    for wrong in 0, -1, True, 1.5, None:
        with pytest.raises(InvalidInput, match="whole number"):
            channel.concurrency = wrong  # type: ignore[assignment]


def test_a_status_is_an_error(channel: Channel) -> None:
    with pytest.raises(GrpcError, match=r"^/tests\.Service/Fail: NOT_FOUND: no such stream: é$") as caught:
        channel.unary(FAIL, "5 no such stream: é".encode())
    assert caught.value.code == StatusCode.NOT_FOUND
    assert not caught.value.retryable
    with pytest.raises(GrpcError) as caught:
        channel.unary(FAIL, b"14 later")
    assert caught.value.retryable
    with pytest.raises(GrpcError, match="UNIMPLEMENTED"):
        channel.unary("/tests.Service/Nothing", b"")
    with pytest.raises(GrpcError, match="INTERNAL: the server failed"):
        channel.unary(FAIL, b"not a number")


def test_a_stream_may_end_with_an_error(channel: Channel) -> None:
    found: list[bytes] = []
    with pytest.raises(GrpcError, match="NOT_FOUND: no more"):
        found.extend(channel.stream("/tests.Service/FailLate", b""))
    assert found == [b"one", b"two"]


def test_a_call_that_takes_too_long_is_reset(channel: Channel, server: Running) -> None:
    began = monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        channel.unary(SLEEP, b"20", timeout=0.1)
    assert monotonic() - began < 10
    assert caught.value.sent
    wait_until(lambda: server.service.ended == 1)
    assert channel.unary(ECHO, b"next") == b"next"
    assert connections(channel) == 1


def test_the_server_is_told_the_time_limit(server: Running, connect: Connect) -> None:
    said: list[float | None] = []

    def look(request: bytes, context: object) -> bytes:
        deadline: float | None = context.deadline  # type: ignore[attr-defined]
        said.append(None if deadline is None else deadline - monotonic())
        return b""

    server.server._handlers["/tests.Service/Look"] = look
    connect(server.server.address).unary("/tests.Service/Look", b"", timeout=7.0)
    connect(server.server.address, timeout=None).unary("/tests.Service/Look", b"")
    assert said[0] is not None
    assert 5 < said[0] <= 7.1
    assert said[1] is None


def test_each_message_of_a_stream_has_the_channels_time_limit(server: Running, connect: Connect) -> None:
    channel = connect(server.server.address, timeout=0.3)
    stream = channel.stream(FOREVER, b"first")
    assert next(stream) == b"first"
    with pytest.raises(DeadlineExceeded):
        next(stream)
    wait_until(lambda: server.service.ended == 1)


@pytest.mark.parametrize("how", ["close", "drop", "leave"])
def test_a_stream_that_nobody_reads_any_more_is_reset(channel: Channel, server: Running, how: str) -> None:
    stream = channel.stream(FOREVER, b"first")
    assert next(stream) == b"first"
    if how == "close":
        stream.close()  # type: ignore[attr-defined]
    elif how == "drop":
        del stream
        gc.collect()
    else:
        for _ in channel.stream(COUNT, b"1000000"):
            break
        gc.collect()
        wait_until(lambda: server.service.ended == 1)
        return
    wait_until(lambda: server.service.ended == 1)
    assert channel.unary(ECHO, b"next") == b"next"


def test_a_slow_consumer_holds_up_its_server_and_nobody_else(channel: Channel, server: Running) -> None:
    stream = channel.stream(BLOCKS, b"500 100000")
    next(stream)
    wait_until(lambda: server.service.sent > 10)
    for _ in range(20):
        assert channel.unary(ECHO, bytes(100_000)) == bytes(100_000)
    assert server.service.sent < 60, "1 MiB here, 256 KiB there, and what the kernel holds"
    assert sum(1 for _ in stream) == 499


def test_a_message_that_is_too_large_ends_its_call(server: Running, connect: Connect) -> None:
    channel = connect(server.server.address, max_message_bytes=1000)
    assert len(next(channel.stream(BLOCKS, b"1 1000"))) == 1000
    with pytest.raises(ResponseTooLarge, match="1001 bytes, and at most 1000 are accepted; see max_message"):
        next(channel.stream(BLOCKS, b"1 1001"))
    with pytest.raises(ResponseTooLarge):
        channel.unary(ECHO, bytes(100_000))
    assert channel.unary(ECHO, b"next") == b"next"


def test_requests_and_answers_can_be_compressed(connect: Connect) -> None:
    with running(compression="gzip") as server:
        channel = connect(server.server.address, compression="gzip", max_message_bytes=2_000_000)
        request = b"abc" * 500_000
        assert channel.unary(ECHO, request) == request
        assert [len(block) for block in channel.stream(BLOCKS, b"3 1000000")] == [1_000_000] * 3
        with pytest.raises(ResponseTooLarge, match="when it is decompressed"):
            channel.unary(ECHO, bytes(2_000_001))
    with pytest.raises(InvalidInput, match="'gzip' or None"):
        connect(("127.0.0.1", 1), compression="snappy")


def test_metadata_are_sent_and_never_shown(server: Running, connect: Connect) -> None:
    channel = connect(server.server.address, metadata=[("Authorization", "Bearer secret")])
    assert channel.unary("/tests.Service/Headers", b"authorization") == b"Bearer secret"
    assert "secret" not in repr(channel)
    with pytest.raises(GrpcError) as caught:
        channel.unary(FAIL, b"16 who are you?")
    assert "secret" not in repr(caught.value)


def test_a_server_that_is_not_there(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    channel = connect(address)
    for _ in range(2):
        with pytest.raises(ConnectionFailed, match="ConnectionRefusedError") as caught:
            channel.unary(ECHO, b"")
        assert not caught.value.sent


def test_a_call_after_the_server_has_restarted(connect: Connect) -> None:
    with running() as server:
        address = server.server.address
        channel = connect(address)
        assert channel.unary(ECHO, b"one") == b"one"
    wait_until(lambda: connections(channel) == 0)
    with pytest.raises(ConnectionFailed):
        channel.unary(ECHO, b"two")


def test_a_closed_channel_ends_its_calls_and_connects_again(channel: Channel, server: Running) -> None:
    here = detect()
    thread = here.spawn(channel.unary, SLEEP, b"20")
    wait_until(lambda: server.service.started)
    channel.close()
    with pytest.raises(ConnectionFailed, match="was closed; the call was sent and may have run"):
        here.get(thread)
    channel.close()
    assert channel.unary(ECHO, b"again") == b"again"


def test_a_channel_that_is_dropped_closes_its_connections(server: Running) -> None:
    channel = Channel(server.host, server.port)
    assert channel.unary(ECHO, b"") == b""
    del channel
    gc.collect()
    wait_until(lambda: server.server.connections == 0)


def test_a_child_has_a_connection_of_its_own(channel: Channel, server: Running) -> None:
    stream = channel.stream(COUNT, b"100")
    assert next(stream) == b"0"

    def call() -> None:
        assert connections(channel) == 0

    assert forked(call)() == "fine"
    assert sum(1 for _ in stream) == 99
    assert channel.unary(ECHO, b"parent") == b"parent"
    assert server.server.connections == 1


@pytest.mark.parametrize("method", ["Echo", "/Echo", "/a b/c"])
def test_a_method_that_cannot_be_called(channel: Channel, method: str) -> None:
    with pytest.raises(InvalidInput, match="give a path"):
        channel.unary(method, b"")
    with pytest.raises(InvalidInput, match="give a path"):
        channel.stream(method, b"")


def test_what_is_no_request_is_refused_before_anything_is_sent(channel: Channel, server: Running) -> None:
    assert channel.unary(ECHO, bytearray(b"x")) == b"x"
    assert channel.unary(ECHO, memoryview(b"x")) == b"x"
    first = channel._connections.all()
    for request in "x", None, 5, [b"x"]:
        with pytest.raises(InvalidInput, match="give an encoded message"):
            channel.unary(ECHO, request)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="give an encoded message"):
            channel.stream(COUNT, request)  # type: ignore[arg-type]
    for timeout in 0, -1, True, "5", float("nan"):
        with pytest.raises(InvalidInput, match="give seconds above 0"):
            channel.unary(ECHO, b"", timeout=timeout)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="give seconds above 0"):
            Channel("127.0.0.1", 1, timeout=timeout)  # type: ignore[arg-type]
    assert channel.unary(ECHO, b"", timeout=float("inf")) == b""
    assert channel._connections.all() == first
