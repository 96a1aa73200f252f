"""What a client may take up: time and connections, on sockets and with clocks of milliseconds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from flowthings_like.platform.rest.connections import (
    Connection,
    ConnectionLimits,
    Connections,
    Phase,
    has_hung_up,
)

SHORT = ConnectionLimits(per_address=3, total=5, head=0.5, keep_alive=1.0, stall=0.5, slowest=100_000)
PATIENT = ConnectionLimits(head=30, keep_alive=30, stall=30)


class Pair:
    """A connection and its client."""

    def __init__(self, limits: ConnectionLimits, host: str = "192.0.2.1") -> None:
        self.client, server = socket.socketpair()
        self.connection = Connection(server, host, limits)

    def close(self) -> None:
        self.client.close()
        self.connection.close()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made: list[Pair] = []
    yield made
    for pair in made:
        pair.close()


@pytest.fixture
def short(pairs: list[Pair]) -> Pair:
    pairs.append(Pair(SHORT))
    return pairs[-1]


def test_a_head_that_does_not_come_ends_the_connection(short: Pair) -> None:
    short.client.sendall(b"GET / HT")
    assert short.connection.recv(100) == b"GET / HT"
    assert short.connection.recv(100) == b""
    short.client.sendall(b"TP/1.1\r\n\r\n")
    assert short.connection.recv(100) == b"", "the end stays the end"


def test_a_head_in_small_pieces_has_no_more_time(short: Pair) -> None:
    begun = time.monotonic()
    short.client.settimeout(5)
    while True:
        try:
            short.client.sendall(b"x")
        except OSError:
            break
        if not short.connection.recv(1):
            break
        time.sleep(0.01)
        assert time.monotonic() - begun < 20


def test_an_idle_connection_has_longer_until_its_next_head_begins(short: Pair) -> None:
    short.connection.begin()
    short.connection.finish()
    begun = time.monotonic()
    assert short.connection.recv(1) == b""
    assert time.monotonic() - begun >= SHORT.keep_alive


def test_a_body_that_stops_is_an_error(short: Pair) -> None:
    short.connection.begin()
    short.client.sendall(b"{")
    assert short.connection.recv(100) == b"{"
    with pytest.raises(TimeoutError, match="stopped sending"):
        short.connection.recv(100)
    assert short.connection.recv(100) == b""


def test_a_body_that_trickles_is_an_error(short: Pair) -> None:
    short.connection.begin()

    def trickle() -> None:
        while True:
            short.client.sendall(b"x")
            short.connection.recv(1)
            time.sleep(0.01)

    with pytest.raises(TimeoutError):
        trickle()


def test_a_body_that_keeps_coming_may_take_longer(short: Pair) -> None:
    short.connection.begin()
    begun = time.monotonic()
    while time.monotonic() - begun < 3 * SHORT.stall:
        short.client.sendall(bytes(65536))
        left = 65536
        while left:
            left -= len(short.connection.recv(left))


def test_a_response_that_is_not_read_is_abandoned(short: Pair) -> None:
    short.connection.begin()
    limits = ConnectionLimits(stall=0.05, slowest=1 << 30)
    short.connection._limits = limits
    with pytest.raises(ConnectionResetError, match="stopped reading"):
        short.connection.sendall(bytes(16 << 20))


@pytest.fixture
def crowd(pairs: list[Pair]) -> Connections:
    found = Connections(SHORT)
    for _ in range(3):
        pairs.append(Pair(PATIENT))
        assert found.admit(pairs[-1].connection)
    return found


def ended(pair: Pair) -> bool:
    pair.client.settimeout(0)
    try:
        return pair.client.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_new_connection_ends_the_one_that_has_waited_longest(crowd: Connections, pairs: list[Pair]) -> None:
    first, second, third = pairs
    first.connection.begin()  # busy: never the one
    second.connection.since = third.connection.since + 1
    pairs.append(Pair(PATIENT))
    assert crowd.admit(pairs[-1].connection)
    assert [ended(pair) for pair in (first, second, third)] == [False, False, True]
    crowd.discard(third.connection)
    crowd.discard(third.connection)
    assert len(crowd) == 3


def test_if_all_are_busy_a_new_connection_is_refused(crowd: Connections, pairs: list[Pair]) -> None:
    for pair in pairs:
        pair.connection.begin()
    pairs.append(Pair(PATIENT))
    assert not crowd.admit(pairs[-1].connection)
    assert len(crowd) == 3
    assert not any(ended(pair) for pair in pairs)
    crowd.discard(pairs[-1].connection)
    assert len(crowd) == 3
    pairs.append(Pair(PATIENT, "192.0.2.2"))
    assert crowd.admit(pairs[-1].connection), "another address has room of its own"


def test_beyond_the_total_the_address_with_most_loses_one(crowd: Connections, pairs: list[Pair]) -> None:
    for host in ("192.0.2.2", "192.0.2.3"):
        pairs.append(Pair(PATIENT, host))
        assert crowd.admit(pairs[-1].connection)
    pairs.append(Pair(PATIENT, "192.0.2.4"))
    assert crowd.admit(pairs[-1].connection)
    assert [ended(pair) for pair in pairs] == [True, False, False, False, False, False]


def test_a_network_of_ipv6_addresses_counts_as_one() -> None:
    one, two, other = (Pair(SHORT, host) for host in ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"))
    assert one.connection.origin == two.connection.origin != other.connection.origin
    for pair in (one, two, other):
        pair.close()


def test_closing_ends_those_that_wait_and_lets_the_busy_go_on(crowd: Connections, pairs: list[Pair]) -> None:
    pairs[0].connection.begin()
    crowd.close()
    assert [ended(pair) for pair in pairs] == [False, True, True]
    assert pairs[0].connection.phase is Phase.BUSY
    pairs.append(Pair(PATIENT, "192.0.2.9"))
    assert not crowd.admit(pairs[-1].connection)
    crowd.end()
    assert ended(pairs[0])


def test_a_websocket_makes_no_room_for_others_and_ends_with_the_worker(
    crowd: Connections, pairs: list[Pair]
) -> None:
    for pair in pairs:
        pair.connection.begin()
        assert pair.connection.take_over() is not None
        assert pair.connection.phase is Phase.LIVE
    pairs.append(Pair(PATIENT))
    assert not crowd.admit(pairs[-1].connection)
    assert not any(ended(pair) for pair in pairs[:3])
    crowd.close()
    assert all(ended(pair) for pair in pairs[:3])


@pytest.mark.parametrize("unread", [b"", b"more"])
def test_a_hang_up_is_noticed_behind_unread_bytes(unread: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
        with server:
            client.sendall(unread)
            assert not has_hung_up(server)
            client.close()
            deadline = time.monotonic() + 20
            while not has_hung_up(server):
                assert time.monotonic() < deadline
                time.sleep(0.001)
        assert has_hung_up(server), "closed here"
