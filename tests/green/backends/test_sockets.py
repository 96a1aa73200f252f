"""Sending and receiving without waiting, and sockets that a hub watches."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from flowthings_like import errors
from flowthings_like.green.backends.choice import detect, native

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_send_now_sends_what_a_socket_accepts(pair: Pair, timeout: float | None) -> None:
    one, other = pair
    backend = detect()
    one.settimeout(timeout)
    begun = monotonic()
    sent = 0
    while taken := backend.send_now(one, b"x" * 100_000):
        sent += taken
    assert sent > 0
    assert monotonic() - begun < 30  # it does not wait for the time-out
    assert one.gettimeout() == timeout
    left = sent
    while left:
        left -= len(other.recv(65_536))
    assert backend.send_now(one, memoryview(b"abc")[1:]) == 2
    assert other.recv(10) == b"bc"
    other.close()
    with pytest.raises(OSError, match=r"Broken|EPIPE"):
        backend.send_now(one, b"x")


def test_receive_now_returns_what_has_arrived(pair: Pair) -> None:
    one, other = pair
    backend = detect()
    if not backend.is_cooperative:
        return  # threads wait for what they read
    assert backend.receive_now(one, 10) is None
    assert one.gettimeout() is None
    other.sendall(b"abc")
    assert backend.receive_now(one, 2) == b"ab"
    assert backend.receive_now(one, 2) == b"c"
    other.close()
    assert backend.receive_now(one, 2) == b""


def test_the_hub_watches_until_it_is_told_to_stop(pair: Pair) -> None:
    one, other = pair
    backend = detect()
    seen: list[bytes | None] = []
    event = backend.one_shot_event()

    def readable() -> None:
        seen.append(backend.receive_now(one, 10))
        event.set_and_switch()

    stop = backend.watch(one, readable)
    assert (stop is None) == (not backend.is_cooperative)
    if stop is None:
        return
    other.sendall(b"a")
    assert event.wait(10)
    assert seen == [b"a"]
    stop()
    other.sendall(b"b")
    assert one.recv(10) == b"b"  # the hub no longer reads it
    assert seen == [b"a"]


def test_an_event_of_another_threads_hub_is_refused() -> None:
    backend = detect()
    make = backend.event_factory()
    event = make()
    if backend.is_cooperative:
        for refused in (event.wait, make):
            with pytest.raises(errors.WrongThread, match="G10"):
                native(refused)
    event.set_and_switch()
    began = monotonic()
    assert event.wait(60)
    assert monotonic() - began < 30
