"""WebSocket servers that redirect, fall silent, refuse or announce too much; and both ends sending."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import (
    API,
    ConnectionFailed,
    FlowThingsError,
    FlowThingsForbidden,
    InvalidResponse,
    Token,
)
from flowthings_like.transport.retry import Backoff
from flowthings_like.transport.websocket import live_connection, live_session
from tests.forked import forked
from tests.transport.support import answer, raw

from .live import PING, TEXT, Peer, live

GRANTED = answer(b'{"head": {"ok": true}, "body": {"id": "s1"}}', Connection="close")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "pause", lambda self, failures: 0.0)


def api_for(address: str, **options: Any) -> API:
    return API(Token("acc", "t"), **{"host": address, "ws_host": address, "secure": False, **options})


def wait_for(condition: Any) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 60
        time.sleep(0.01)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Same", "308 Same"])
def test_a_redirect_in_the_handshake_is_refused(status: str) -> None:
    with raw(GRANTED) as other:

        def script(number: int, request: bytes) -> bytes:
            if request.startswith(b"POST"):
                return GRANTED
            return answer(status=status, Location=f"http://me:pw@{other.address}/session/x/ws")

        with raw(script) as server, api_for(server.address) as api:
            told: list[BaseException] = []
            client = api.websocket.connect(
                header=["X-Secret: s3cret"],
                cookie="id=s3cret",
                redirect_limit=3,
                on_error=lambda client, error: told.append(error),
            )
            with pytest.raises(InvalidResponse, match=f"a redirect to {other.address}") as caught:
                client.run()
            assert told == [caught.value]
            assert "pw" not in str(caught.value)
            assert "ws_host=" in str(caught.value)
        assert other.accepted == 0


SILENT = """
import sys
from tests.transport.websocket.live import live
def script(peer, number):
    peer.say({"type": "message", "resource": "f1", "value": number})
    while peer.read()[0] is not None:
        pass
with live(script) as server:
    print(server.address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
def test_a_peer_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "ANSWER_WITHIN", 0.5)
    errors: list[BaseException] = []
    heard: list[Any] = []
    root = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", SILENT], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        api = api_for(address, timeout=(0.5, 0.5), retry=False)
        client = api.websocket.connect(
            heartbeat=0.2,
            on_message=lambda client, resource, value: heard.append(value),
            on_error=lambda client, error: errors.append(error),
        )
        runner = threading.Thread(target=client.run, daemon=True)
        runner.start()
        wait_for(lambda: heard == [0])
        os.kill(process.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: errors)
            assert isinstance(errors[0], ConnectionFailed)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        wait_for(lambda: len(heard) > 1)  # it has reconnected
        client.close()
        runner.join(20)
        assert not runner.is_alive()
        api.close()
        process.terminate()


def test_whatever_comes_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "ANSWER_WITHIN", 2.0)
    beats: list[int] = []

    def script(peer: Peer, number: int) -> None:
        # It never answers a ping, but something comes now and then.
        for _ in range(25):
            time.sleep(0.1)
            peer.frame(PING, b"")
            beats.append(number)

    errors: list[BaseException] = []
    with live(script) as server, api_for(server.address) as api:
        client = api.websocket.connect(
            heartbeat=0.1, reconnect=False, on_error=lambda client, error: errors.append(error)
        )
        client.run()
    assert beats == [0] * 25


