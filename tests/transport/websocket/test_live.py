"""Live subscriptions against a real WebSocket server."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsForbidden,
    FlowThingsNotFound,
    FlowThingsUnavailable,
    InvalidInput,
    InvalidResponse,
    Token,
)
from flowthings_like.green.backends import _primitives
from flowthings_like.transport import reconnect
from flowthings_like.transport.retry import Backoff
from flowthings_like.transport.websocket import live as client
from flowthings_like.transport.websocket import live_connection
from tests.transport.opcodes import interrupted_at

from .live import PING, Live, Peer, live


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect without a pause."""
    monkeypatch.setattr(Backoff, "pause", lambda self, failures: 0.0)


def api_for(server: Live, **options: Any) -> API:
    return API(
        Token("acc", "t"), **{"host": server.address, "ws_host": server.address, "secure": False, **options}
    )


def run(client: Any) -> None:
    """Run a client, and check that `run` returns."""
    failures: list[BaseException] = []

    def target() -> None:
        try:
            client.run()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "run() did not return"
    if failures:
        raise failures[0]


def test_the_documents_example() -> None:
    heard: list[Any] = []

    def script(peer: Peer, number: int) -> None:
        heard.append(peer.path)
        request = peer.hear()
        assert request == {"object": "drop", "type": "subscribe", "flowId": "f1", "msgId": 0}
        peer.reply(request, {})
        peer.frame(PING, b"")
        peer.say({"type": "message", "resource": "f1", "value": {"elems": {"a": 1}}})
        assert peer.hear() is None

    def on_open(ws: Any) -> None:
        heard.append("open")
        ws.subscribe("f1")

    def on_message(ws: Any, resource: str, data: Any) -> None:
        heard.append((resource, data))
        ws.close()

    with live(script) as server, api_for(server) as api:
        ws = api.websocket.connect(
            on_open=on_open,
            on_message=on_message,
            on_close=lambda ws: heard.append("closed"),
            on_error=lambda ws, error: heard.append(error),
        )
        run(ws)
    assert heard == ["/session/s.1%2Fx/ws", "open", ("f1", {"elems": {"a": 1}}), "closed"] or heard == [
        "open",
        "/session/s.1%2Fx/ws",
        ("f1", {"elems": {"a": 1}}),
        "closed",
    ]


def test_replies_find_their_callbacks_whatever_the_type_of_their_id() -> None:
    def script(peer: Peer, number: int) -> None:
        first, second, third = peer.hear(), peer.hear(), peer.hear()
        assert (first["msgId"], second["msgId"], third["msgId"]) == (0, 1, "mine")
        peer.say({"head": {"ok": True, "status": 200}, "body": "nobody asked"})
        peer.say({"head": {"ok": True, "status": 200, "msgId": 99}, "body": "nobody asked"})
        peer.reply(third, "c")
        peer.reply(second, "b", msgId="1")
        peer.reply(first, "a")
        peer.hear()

    heard: list[Any] = []

    def take(ws: Any, body: Any) -> None:
        heard.append(body)
        if len(heard) == 3:
            ws.close()

    with live(script) as server, api_for(server) as api:
        ws = api.websocket.connect()
        ws.subscribe("f1", take)
        ws.unsubscribe("/acc/x", take)
        ws.send({"object": "flow", "type": "find", "id": "f1", "msgId": "mine"}, take)
        run(ws)
    assert heard == ["c", "b", "a"]
    assert ws._requests.waiting == {}


def test_refusals_reach_the_callback_and_on_error() -> None:
    def script(peer: Peer, number: int) -> None:
        peer.reply(peer.hear(), None, ok=False, status=404, errors=["no such flow"])
        peer.hear()

    heard: list[Any] = []
    errors: list[Any] = []

    def take(ws: Any, body: Any) -> None:
        heard.append(body)
        ws.close()

    with live(script) as server, api_for(server) as api:
        ws = api.websocket.connect(on_error=lambda ws, error: errors.append(error))
        ws.subscribe("f404", take)
        run(ws)
    assert isinstance(heard[0], FlowThingsNotFound)
    assert (heard[0].errors, heard[0].status, heard[0].path) == (["no such flow"], 404, "f404")
    assert errors == heard
    assert ws._requests.subscribed == {}


