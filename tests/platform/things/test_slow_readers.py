"""A client that does not read affects no other client, and is disconnected at a stated limit."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.sockets import outbox
from flowthings_like.platform.sockets.outbox import Outbox
from flowthings_like.wire.things.packages import Kind

from .harness import Peer, wait_until

Connect = Callable[..., Peer]
BOUND = 1 << 20


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection with small buffers."""
    listener = socket.create_server(("127.0.0.1", 0))
    there = socket.socket()
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    there.connect(listener.getsockname())
    here, _ = listener.accept()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    here.settimeout(20)
    yield here, there
    for sock in (here, there, listener):
        sock.close()


def received(sock: socket.socket, size: int) -> bytes:
    sock.settimeout(20)
    found = bytearray()
    while len(found) < size:
        data = sock.recv(min(65_536, size - len(found)))
        assert data, len(found)
        found += data
    return bytes(found)


def test_what_the_socket_does_not_take_is_sent_later_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    box = Outbox(here, lambda: None)
    parts = [bytes([number % 251]) * (1 + number * 37 % 50_000) for number in range(200)]
    for part in parts:
        box.send(part)
    assert box.unsent > 0
    whole = b"".join(parts)
    assert received(there, len(whole)) == whole
    wait_until(lambda: box.unsent == 0)
    box.close()


def test_a_thread_that_has_written_everything_does_not_disturb_its_successor(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = pair
    box = Outbox(here, lambda: None)
    first, second = b"1" * BOUND, b"2" * BOUND
    to_send = [second]
    take_next = Outbox._next

    def next_and_send(self: Outbox) -> bytes | None:
        data = take_next(self)
        if data is None and to_send:
            self.send(to_send.pop())  # finds no thread that writes, and starts one
        return data

    monkeypatch.setattr(Outbox, "_next", next_and_send)
    box.send(first)
    assert received(there, len(first)) == first
    wait_until(lambda: not to_send)
    backend.detect().sleep(0.05)  # the first thread ends; the second waits for the reader
    box.send(b"3")
    assert received(there, len(second) + 1) == second + b"3"
    box.close()


def test_corked_packages_are_sent_in_one_write(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    box = Outbox(here, lambda: None)
    box.cork()
    for _ in range(3):
        box.send(b"abc")
    assert box.unsent == 9
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(1)
    box.uncork()
    assert received(there, 9) == b"abcabcabc"
    box.close()


def test_beyond_the_limit_the_connection_is_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    here, _ = pair
    cut: list[bool] = []
    box = Outbox(here, lambda: cut.append(True), max_unsent=BOUND)
    sent = 0
    while not cut:
        box.send(b"x" * 10_000)
        sent += 10_000
        assert sent < 4 * BOUND
    assert sent > BOUND
    assert box.unsent == 0
    box.send(b"more")  # nothing happens
    assert cut == [True]
    box.close()


def test_one_package_may_be_larger_than_the_limit(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    box = Outbox(here, lambda: pytest.fail("cut off"), max_unsent=BOUND)
    large = b"y" * (4 * BOUND)
    box.send(large)
    assert received(there, len(large)) == large
    box.close()


def test_a_client_that_takes_nothing_for_too_long_is_disconnected(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, _ = pair
    here.settimeout(0.05)
    cut: list[bool] = []
    box = Outbox(here, lambda: cut.append(True))
    box.send(b"z" * BOUND)
    wait_until(lambda: cut == [True])
    box.close()


def test_a_client_that_has_disconnected(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    cut: list[bool] = []
    box = Outbox(here, lambda: cut.append(True))
    there.close()

    def notices() -> bool:
        box.send(b"w" * 10_000)
        return cut == [True]

    wait_until(notices)
    box.close()


def test_a_member_that_does_not_read_is_disconnected_and_others_are_not(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_UNSENT", BOUND)
    monkeypatch.setattr(Outbox.__init__, "__defaults__", (BOUND,))
    sender, reader, sleeper = connect(), connect(), connect()
    room = sender.query(".chat = room(); .chat.id();")
    for member in (reader, sleeper):
        member.ask(Kind.JOIN, ["//stuff", room])
        member.read()
    text = "x" * 100_000
    for number in range(200):
        assert sender.ask(Kind.EMIT, ["//stuff", room, "msg", number, text]) == (Kind.OK, None)
        assert reader.read()[1]["args"][0] == number
    assert sleeper.gone()
    assert reader.query("'still here'") == "still here"


def test_requests_of_a_client_that_does_not_read_wait(connect: Connect) -> None:
    peer, other = connect(), connect()
    peer.query(".text = text;", text="x" * 100_000)
    count = 300
    for _ in range(count):
        peer.say(Kind.QUERY, ["//stuff", ".text"])
    assert other.query("1") == 1  # other clients are not affected
    for _ in range(count):
        assert len(peer.read()[1]) == 100_000