@pytest.mark.parametrize("handled", [True, False])
def test_a_subscribe_that_fails_is_reported_without_a_callback(
    handled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def script(peer: Peer, number: int) -> None:
        peer.reply(peer.hear(), ok=False, status=403, errors=["no right"])
        peer.hear()  # never answered
        peer.cut()

    told: list[FlowThingsError] = []
    options: dict[str, Any] = {"on_error": lambda client, error: told.append(error)} if handled else {}
    with live(script) as server, api_for(server.address) as api:

        def on_open(client: Any) -> None:
            client.subscribe("f1")
            client.subscribe("f2")

        api.websocket.connect(on_open=on_open, reconnect=False, **options).run()
    if handled:
        assert isinstance(told[0], FlowThingsForbidden)
        assert [type(error) for error in told[1:]] == [ConnectionFailed] * 2
        assert not caplog.records
    else:
        said = [record.getMessage() for record in caplog.records]
        assert sum("no right" in each for each in said) == 1
        assert sum("before the reply came" in each for each in said) == 1


@pytest.mark.parametrize("kind", ["one frame", "many frames", "a promise"])
def test_a_message_is_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_connection, "MAX_MESSAGE", 1000)

    def script(peer: Peer, number: int) -> None:
        if kind == "a promise":
            peer.connection.sendall(bytes([0x80 | TEXT, 127]) + struct.pack(">Q", 1 << 62))
        elif kind == "one frame":
            peer.frame(TEXT, b"x" * 1001)
        else:
            # In one piece, because the client hangs up as soon as there is too much.
            fragments = [bytes([TEXT, 100]), *[bytes([0, 100])] * 20]
            peer.connection.sendall(b"".join(head + b"x" * 100 for head in fragments))
        peer.read()

    told: list[BaseException] = []
    with live(script) as server, api_for(server.address) as api:
        api.websocket.connect(reconnect=False, on_error=lambda client, error: told.append(error)).run()
    assert [type(error) for error in told] == [ConnectionFailed]


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_reading_and_writing_at_once(secure: bool, certificate: tuple[Path, Path]) -> None:
    """Two threads use one TLS connection. OpenSSL allows only one at a time."""
    count, size = 400, 3000
    came: list[Any] = []

    def script(peer: Peer, number: int) -> None:
        for index in range(2 * count):
            came.append(peer.hear())
            if index < count:
                peer.say({"type": "message", "resource": "f1", "value": [index, "x" * size]})
        peer.say({"type": "message", "resource": "f1", "value": None})
        peer.hear()

    heard: list[Any] = []
    with (
        live(script, certificate if secure else None) as server,
        api_for(server.address, secure=secure, verify_ssl=str(certificate[0])) as api,
    ):

        def on_message(client: Any, resource: Any, value: Any) -> None:
            if value is None:
                client.close()
            else:
                heard.append(value[0])

        client = api.websocket.connect(on_message=on_message, reconnect=False)
        runner = threading.Thread(target=client.run, daemon=True)
        runner.start()

        def write(first: int) -> None:
            for index in range(first, first + count):
                client.send({"type": "echo", "value": [index, "y" * size]})

        writers = [threading.Thread(target=write, args=(first,)) for first in (0, count)]
        for writer in writers:
            writer.start()
        for writer in (*writers, runner):
            writer.join(60)
            assert not writer.is_alive()
    assert heard == list(range(count))
    assert sorted(message["value"][0] for message in came) == list(range(2 * count))


@pytest.mark.needs("green", "a fork copies no other OS thread")
def test_a_forked_copy_of_run_leaves_the_socket_alone() -> None:
    go_on = threading.Event()

    def script(peer: Peer, number: int) -> None:
        peer.say({"type": "message", "resource": "f1", "value": 0})
        go_on.wait(20)
        for index in range(1, 4):
            peer.say({"type": "message", "resource": "f1", "value": index})
        peer.hear()

    heard: list[Any] = []
    with live(script) as server, api_for(server.address) as api:
        client = api.websocket.connect(on_message=lambda client, resource, value: heard.append(value))
        runner = threading.Thread(target=client.run, daemon=True)
        runner.start()
        wait_for(lambda: heard == [0])

        def child() -> None:
            time.sleep(0.5)
            assert heard == [0]

        came = forked(child)
        go_on.set()
        wait_for(lambda: heard == [0, 1, 2, 3])
        assert came() == "fine"
        client.close()
        runner.join(20)
    assert server.sessions == 1