def test_failing_handlers_and_odd_messages_go_to_on_error() -> None:
    def script(peer: Peer, number: int) -> None:
        peer.say(b"no json")
        peer.say([1, 2])
        peer.say({"type": "unheard-of"})
        peer.say({"type": "message", "resource": "f1", "value": {}})
        peer.hear()

    errors: list[Any] = []

    def on_error(ws: Any, error: Exception) -> None:
        errors.append(type(error))
        if len(errors) == 3:
            ws.close()

    def on_message(ws: Any, resource: Any, data: Any) -> None:
        raise ZeroDivisionError

    with live(script) as server, api_for(server) as api:
        run(api.websocket.connect(on_message=on_message, on_error=on_error))
    assert errors == [InvalidResponse, InvalidResponse, ZeroDivisionError]


def test_handlers_may_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    def script(peer: Peer, number: int) -> None:
        peer.say({"type": "message", "resource": "f1", "value": {}})
        peer.say(b"no json")
        peer.say({"head": {"ok": False, "status": 400, "errors": ["x"]}, "body": None})

    with live(script) as server, api_for(server) as api:
        run(api.websocket.connect(reconnect=False))

        def on_close(ws: Any) -> None:
            raise ZeroDivisionError

        run(api.websocket.connect(reconnect=False, on_close=on_close))
    said = [record.getMessage() for record in caplog.records]
    # There were two connections.
    assert said.count("a WebSocket handler failed") == 1
    assert said.count("WebSocket: a message that is no JSON object (InvalidResponse)") == 2
    assert said.count("WebSocket: 400: x (FlowThingsBadRequest)") == 2


def test_a_lost_connection_comes_back_with_its_subscriptions() -> None:
    seen: list[Any] = []

    def script(peer: Peer, number: int) -> None:
        if number == 0:
            for _ in range(3):
                peer.reply(peer.hear(), {})
            peer.hear()  # the request that is never answered
            peer.cut()
            return
        while (request := peer.hear()) is not None:
            seen.append(request.get("flowId") or request.get("path"))
            peer.reply(request, {})
            if len(seen) == 2:
                peer.say({"type": "message", "resource": "f1", "value": number})

    events: list[Any] = []

    def on_open(ws: Any) -> None:
        events.append("open")
        ws.subscribe("f1")
        if len(events) == 1:
            ws.subscribe("/acc/x")
            ws.subscribe("f2", lambda ws, body: ws.unsubscribe("f2", lambda ws, body: events.append(body)))

    def on_message(ws: Any, resource: Any, value: Any) -> None:
        events.append(value)
        ws.close()

    def on_error(ws: Any, error: Exception) -> None:
        events.append(type(error))

    with live(script) as server, api_for(server) as api:
        ws = api.websocket.connect(
            on_open=on_open,
            on_message=on_message,
            on_error=on_error,
            on_close=lambda ws: events.append("closed"),
        )
        run(ws)
        assert server.sessions == 2
    assert sorted(seen) == ["/acc/x", "f1"]
    assert events[:2] == ["open", ConnectionFailed]
    assert isinstance(events[2], ConnectionFailed)
    assert events[3:] == ["closed", "open", 1, "closed"]
    assert ws._requests.waiting == {}


def test_a_server_that_hangs_up_at_once_is_given_more_and_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(backoff: Backoff, failures: int) -> float:
        pauses.append(backoff.longest(failures))
        if len(pauses) == 8:
            ws.close()
        return 0.0

    monkeypatch.setattr(Backoff, "pause", pause)
    with live(lambda peer, number: peer.cut()) as server, api_for(server) as api:
        ws = api.websocket.connect()
        run(ws)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_without_reconnect_a_loss_is_the_end() -> None:
    events: list[Any] = []
    with live(lambda peer, number: None) as server, api_for(server) as api:
        ws = api.websocket.connect(reconnect=False, on_close=lambda ws: events.append("closed"))
        ws.subscribe("f1", lambda ws, body: events.append(type(body)))
        run(ws)
        assert server.sessions == 1
    assert sorted(map(str, events)) == sorted(map(str, [ConnectionFailed, "closed"]))


