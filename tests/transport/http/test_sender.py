"""What an API sends, directly, through requests and into a platform of this process."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Iterable
from typing import Any

import pytest
import requests

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidInput,
    InvalidResponse,
    Token,
    defaults,
)
from flowthings_like.transport.http import native_transport
from flowthings_like.transport.http.exchange import DirectSession
from flowthings_like.transport.http.sender import HTTPSender

from ..support import answer, raw

CREDS = Token("acc", "s3cret")
FINE = answer(json.dumps({"head": {"ok": True, "status": 200}, "body": {"id": "f1"}}).encode())


def api_for(address: str, **options: Any) -> API:
    return API(CREDS, host=address, secure=False, **{"timeout": 10, "retry": False, **options})


def opened(session: requests.Session) -> int:
    assert isinstance(session, DirectSession)
    return sum(origin.pool.statistics().opened for origin in session.origins)


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_both_ways_send_the_same(transport: str) -> None:
    with raw(FINE) as server, api_for(server.address, transport=transport) as api:
        assert api.drop("/acc/ü x").create({"elems": {"a": 1}}, hints=False, sort=["a", "b"]) == {"id": "f1"}
        assert api.flow.find(limit=3) == {"id": "f1"}
        assert opened(api.session) == (transport == "auto")
        create, find = server.requests
    assert create.startswith(
        b"POST /v4.0/acc/drop/%2Facc%2F%C3%BC%20x?hints=False&sort=a&sort=b HTTP/1.1\r\n"
    )
    assert create.endswith(b'\r\n\r\n{"elems":{"a":1}}')
    assert find.startswith(b"GET /v4.0/acc/flow?limit=3 HTTP/1.1\r\n")
    for line in (b"X-Auth-Token: s3cret", b"X-Auth-Account: acc", b"Content-Type: application/json"):
        assert line + b"\r\n" in create
        assert line + b"\r\n" in find
    assert b"Idempotency-Key: " in create
    assert b"Idempotency-Key: " not in find


def test_the_choice_of_a_transport() -> None:
    with pytest.raises(ConfigurationError, match=r'transport is .*"auto" or "requests"'):
        API(CREDS, transport="pigeon")
    defaults.transport = "requests"
    try:
        with raw(FINE) as server, api_for(server.address) as api:
            api.flow.read("f1")
            assert opened(api.session) == 0
    finally:
        defaults.transport = "auto"


def test_a_session_of_ones_own_goes_its_own_way() -> None:
    with raw(FINE) as server, requests.Session() as session, api_for(server.address, session=session) as api:
        session.headers["X-Mine"] = "1"
        api.flow.read("f1")
        assert b"X-Mine: 1\r\n" in server.requests[0]
    with raw(FINE) as server, DirectSession() as session, api_for(server.address, session=session) as api:
        session.headers["X-Mine"] = "2"
        api.flow.read("f1")
        assert b"X-Mine: 2\r\n" in server.requests[0]
        assert opened(session) == 1


def test_hooks_that_are_added_later_count() -> None:
    heard: list[int] = []
    with raw(FINE) as server, api_for(server.address) as api:
        api.flow.read("f1")
        api.session.hooks["response"].append(lambda response, **options: heard.append(response.status_code))
        api.flow.read("f1")
        assert heard == [200]
        assert opened(api.session) == 1


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_a_token_that_would_be_two_headers(transport: str) -> None:
    creds = type("Creds", (), {"account": "acc", "token": "a\r\nX-Admin: yes"})()
    with raw(FINE) as server:
        sender = HTTPSender(transport=transport)
        with pytest.raises(InvalidInput) as caught:
            sender("GET", f"{server.url}/v4.0/acc/flow", creds=creds, timeout=(5, 5))
        assert "X-Admin" not in "".join(traceback.format_exception(caught.value))
        assert server.accepted == 0
        sender.close()


@pytest.mark.parametrize("wrong", ["/a b", "/a\r\nX: 1", "/ü"])
def test_a_target_that_is_none(wrong: str) -> None:
    sender = HTTPSender()
    with raw(FINE) as server:
        with pytest.raises(InvalidInput, match="target"):
            sender("GET", server.url + wrong, timeout=(5, 5))
        with pytest.raises(InvalidInput, match="method"):
            sender("GET /x", server.url, timeout=(5, 5))
        assert server.accepted == 0
    sender.close()


def test_whether_anything_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    sender = HTTPSender()
    said = iter([FINE, None, FINE])
    with raw(lambda number, request: next(said)) as server:
        sender("POST", server.url + "/a", timeout=(5, 5))
        with pytest.raises(ConnectionFailed) as broken:
            sender("POST", server.url + "/a", timeout=(5, 5))
        assert broken.value.sent
        session = sender.session
        assert isinstance(session, DirectSession)
        with (
            session.origins[0].pool.lease(None, 5, None),
            pytest.raises(DeadlineExceeded, match="none of 1") as late,
        ):
            sender("POST", server.url + "/a", timeout=(5, 0.01))
        assert not late.value.sent
    with pytest.raises(ConnectionFailed) as refused:
        sender("POST", server.url + "/a", timeout=(5, 5))
    assert not refused.value.sent
    assert refused.value.retryable
    sender.close()


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_redirects_are_reported(transport: str) -> None:
    said = answer(b"", "307 Elsewhere", Location="http://user:pw@far.invalid/x")
    with raw(said) as server, api_for(server.address, transport=transport) as api:
        with pytest.raises(InvalidResponse, match=r"redirect to far\.invalid") as caught:
            api.flow.read("f1")
        assert "pw" not in str(caught.value)


def test_a_limit_for_the_whole_call() -> None:
    """The answer comes byte by byte: no single read takes long."""
    stop = threading.Event()

    def said(number: int, request: bytes) -> bytes | None:
        (connection,) = server.open
        for byte in FINE[:-1] + bytes(10_000):
            connection.sendall(bytes([byte]))
            if stop.wait(0.002):
                break
        return None

    with raw(said) as server:
        sender = HTTPSender()
        with pytest.raises(DeadlineExceeded):
            sender("GET", server.url + "/a", timeout=(5.0, 5.0, 0.1))
        stop.set()
        sender.close()


# A platform of this process


class Application:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environs.append(environ)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"{}"]


def test_an_application_is_called_without_a_session() -> None:
    application = Application()
    sender = HTTPSender(mounted={"http://here.invalid": application})
    text, headers, status = sender(
        "POST", "http://here.invalid/a%2Fb", {"c": [1, 2]}, "tëxt", CREDS, headers={"Idempotency-Key": "k"}
    )
    assert (text, headers["content-type"], status) == (b"{}", "application/json", 200)
    assert sender._own == {}
    (environ,) = application.environs
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["RAW_URI"] == "/a%2Fb?c=1&c=2"
    assert environ["PATH_INFO"] == "/a/b"
    assert environ["HTTP_X_AUTH_TOKEN"] == "s3cret"
    assert environ["HTTP_IDEMPOTENCY_KEY"] == "k"
    assert environ["CONTENT_TYPE"] == "application/json"
    assert environ["wsgi.input"].read() == "tëxt".encode()


def test_an_application_gets_what_is_set_on_the_session() -> None:
    application = Application()
    sender = HTTPSender(mounted={"http://here.invalid": application})
    heard: list[int] = []
    session = sender.session
    session.headers["X-Mine"] = "1"
    sender("GET", "http://here.invalid/")
    session.hooks["response"].append(lambda response, **options: heard.append(response.status_code))
    sender("GET", "http://here.invalid/")
    session.hooks["response"].clear()
    session.cookies.set("a", "b")
    sender("GET", "http://here.invalid/")
    assert [environ.get("HTTP_X_MINE") for environ in application.environs] == ["1"] * 3
    assert [environ.get("HTTP_COOKIE") for environ in application.environs] == [None, None, "a=b"]
    assert heard == [200]
    assert session.get("http://here.invalid/").content == b"{}"
    assert opened(session) == 0
    sender.close()
