"""The protocol over a WebSocket, on the same port: each message is one package."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.wire.things.header import HEADER
from flowthings_like.wire.things.packages import Kind, PackageParser, package
from flowthings_like.wire.things.values import pack, unpack

from .harness import PATIENCE, STUFF, Peer

BINARY, TEXT = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT


def ask(connection: websocket.WebSocket, kind: Kind, body: Any = None) -> tuple[Kind, Any]:
    connection.send(package(kind, 1, b"" if body is None else pack(body)), BINARY)
    return read(connection)


def read(connection: websocket.WebSocket) -> tuple[Kind, Any]:
    message = connection.recv()
    assert isinstance(message, bytes)
    (found,) = PackageParser().feed(message)
    return Kind(found.kind), unpack(found.body) if found.body else None


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests here, because none leaves anything that another could see."""
    with open_platform(tmp_path_factory.mktemp("shared"), "acme") as opened:
        yield opened


@pytest.fixture
def connection(platform: Platform) -> Iterator[websocket.WebSocket]:
    host, port, user, password = platform.things_address()
    found = websocket.create_connection(f"ws://{host}:{port}/any/path", timeout=PATIENCE)
    assert ask(found, Kind.AUTH, [user, password]) == (Kind.OK, None)
    yield found
    found.shutdown()


def test_requests_and_events(connection: websocket.WebSocket, connect: Callable[..., Peer]) -> None:
    _, room = ask(connection, Kind.QUERY, ["//stuff", ".chat = room(); .chat.id();"])
    assert ask(connection, Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [room])
    assert read(connection) == (Kind.ROOM_JOIN, {"scope": STUFF, "id": room})
    assert connect().ask(Kind.EMIT, ["//stuff", room, "msg", 1]) == (Kind.OK, None)
    assert read(connection)[1]["args"] == [1]


@pytest.mark.parametrize("size", [0, 100, 125, 126, 65_535, 65_536, 9 << 20])
def test_messages_of_all_sizes(connection: websocket.WebSocket, size: int) -> None:
    text = "x" * size
    assert ask(connection, Kind.QUERY, ["//stuff", "text", {"text": text}]) == (Kind.DATA, text)


def test_a_message_in_fragments(connection: websocket.WebSocket) -> None:
    whole = package(Kind.QUERY, 1, pack(["//stuff", "'whole'"]))
    frames = [
        websocket.ABNF.create_frame(whole[:5], BINARY, 0),
        websocket.ABNF.create_frame(whole[5:6], websocket.ABNF.OPCODE_CONT, 0),
        websocket.ABNF.create_frame(whole[6:], websocket.ABNF.OPCODE_CONT, 1),
    ]
    connection.send_frame(frames[0])
    connection.ping(b"between")  # a control frame may come between fragments
    for frame in frames[1:]:
        connection.send_frame(frame)
    assert read(connection) == (Kind.DATA, "whole")


def test_a_ping_is_answered(connection: websocket.WebSocket) -> None:
    connection.ping(b"alive?")
    code, data = connection.recv_data(control_frame=True)
    assert (code, data) == (websocket.ABNF.OPCODE_PONG, b"alive?")


def test_what_follows_a_package_in_its_message_is_ignored(connection: websocket.WebSocket) -> None:
    connection.send(package(Kind.PING, 1) + package(Kind.PING, 2) + b"more", BINARY)
    assert read(connection) == (Kind.PONG, None)
    assert ask(connection, Kind.QUERY, ["//stuff", "1"]) == (Kind.DATA, 1)


@pytest.mark.parametrize(
    "message", [b"", b"\0" * (HEADER - 1), b"\0" * HEADER, struct.pack("<IHBB", 9, 1, 32, 223)]
)
def test_a_message_that_is_no_package_ends_the_connection(
    connection: websocket.WebSocket, message: bytes
) -> None:
    connection.send(message, BINARY)
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        connection.recv()


def test_closing_is_answered(connection: websocket.WebSocket) -> None:
    connection.send_close(1000)
    code, _ = connection.recv_data(control_frame=True)
    assert code == websocket.ABNF.OPCODE_CLOSE


def test_the_subprotocol_of_thingsdb(platform: Platform) -> None:
    host, port, *_ = platform.things_address()
    found = websocket.create_connection(
        f"ws://{host}:{port}", timeout=PATIENCE, subprotocols=["thingsdb-protocol"]
    )
    assert found.getsubprotocol() == "thingsdb-protocol"
    assert ask(found, Kind.PING) == (Kind.PONG, None)
    found.shutdown()


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET nonsense\r\n\r\n", b"GET " + b"x" * 20_000]
)
def test_http_that_is_no_websocket(stranger: Peer, connect: Callable[..., Peer], head: bytes) -> None:
    stranger.sock.sendall(head)
    said = b""
    try:
        while data := stranger.sock.recv(65_536):
            said += data
    except ConnectionError:
        pass
    assert said[:12] in (b"", b"HTTP/1.1 400")
    assert connect().query("1") == 1
