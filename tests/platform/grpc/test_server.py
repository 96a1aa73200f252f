"""The server, asked in exact frames."""

from __future__ import annotations

import gzip
import os
import socket
from time import monotonic

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends.choice import detect
from flowthings_like.platform.grpc.server import Context, GrpcServer, ServerLimits
from flowthings_like.wire.grpc.messages import prefix
from flowthings_like.wire.grpc.status import GrpcError, StatusCode
from tests.forked import forked
from tests.grpc_server import Running, running
from tests.transport.grpc.test_channel import wait_until

from .client import Client, connected

NO_LIMIT = [
    WindowUpdateFrame(0, window_increment=1 << 30),
    SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 30}),
]


def test_an_answer(client: Client) -> None:
    client.ask("Echo", b"hello")
    fields, data = client.answer()
    assert data == prefix(5) + b"hello"
    assert fields == {":status": "200", "content-type": "application/grpc", "grpc-status": "0"}


def test_handlers_may_return_any_bytes(server: Running, client: Client) -> None:
    for answer in bytearray(b"xyz"), memoryview(b"xyz"), [b"xyz"], iter([b"xyz"]):
        server.server._handlers["/tests.Service/Any"] = lambda request, context: answer  # noqa: B023
        client.ask("Any")
        assert client.answer()[1] == prefix(3) + b"xyz"


def test_an_error_without_an_answer(client: Client) -> None:
    client.ask("Fail", "5 nothing: é".encode())
    fields, data = client.answer()
    assert data == b""
    assert fields["grpc-status"] == "5"
    assert fields["grpc-message"] == "nothing: %C3%A9"


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("Nothing", {}, "12"),
        ("Echo", {"content-type": "application/grpc+proto"}, "0"),
        ("Echo", {"grpc-timeout": "1S"}, "0"),
        ("Echo", {"grpc-timeout": "soon"}, "0"),
        ("Echo", {"grpc-encoding": "snappy"}, "0"),
    ],
)
def test_headers(client: Client, method: str, headers: dict[str, str], code: str) -> None:
    client.ask(method, headers=headers)
    assert client.status() == code


@pytest.mark.parametrize("headers", [{"content-type": "text/html"}, {"content-type": ""}, {":method": "GET"}])
def test_what_is_no_call_of_grpc(client: Client, headers: dict[str, str]) -> None:
    client.begin(headers=headers)
    assert client.answer()[0] == {":status": "415"}
    client.ask()
    assert client.status() == "0"


def test_requests_may_be_compressed(client: Client) -> None:
    packed = gzip.compress(b"hello")
    for encoding, code in ("gzip", "0"), ("snappy", "12"), ("identity", "13"):
        client.begin("Echo", {"grpc-encoding": encoding})
        client.data(prefix(len(packed), True) + packed)
        fields, data = client.answer()
        assert fields["grpc-status"] == code
        assert data == (prefix(5) + b"hello" if code == "0" else b"")


def test_answers_are_compressed_for_those_who_accept_it() -> None:
    with running(compression="gzip") as server, connected(server) as client:
        client.ask("Echo", b"hello")
        assert client.answer()[1] == prefix(5) + b"hello"
        client.ask("Echo", b"hello", {"grpc-accept-encoding": "identity,gzip"})
        fields, data = client.answer()
        assert fields["grpc-encoding"] == "gzip"
        assert data[0] == 1
        assert gzip.decompress(data[5:]) == b"hello"
    with pytest.raises(ConfigurationError, match="'gzip' or None"):
        GrpcServer({}, "127.0.0.1", 0, compression="deflate")


def test_calls_are_authorized_before_their_requests_are_read() -> None:
    seen: list[Context] = []

    def authorize(context: Context) -> None:
        seen.append(context)
        if context.metadata.get("authorization") != "Bearer key":
            raise GrpcError(StatusCode.UNAUTHENTICATED, "who are you?")

    with running(authorize=authorize) as server, connected(server) as client:
        client.ask("Headers", b"authorization", {"authorization": "Bearer key", "grpc-timeout": "10S"})
        assert client.answer()[1] == prefix(10) + b"Bearer key"
        assert seen[0].method == "/tests.Service/Headers"
        assert seen[0].peer.startswith("127.0.0.1:")
        assert seen[0].deadline is not None
        assert 5 < seen[0].deadline - monotonic() <= 10
        client.begin("Echo", {"authorization": "Bearer wrong"})
        assert client.status() == "16"
        assert client.until(RstStreamFrame).error_code == 0
        assert server.server.calls == 0


