"""The proxy with faults, between plain sockets and in front of the test server."""

from __future__ import annotations

import errno
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from flowthings_like.testing import Fault, FaultProxy, sometimes

ASK, TELL = b"what is the time?", b"nearly noon, I think"


class Clockmaker(socketserver.ThreadingTCPServer):
    """Answers TELL to each ASK, on any number of connections; `heard` is what it got."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Talk)
        self.address = f"127.0.0.1:{self.server_address[1]}"


class Talk(socketserver.BaseRequestHandler):
    server: Clockmaker

    def handle(self) -> None:
        got = b""
        with suppress(OSError):
            while data := self.request.recv(1000):
                got += data
                while got.startswith(ASK):
                    self.server.heard.append(ASK)
                    got = got[len(ASK) :]
                    self.request.sendall(TELL)
        if got:
            self.server.heard.append(got)


def connect(proxy: FaultProxy) -> socket.socket:
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def everything(connection: socket.socket, upto: int = 10_000) -> bytes:
    """The bytes until the end of the stream, or the first `upto` bytes."""
    got = b""
    while len(got) < upto and (data := connection.recv(upto - len(got))):
        got += data
    return got


@pytest.fixture
def upstream() -> Iterator[Clockmaker]:
    with Clockmaker() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_without_faults_nothing_is_changed(upstream: Clockmaker) -> None:
    with FaultProxy(upstream.address) as proxy:
        with connect(proxy) as one, connect(proxy) as other:
            for connection in (one, other, one):
                connection.sendall(ASK)
                assert everything(connection, len(TELL)) == TELL
        assert proxy.counts["connections"] == 2
        assert proxy.counts["exchanges"] == 3


def test_a_lost_answer_was_asked_for(upstream: Clockmaker) -> None:
    with FaultProxy(upstream.address) as proxy:
        proxy.once(Fault.lose_answer())
        with connect(proxy) as connection:
            connection.sendall(ASK)
            assert everything(connection) == b""
        proxy.once(Fault.lose_answer(after=6))
        with connect(proxy) as connection:
            connection.sendall(ASK)
            assert everything(connection) == TELL[:6]
        assert proxy.counts["lose_answer"] == 2
    assert upstream.heard == [ASK, ASK]


def test_a_lost_request_arrived_in_part(upstream: Clockmaker) -> None:
    with FaultProxy(upstream.address, lambda number: Fault.lose_request(after=4)) as proxy:
        for _ in range(3):
            with connect(proxy) as connection:
                connection.sendall(ASK)
                assert everything(connection) == b""
    assert ASK not in upstream.heard


def test_a_reset_is_an_error_to_the_client(upstream: Clockmaker) -> None:
    with (
        FaultProxy(upstream.address, lambda number: Fault.lose_answer(reset=True)) as proxy,
        connect(proxy) as connection,
    ):
        connection.sendall(ASK)
        assert select.select([connection], [], [], 10)[0]
        # From the socket's own error: eventlet's recv returns b"" for a reset, too.
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


def test_a_fault_is_one_exchange_and_the_connection_goes_on(upstream: Clockmaker) -> None:
    plan = {1: Fault.spoil(at=3), 2: Fault.split(size=1), 3: Fault.delay(0.05)}.get
    with FaultProxy(upstream.address, plan) as proxy, connect(proxy) as connection:
        heard = []
        for _ in range(5):
            connection.sendall(ASK)
            heard.append(everything(connection, len(TELL)))
        spoilt = TELL[:3] + bytes([TELL[3] ^ 0xFF]) + TELL[4:]
        assert heard == [TELL, spoilt, TELL, TELL, TELL]
        assert proxy.counts == {"connections": 1, "exchanges": 5, "spoil": 1, "split": 1, "delay": 1}


def test_the_share_of_faults_is_the_same_for_the_same_seed() -> None:
    plan, again = sometimes(Fault.lose_answer(), 0.3, seed=5), sometimes(Fault.lose_answer(), 0.3, seed=5)
    other = sometimes(Fault.lose_answer(), 0.3, seed=6)
    struck = [plan(number) is not None for number in range(1000)]
    assert struck == [again(number) is not None for number in range(1000)]
    assert struck != [other(number) is not None for number in range(1000)]
    assert 250 < sum(struck) < 350


def test_a_server_that_is_gone_and_one_that_comes_back(upstream: Clockmaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    with FaultProxy(nobody) as proxy:
        with connect(proxy) as connection:
            assert _ended(connection)
        proxy.upstream = upstream.address
        with connect(proxy) as connection:
            connection.sendall(ASK)
            assert everything(connection, len(TELL)) == TELL


def _ended(connection: socket.socket) -> bool:
    try:
        return everything(connection) == b""
    except ConnectionError:
        return True


def test_closing_ends_every_connection(upstream: Clockmaker) -> None:
    proxy = FaultProxy(upstream.address).start()
    with connect(proxy) as connection:
        connection.sendall(ASK)
        everything(connection, len(TELL))
        proxy.close()
        proxy.close()
        assert _ended(connection)
        with pytest.raises(ConnectionError):
            connect(proxy)
    assert proxy._open == {}
