"""Byte streams of every kind: what they carry, what they refuse, and how they end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flowthings_like import errors
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.byte_stream import ByteStream
from flowthings_like.transport.things.connection import PacketConnection
from flowthings_like.transport.things.dialing import dial_node
from flowthings_like.transport.things.endpoints import parse_endpoint
from flowthings_like.wire.things.packages import Kind
from tests.transport.support import sockets
from tests.transport.things.scripted_node import Session, node, wait_until

from .conftest import Start

Connect = Callable[..., PacketConnection]
Dial = Callable[..., ByteStream]


def test_bodies_of_all_sizes(start: Start, connect: Connect) -> None:
    with start() as found:
        connection = connect(found.url)
        for size in (0, 1, 125, 126, 65_535, 65_536, 3_000_001):
            body = bytes(range(256)) * (size // 256 + 1)
            assert connection.call(Kind.QUERY, body[:size], monotonic() + 20).body == body[:size]
        assert connection.is_websocket == found.websocket
        assert connection.peer == found.address


def test_many_threads_at_once(start: Start, connect: Connect) -> None:
    with start() as found:
        connection = connect(found.url)
        pool = detect().pool(20)

        def ask(number: int) -> None:
            body = b"%d " % number * (number * 50)
            assert connection.call(Kind.QUERY, body, monotonic() + 30).body == body

        for thread in [pool.spawn(ask, number) for number in range(200)]:
            thread.get()
        assert connection.in_flight == 0


def test_close_wakes_who_waits(start: Start, dial: Dial) -> None:
    before = sockets()
    with start() as found:
        stream = dial(found.url)
        ended = detect().spawn(_read_to_the_end, stream)
        assert not ended.ready()
        stream.close()
        stream.close()
        detect().get(ended, 10)
        with pytest.raises(OSError, match=r"closed|Bad file|Broken"):
            stream.offer([b"x"])
    wait_until(lambda: sockets() == before)


def _read_to_the_end(stream: ByteStream) -> None:
    try:
        while stream.receive() != b"":
            pass
    except OSError:
        pass


def test_the_node_hangs_up(start: Start, dial: Dial) -> None:
    with start() as found:
        stream = dial(found.url)
        found.session().end()
        _read_to_the_end(stream)


@pytest.mark.parametrize("scheme", ["things", "things+tls", "ws", "wss", "unix"])
def test_nobody_there(scheme: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    before = sockets()
    url = f"unix://{tmp_path}/none" if scheme == "unix" else f"{scheme}://me:s3cret@127.0.0.1:{port}"
    with pytest.raises(errors.ConnectionFailed) as caught:
        dial_node(parse_endpoint(url), monotonic() + 30)
    assert caught.value.sent is False
    assert "s3cret" not in str(caught.value)
    assert sockets() == before


@pytest.mark.parametrize("scheme", ["things+tls", "ws", "wss"])
def test_a_mute_listener(scheme: str) -> None:
    """The kernel accepts the connection, and nobody reads from it."""
    before = sockets()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(errors.DeadlineExceeded) as caught:
            dial_node(parse_endpoint(url), monotonic() + 0.2)
        assert caught.value.sent is False
    assert sockets() == before


@pytest.mark.parametrize("websocket", [False, True])
def test_strangers_are_not_believed(websocket: bool, certificate: tuple[Path, Path]) -> None:
    with node(tls=certificate, websocket=websocket) as found:
        for tls in (None, True):
            with pytest.raises(errors.ConnectionFailed, match=r"is not trusted.* ssl= of a Client"):
                dial_node(parse_endpoint(found.url), monotonic() + 10, tls)
        with pytest.warns(Warning, match="is believed"):
            dial_node(parse_endpoint(found.url), monotonic() + 10, False).close()
        with pytest.raises(errors.ConfigurationError, match="cannot be read"):
            dial_node(parse_endpoint(found.url), monotonic() + 10, "/no/such/bundle")


def test_another_hosts_certificate(certificate: tuple[Path, Path]) -> None:
    with node(tls=certificate) as found:
        url = found.url.replace("127.0.0.1", "localhost")
        with pytest.raises(errors.ConnectionFailed, match="certificate is not trusted"):
            dial_node(parse_endpoint(url), monotonic() + 10, str(certificate[0]))


def test_no_websocket_there(dial: Dial) -> None:
    def hang_up(below: Any) -> None:
        connection, _ = below.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=hang_up, args=(listener,))
        server.start()
        with pytest.raises(errors.ConnectionFailed, match="404"):
            dial(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        server.join()


def test_a_websockets_pings_are_answered_while_nobody_calls(connect: Connect) -> None:
    with node(websocket=True) as found:
        connection = connect(found.url)
        connection.call(Kind.PING, b"", monotonic() + 30)
        session = found.session()
        for number in range(1, 4):
            session.ping()
            wait_until(lambda expected=number: session.pongs == expected)  # type: ignore[misc]


def test_a_message_may_have_thousands_of_fragments_and_is_bounded(dial: Dial) -> None:
    def large(session: Session, request: Any) -> bytes:
        return b"x" * 8_000_000  # over 5,000 fragments

    with node(large, websocket=True) as found:
        stream = dial(found.url)
        stream.offer([b"\0\0\0\0\0\0\x20\xdf"])
        assert stream.receive() == b"x" * 8_000_000
        stream = dial(found.url, max_message=7_000_000)
        stream.offer([b"\0\0\0\0\0\0\x20\xdf"])
        with pytest.raises(OSError, match="more than"):
            stream.receive()


@pytest.mark.parametrize("length", [2**62, 2**63 + 1, 7_200_000])
def test_a_frame_that_promises_too_much_is_refused_at_once(dial: Dial, length: int) -> None:
    """Only its header was sent."""

    def promise(session: Session, request: Any) -> None:
        session.below.sendall(b"\x82\x7f" + length.to_bytes(8, "big"))

    with node(promise, websocket=True) as found:
        stream = dial(found.url, max_message=7_000_000)
        stream.offer([b"\0\0\0\0\0\0\x20\xdf"])
        received = detect().spawn(stream.receive)
        with pytest.raises(OSError, match="more than 7000008 bytes"):
            detect().get(received, 10)


@contextmanager
def saying(what: bytes, pause: float) -> Iterator[str]:
    """The address of a listener that begins to answer, and goes on with `what` while the client lets it."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
                while not stop.wait(pause):
                    connection.sendall(what)

    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            server.join(10)


def test_a_handshake_that_never_ends_ends_in_time() -> None:
    """There is one deadline for all of the handshake, however often something comes."""
    with saying(b"x", 0.02) as address:
        began = monotonic()
        with pytest.raises(errors.DeadlineExceeded):
            dial_node(parse_endpoint(f"ws://{address}"), monotonic() + 0.5)
        assert monotonic() - began < 20


def test_an_answer_to_the_handshake_is_bounded() -> None:
    with (
        saying(b"X-Padding: " + b"x" * 1000 + b"\r\n", 0.0) as address,
        pytest.raises(errors.ConnectionFailed, match="more than 65536 bytes"),
    ):
        dial_node(parse_endpoint(f"ws://{address}"), monotonic() + 30)
