"""Nodes that are not there yet when a client first needs them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any

import pytest

from flowthings_like import API, Client, ConnectionFailed, DeadlineExceeded, Token
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport import dial
from flowthings_like.wire.things import errors as things_errors
from flowthings_like.wire.things.packages import Kind, Package

from ...transport.things.scripted_node import Session, node, wait_until
from .support import USER, Script, error


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    """A socket that is bound to a port and does not listen yet."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


WHO = Token(USER[0], "a-token-of-hers")


@pytest.fixture
def script(script: Script) -> Script:
    script.accept.append([WHO.account, WHO.token])
    return script


def connect_pool(port: int) -> Client:
    client = Client()
    client.connect_pool([("127.0.0.1", port)], *USER, timeout=30)
    return client


def first_call(port: int) -> Client:
    api = API(WHO, host="embedded.invalid", things=f"things://127.0.0.1:{port}")
    assert api.things.query("first") == "first"
    return api.things


def lazy_call(port: int) -> Client:
    api = API(WHO, host="embedded.invalid", things=f"things://127.0.0.1:{port}")
    assert api.lazy().things.query("first") == "first"
    return api.things


HOWS = [connect_pool, first_call, lazy_call]


@pytest.mark.parametrize("how", HOWS)
def test_a_node_that_starts_late_is_waited_for(
    how: Callable[[int], Client], bound: socket.socket, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    connecting = detect().spawn(how, bound.getsockname()[1])
    wait_until(lambda: caplog.text.count("ConnectionRefusedError") >= 2)
    with node(script, listener=bound):
        client = detect().get(connecting, 30)
        assert client.query("1") == "1"
        client.close_and_wait()


@pytest.mark.parametrize("how", HOWS)
def test_a_name_that_is_not_known_yet(
    how: Callable[[int], Client], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, failures = socket.getaddrinfo, [1, 2, 3]

    def unsure(*args: Any, **options: Any) -> Any:
        if failures:
            failures.pop()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(*args, **options)

    with node(script) as found:
        monkeypatch.setattr(dial.socket, "getaddrinfo", unsure)
        client = how(found.listener.getsockname()[1])
        assert not failures
        client.close_and_wait()


@pytest.mark.parametrize("kind", [Kind.AUTH, Kind.QUERY])
@pytest.mark.parametrize("how", HOWS)
def test_a_node_that_is_there_and_not_ready(how: Callable[[int], Client], kind: Kind, script: Script) -> None:
    """It answers that it cannot serve now, to the log-in or to the first queries."""
    refusals = [1, 2]

    def starting(session: Session, request: Package) -> bytes | None:
        if request.kind == kind and refusals:
            refusals.pop()
            return error(request, -51, "node is starting")
        return script(session, request)

    with node(starting) as found:
        client = how(found.listener.getsockname()[1])
        assert client.query("1") == "1"
        assert not refusals
        client.close_and_wait()


def test_wrong_credentials_are_raised_at_once(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    script.accept = []
    with node(script) as found:
        client = Client()
        with pytest.raises(things_errors.AuthError, match="who are you"):
            client.connect_pool([found.url], *USER, timeout=None)
        assert len(found.sessions) == 1


def test_a_certificate_that_is_not_trusted_is_raised_at_once(
    script: Script, certificate: tuple[Path, Path]
) -> None:
    with node(script, tls=certificate) as found:
        client = Client(ssl=True)
        with pytest.raises(ConnectionFailed, match="not trusted") as caught:
            client.connect_pool([("localhost", found.listener.getsockname()[1])], *USER, timeout=None)
        assert isinstance(caught.value.__cause__.__cause__, SSLCertVerificationError)  # type: ignore[union-attr]


def test_after_the_timeout_the_error_has_the_last_failure(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    with pytest.raises(
        DeadlineExceeded, match=rf"things://127.0.0.1:{port}: ConnectionRefusedError"
    ) as caught:
        Client().connect_pool([("127.0.0.1", port)], *USER, timeout=2)
    assert caught.value.sent is False
    api = API(WHO, host="embedded.invalid", things=f"things://127.0.0.1:{port}")
    with pytest.raises(DeadlineExceeded, match="ConnectionRefusedError"):
        api.things.query("1", timeout=2)
    api.things.close_and_wait()


def test_failed_attempts_are_logged(bound: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(DeadlineExceeded):
        Client().connect_pool([("127.0.0.1", bound.getsockname()[1])], *USER, timeout=2)
    assert "ConnectionRefusedError" in caplog.text
    assert USER[1] not in caplog.text