def test_a_session_that_is_refused() -> None:
    def script(peer: Peer, number: int) -> None:
        peer.cut()

    errors: list[Any] = []
    with live(script) as server, api_for(server) as api:
        server.refusals.put(403)
        with pytest.raises(FlowThingsForbidden):
            api.websocket.connect()
        ws = api.websocket.connect(on_error=lambda ws, error: errors.append(type(error)))
        server.refusals.put(503)
        server.refusals.put(403)
        with pytest.raises(FlowThingsForbidden):
            run(ws)
    assert [error for error in errors if error is not ConnectionFailed] == [
        FlowThingsUnavailable,
        FlowThingsForbidden,
    ]


def test_requests_that_are_never_answered_time_out() -> None:
    def script(peer: Peer, number: int) -> None:
        while peer.hear() is not None:
            pass

    heard: list[Any] = []

    def take(ws: Any, body: Any) -> None:
        heard.append(body)
        ws.close()

    with live(script) as server, api_for(server) as api:
        ws = api.websocket.connect(reply_timeout=0.05)
        ws.subscribe("f1", take)
        run(ws)
    assert isinstance(heard[0], DeadlineExceeded)


def test_signs_of_life() -> None:
    beats: list[bytes] = []

    def script(peer: Peer, number: int) -> None:
        beats.extend(peer.read() for _ in range(4))
        peer.cut()

    with live(script) as server, api_for(server) as api:
        run(api.websocket.connect(heartbeat=0.02, reconnect=False))
    # The platform expects the first; every WebSocket has to answer the second.
    assert beats == [(1, b'{"type":"heartbeat"}'), (PING, b"")] * 2


def test_bad_requests_are_refused_and_a_closed_client_says_so() -> None:
    with live(lambda peer, number: None) as server, api_for(server) as api:
        ws = api.websocket.connect()
        ws.send({"type": "find", "msgId": "x"})
        for bad in (
            lambda: ws.subscribe(""),
            lambda: ws.subscribe(None),  # type: ignore[arg-type]
            lambda: ws.send([1]),  # type: ignore[arg-type]
            lambda: ws.send({"msgId": True}),
            lambda: ws.send({"msgId": "x"}),
            lambda: ws.send({"a": float("nan")}),
        ):
            with pytest.raises(InvalidInput):
                bad()
        assert list(ws._requests.waiting) == ["x"]
        ws.close()
        ws.close()
        run(ws)
        assert ws._requests.waiting == {}
        with pytest.raises(ConfigurationError, match="closed"):
            ws.subscribe("f1")


def test_the_apis_choice_of_certificates_reaches_the_socket(certificate: tuple[Path, Path]) -> None:
    with live(lambda peer, number: None, tls=certificate) as server:
        with api_for(server, secure=True, verify_ssl=str(certificate[0])) as trusting:
            ws = trusting.websocket.connect(reconnect=False)
            run(ws)
            assert server.sockets == 1
            again = trusting.websocket.connect(reconnect=False)
        again._connection.verify_ssl = True
        with pytest.raises(ConnectionFailed):
            run(again)
        again = trusting.websocket  # the API is closed: nothing more is opened
        with pytest.raises(ConfigurationError):
            again.connect()
        assert server.sockets == 1


@pytest.mark.needs("threads", "a signal handler raises between two steps of one thread")
@pytest.mark.parametrize(
    "module",
    [threading, _primitives, client, live_connection, reconnect],
    ids=lambda each: each.__name__,
)
def test_an_interrupted_close_keeps_nobody_from_closing(module: ModuleType) -> None:
    with live(lambda peer, number: None) as server, api_for(server) as api:
        for at in itertools.count(1):
            ws = api.websocket.connect()
            reached = interrupted_at(at, module, ws.close)
            closing = threading.Thread(target=ws.close, daemon=True)
            closing.start()
            closing.join(20)
            assert not closing.is_alive(), f"close() hangs after an interrupt at place {at}"
            run(ws)
            if not reached:
                break
