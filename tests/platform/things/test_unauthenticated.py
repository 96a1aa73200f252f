"""Connections that have not logged in: their time limit, and how many may be open."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress

import pytest

from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.things import node
from flowthings_like.platform.things.connections import session
from flowthings_like.wire.things.packages import Kind, package

from .harness import PATIENCE, Peer, wait_until

HALF_WEBSOCKET = b"GET / HTTP/1.1\r\nHost: x\r\n"
HALF_PACKAGE = package(Kind.AUTH, 1, b"\0" * 1000)[:500]


@pytest.mark.parametrize("said", [b"", b"G", HALF_WEBSOCKET, HALF_PACKAGE, package(Kind.PING, 1)])
def test_a_login_has_a_time_limit(platform: Platform, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(session, "LOGIN_TIMEOUT", 0.2)
    known = Peer.of(platform)
    with socket.create_connection(platform.things_address()[:2], timeout=PATIENCE) as stranger:
        stranger.sendall(said)
        while stranger.recv(100):
            pass
    assert known.query("1;") == 1, "who has come in stays"
    known.close()


def test_pings_do_not_extend_the_time_limit(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOGIN_TIMEOUT", 0.2)
    stranger = Peer(*platform.things_address()[:2])
    until = time.monotonic() + PATIENCE
    with suppress(EOFError, OSError):
        while True:
            stranger.ask(Kind.PING)
            assert time.monotonic() < until
            time.sleep(0.01)
    stranger.close()


def test_a_client_that_has_logged_in_may_be_silent(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOGIN_TIMEOUT", 2.0)
    known = Peer.of(platform)
    time.sleep(2.5)
    assert known.query("2;") == 2
    known.close()


def test_many_unauthenticated_connections_do_not_block_a_login(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "MAX_UNAUTHENTICATED", 5)
    address = platform.things_address()[:2]
    serving = platform.things._running
    assert serving is not None
    known = Peer.of(platform)
    with ExitStack() as stack:
        for _ in range(30):
            stranger = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
            stranger.sendall(HALF_PACKAGE)
        wait_until(lambda: serving.node.connections <= 6)
        another = Peer.of(platform)
        assert another.query("3;") == known.query("3;") == 3
        another.close()
    known.close()
    wait_until(lambda: serving.node.connections == 0 and not serving.node._unauthenticated)


def test_failed_logins_end_the_connection(platform: Platform) -> None:
    stranger = Peer(*platform.things_address()[:2])
    for _ in range(session.MAX_FAILED_LOGINS):
        kind, _body = stranger.ask(Kind.AUTH, ["acme", "wrong"])
        assert kind == Kind.ERROR
    assert stranger.gone()
    stranger.close()
