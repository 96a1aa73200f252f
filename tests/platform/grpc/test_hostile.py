"""Clients that mean harm: each loses its own connection, and nobody else notices."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from flowthings_like.platform.grpc.server import ServerLimits
from flowthings_like.wire.grpc.frames import PREFACE
from flowthings_like.wire.grpc.messages import prefix
from tests.grpc_server import Running, running
from tests.transport.grpc.test_channel import wait_until

from .client import Client, connected

FLOW_CONTROL, FRAME_SIZE, CALM_DOWN = 3, 6, 11
LITERAL = b"\x40\x01x\x7f\xff\xff\x03"  # the beginning of a header that is very long


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent connections are looked at often."""
    monkeypatch.setattr("flowthings_like.platform.grpc.session._TICK", 0.05)


def flood(client: Client, data: bytes, times: int) -> None:
    with suppress(OSError):  # the server ends the connection meanwhile
        for _ in range(times):
            client.sock.sendall(data)


def test_rapid_resets_end_the_connection(server: Running, other: Client, client: Client) -> None:
    with suppress(OSError):
        for _ in range(6000):
            client.begin("Sleep")
            client.data(prefix(2) + b"20")
            client.send(RstStreamFrame(client.stream, error_code=8))
    assert client.ends()
    wait_until(lambda: server.server.calls == 0)


def test_calls_that_are_reset_count_while_their_handlers_run(server: Running, other: Client) -> None:
    """So a client that resets cannot start any number of handlers."""
    hold = True

    def stubborn(request: bytes, context: object) -> bytes:
        wait_until(lambda: not hold)
        return b""

    server.server._handlers["/tests.Service/Stubborn"] = stubborn
    with connected(server) as client:
        try:
            for _ in range(server.server.limits.calls):
                client.ask("Stubborn")
            wait_until(lambda: server.server.calls == server.server.limits.calls)
            for stream in range(1, client.stream + 1, 2):
                client.send(RstStreamFrame(stream, error_code=8))
            client.ask("Stubborn")
            refused = client.until(RstStreamFrame)
            assert (refused.stream_id, refused.error_code) == (client.stream, 7)
        finally:
            hold = False
    wait_until(lambda: server.server.calls == 0)


@pytest.mark.parametrize(
    "frame",
    [
        SettingsFrame(0, settings={4: 65_535}),
        SettingsFrame(0, flags=["ACK"]),
        PingFrame(0, b"12345678"),
        PriorityFrame(1, depends_on=0, stream_weight=1),
    ],
    ids=["SETTINGS", "SETTINGS ACK", "PING", "PRIORITY"],
)
def test_floods_end_the_connection(other: Client, client: Client, frame: Frame) -> None:
    flood(client, frame.serialize() * 1000, 100)
    assert client.ends()


def test_a_client_that_does_not_read_the_answers_to_its_pings(server: Running, other: Client) -> None:
    with connected(server) as client:
        client.sock.settimeout(1)
        flood(client, PingFrame(0, b"12345678").serialize() * 500, 2000)
        assert max(each._outbox.unsent for each in server.server._sessions) < 6 << 20


@pytest.mark.parametrize(("size", "times"), [(1000, 1000), (0, 10_000)])
def test_endless_headers_end_the_connection(other: Client, client: Client, size: int, times: int) -> None:
    client.send(HeadersFrame(1, LITERAL))
    flood(client, ContinuationFrame(1, b"y" * size).serialize(), times)
    assert client.ends()


def test_headers_that_grow_when_they_are_unpacked_end_the_connection(other: Client, client: Client) -> None:
    block = client.encoder.encode([(":method", "POST"), ("x", "y" * 3000)])
    client.send(HeadersFrame(1, block + b"\xbe" * 1000, flags=["END_HEADERS"]))
    assert client.goodbye().error_code == CALM_DOWN


def test_a_frame_that_is_too_large_is_refused_by_its_header(other: Client, client: Client) -> None:
    client.sock.sendall((1 << 20).to_bytes(3, "big") + b"\0\0\0\0\0\1")
    goodbye = client.goodbye()
    assert goodbye.error_code == FRAME_SIZE
    assert b"a frame of 1048576 bytes" in goodbye.additional_data


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        bytes(100),
        PREFACE + b"\0\0\1\4\0\0\0\0\0x",
    ],
    ids=["HTTP/1.1", "TLS", "zeros", "SETTINGS of a byte"],
)
def test_what_is_not_http_2(server: Running, other: Client, said: bytes) -> None:
    with connected(server, greets=False) as client:
        client.sock.sendall(said)
        assert client.ends()