def test_a_handler_that_fails_says_nothing_about_it(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.ask("Fail", b"a secret")
    fields, _ = client.answer()
    assert fields["grpc-status"] == "13"
    assert fields["grpc-message"] == "the server failed"
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("method", ["Forever", "Sleep"])
def test_a_cancelled_call_stops_its_handler(server: Running, client: Client, method: str) -> None:
    client.ask(method, b"20")
    wait_until(lambda: server.server.calls == 1)
    client.send(RstStreamFrame(client.stream, error_code=8))
    wait_until(lambda: server.server.calls == 0)
    client.ask("Echo", b"next")
    assert client.answer()[1].endswith(b"next")


def test_the_end_of_a_connection_stops_its_handlers(server: Running) -> None:
    with connected(server) as client:
        client.ask("Forever", b"20")
        client.until(DataFrame)
        client.ask("Sleep", b"20")
        wait_until(lambda: server.service.started == 1)
    wait_until(lambda: server.server.calls == server.server.connections == 0)
    wait_until(lambda: server.service.ended == 2)


def test_a_deadline_stops_a_handler(server: Running, client: Client) -> None:
    client.ask("Sleep", b"20", {"grpc-timeout": "100m"})
    assert client.status() == "4"
    client.ask("Forever", b"x", {"grpc-timeout": "100m"})
    assert client.status() == "4"
    assert server.service.ended == 2


def test_a_client_that_reads_nothing_holds_up_its_own_call_only(server: Running, other: Client) -> None:
    with connected(server) as client:
        client.ask("Blocks", b"300 100000")
        wait_until(lambda: server.service.sent > 2)
        other.ask("Echo", b"still")
        assert other.answer()[1] == prefix(5) + b"still"
        assert server.service.sent < 10, "65,535 bytes of window, and 256 KiB here"
        client.send(*NO_LIMIT)
        fields, data = client.answer()
        assert len(data) == 300 * 100_005
        assert fields["grpc-status"] == "0"


def test_a_client_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowthings_like.platform.grpc.session._TICK", 0.05)
    with running(ServerLimits(stalled_seconds=0.2)) as server, connected(server) as client:
        client.ask("Blocks", b"300 100000")
        assert client.until(RstStreamFrame).error_code == 8
        wait_until(lambda: server.service.ended == 1)
        client.ask("Echo", b"next")
        wait_until(lambda: server.server.calls == 0)


def test_the_servers_end_lets_the_calls_in_flight_finish(server: Running, client: Client) -> None:
    client.ask("Sleep", b"0.3")
    wait_until(lambda: server.service.started == 1)
    closing = detect().spawn(server.server.close, 10.0)
    goaway = client.until(GoAwayFrame)
    assert (goaway.last_stream_id, goaway.error_code) == (1, 0)
    client.ask("Echo", b"too late")
    refused = client.until(RstStreamFrame)
    assert (refused.stream_id, refused.error_code) == (3, 7)
    assert client.answer()[1] == prefix(5) + b"slept"
    assert client.ends()
    detect().get(closing)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server.address, timeout=5)


def test_the_servers_end_has_a_time_limit(server: Running, client: Client) -> None:
    client.ask("Sleep", b"20")
    wait_until(lambda: server.service.started == 1)
    began = monotonic()
    server.server.close(grace=0.1)
    assert monotonic() - began < 10
    wait_until(lambda: server.service.ended == 1)
    server.server.close()


def test_an_address_that_is_taken(server: Running) -> None:
    with pytest.raises(ConfigurationError, match="the gRPC server cannot listen"):
        GrpcServer({}, *server.server.address).start()


def test_a_child_lets_go_of_the_servers_sockets(server: Running, other: Client) -> None:
    def check() -> None:
        assert server.server._sessions
        for session in server.server._sessions:
            assert session._sock.fileno() == session._incoming.fileno() == -1

    assert forked(check)() == "fine"


def test_settings_come_first(server: Running) -> None:
    with connected(server, greets=False) as client:
        settings = client.read()
        assert isinstance(settings, SettingsFrame)
        assert settings.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 100


def test_a_large_request_and_a_large_answer(client: Client) -> None:
    request = os.urandom(3_000_000)
    client.send(*NO_LIMIT)
    client.begin("Echo")
    message = prefix(len(request)) + request
    sent = allowed = 0
    while sent < len(message):
        allowed = allowed or (1 << 20)
        size = min(16_384, len(message) - sent)
        if sent + size > allowed:
            frame = client.until(WindowUpdateFrame)
            allowed += frame.window_increment if frame.stream_id else 0
            continue
        client.data(message[sent : sent + size], end=sent + size == len(message))
        sent += size
    assert client.answer()[1] == message