@pytest.mark.parametrize(
    "said",
    [b"", PREFACE[:10], PREFACE + b"\0\0\6\4\0", PREFACE + HeadersFrame(1, LITERAL).serialize()],
    ids=["nothing", "the preface", "a frame", "headers"],
)
def test_what_comes_too_slowly(said: bytes) -> None:
    with running(ServerLimits(frame_seconds=0.2)) as server:
        with connected(server, greets=False) as client:
            client.sock.sendall(said)
            assert client.ends()
        wait_until(lambda: server.server.connections == 0)


def test_a_request_that_drips_is_ended() -> None:
    with running(ServerLimits(request_seconds=0.3)) as server, connected(server) as client:
        client.begin()
        client.data(b"\0\0\0\1\0", end=False)
        client.sock.settimeout(0.05)
        status = ""
        while not status:
            with suppress(TimeoutError):
                status = client.status()
                break
            client.data(b"x", end=False)
        assert status == "4"
        client.sock.settimeout(20)
        client.ask("Echo", b"next")
        assert client.answer()[1] == prefix(4) + b"next"


def test_a_connection_without_calls_is_ended_after_a_while() -> None:
    with running(ServerLimits(idle_seconds=0.3)) as server, connected(server) as client:
        client.ask("Sleep", b"0.6")
        assert client.answer()[1] == prefix(5) + b"slept"
        assert client.goodbye().error_code == 0


def test_connections_are_bounded() -> None:
    with running(ServerLimits(connections=3)) as server:
        first = [Client(server.server.address) for _ in range(3)]
        for each in first:
            each.ask()
            assert each.status() == "0"
        with connected(server) as late:
            assert late.ends()
        first.pop().close()
        wait_until(lambda: server.server.connections == 2)
        with connected(server) as next_one:
            next_one.ask()
            assert next_one.status() == "0"
        for each in first:
            each.close()


def test_requests_are_bounded_together() -> None:
    with running(ServerLimits(buffered_bytes=100_000)) as server:
        with connected(server) as client:
            for _ in range(3):
                client.begin()
                client.data(prefix(50_000) + bytes(16_000), end=False)
                client.data(bytes(16_000), end=False)
            client.begin()
            client.data(prefix(20_000) + bytes(16_000), end=False)
            assert client.status() == "8"
        wait_until(lambda: server.server.budget._free == 100_000)


def test_a_request_that_is_too_large() -> None:
    with running(ServerLimits(message_bytes=1000)) as server, connected(server) as client:
        client.begin()
        client.data(prefix(1001), end=False)
        fields, _ = client.answer()
        assert fields["grpc-status"] == "8"
        assert "1001 bytes" in fields["grpc-message"]
        client.ask("Echo", bytes(1000))
        assert client.status() == "0"


def test_windows_that_overflow(server: Running, other: Client) -> None:
    most = (1 << 31) - 1
    with connected(server) as client:
        client.send(*[WindowUpdateFrame(0, window_increment=most)] * 2)
        assert client.goodbye().error_code == FLOW_CONTROL
    with connected(server) as client:
        client.ask("Forever", b"x")
        client.send(*[WindowUpdateFrame(1, window_increment=most)] * 2)
        assert client.until(RstStreamFrame).error_code == FLOW_CONTROL
        wait_until(lambda: server.server.calls == 0)


def test_data_beyond_the_window(other: Client, client: Client) -> None:
    client.begin("Nothing")  # so that nothing is acknowledged
    client.data(prefix(4 << 20), end=False)
    with suppress(OSError):
        for _ in range(200):
            client.data(bytes(16_384), end=False)
    client.sock.close()


def test_damaged_frames_end_one_connection_each(server: Running, other: Client) -> None:
    chance = random.Random(7)
    for _ in range(60):
        with connected(server) as client:
            tape = Tape()
            client.sock, real = tape, client.sock  # type: ignore[assignment]
            for number in range(3):
                client.ask("Echo", b"%d" % number * 30)
            client.sock = real
            for _ in range(chance.randrange(1, 5)):
                tape.data[chance.randrange(len(tape.data))] = chance.randrange(256)
            with suppress(OSError):
                real.sendall(tape.data)
    wait_until(lambda: server.server.connections == 1)
    wait_until(lambda: server.server.calls == 0)


class Tape:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.data = bytearray()

    def sendall(self, data: bytes) -> None:
        self.data += data
