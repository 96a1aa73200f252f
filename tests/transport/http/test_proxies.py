"""Proxies: a dead one is named, and an invalid one is refused without showing its password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    Token,
)
from flowthings_like.transport.http.proxies import check_proxy

from ..support import answer, raw

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def api_for(proxy: str, secure: bool = False, **options: Any) -> API:
    api = API(Token("acc", "t0ken"), host="flows.invalid", secure=secure, timeout=20, retry=False, **options)
    api.session.proxies = {"http": proxy, "https": proxy}
    return api


def failure(api: API) -> FlowThingsError:
    with api, pytest.raises(FlowThingsError) as caught:
        api.flow.read("f1")
    said = str(caught.value)
    assert "s3cret" not in said
    assert "t0ken" not in said
    return caught.value


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("start", ["http://", "http://me:s3cret@", ""])
def test_a_dead_proxy_is_named(nobody: str, start: str, secure: bool) -> None:
    error = failure(api_for(start + nobody, secure))
    assert isinstance(error, ConnectionFailed)
    assert f"the proxy http://{nobody} cannot be used" in str(error)
    assert not error.sent


def test_a_dead_proxy_of_the_environment_is_named(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:s3cret@{nobody}")
    error = failure(API(Token("acc", "t0ken"), host="flows.invalid", secure=False, timeout=20, retry=False))
    assert f"the proxy http://{nobody} cannot be used" in str(error)
    session = requests.Session()
    options: dict[str, Any] = {"host": "flows.invalid", "secure": False, "retry": False, "session": session}
    assert f"the proxy http://{nobody} cannot be used" in str(failure(API(Token("acc", "t0ken"), **options)))
    session.close()


def test_a_proxy_that_refuses_is_named() -> None:
    with raw(answer(status="407 Proxy Authentication Required")) as proxy:
        error = failure(api_for(f"http://me:s3cret@{proxy.address}", secure=True))
    assert f"the proxy http://{proxy.address} cannot be used" in str(error)
    assert "407" in str(error)
    assert not error.sent  # type: ignore[attr-defined]


def test_a_proxy_that_says_nothing_is_named() -> None:
    with raw(lambda number, request: b"") as proxy:
        api = api_for(f"http://{proxy.address}")
        with api, pytest.raises(DeadlineExceeded, match=f"by the proxy http://{proxy.address}"):
            api.flow.read("f1", timeout=2)


def test_a_proxy_that_works() -> None:
    with (
        raw(answer(b'{"head": {}, "body": 1}')) as proxy,
        api_for(f"http://me:s3cret@{proxy.address}/") as api,
    ):
        assert api.flow.read("f1") == 1
        assert proxy.requests[0].startswith(b"GET http://flows.invalid/v4.0/acc/flow/f1 ")


NONSENSE = [
    "http://me:s3cret@",
    "http://",
    "http://me:s3cret@proxy:99999",
    "http://me:s3cret@proxy:port",
    "http://me:s3cret@pro xy:3128",
    "http://me:s3cret@a..b:3128",
    "http://me:s3cret@proxy:3128/path",
    "ftp://me:s3cret@proxy:3128",
    "htp:/me:s3cret@proxy:3128",
    "http:///me:s3cret@proxy",
    "http://me:s3cret/x@proxy:3128",
    "http://[::1:3128",
    "me:s3cret@proxy:0",
]


@pytest.mark.parametrize("proxy", NONSENSE)
def test_an_invalid_proxy_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = failure(api_for(proxy))
    assert isinstance(error, ConfigurationError)
    assert "makes no sense" in str(error)
    assert "HTTP_PROXY" in str(error)
    assert "flows.example.com" not in str(error)  # the advice for a platform's host
    monkeypatch.setenv("http_proxy", proxy)
    error = failure(API(Token("acc", "t0ken"), host="flows.invalid", secure=False, retry=False))
    assert isinstance(error, ConfigurationError)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("proxy:3128", "http://proxy:3128"),
        ("http://me:pass@proxy:3128/", "http://me:pass@proxy:3128/"),
        ("HTTPS://proxy", "HTTPS://proxy"),
        ("http://me:p%40ss@[::1]:3128", "http://me:p%40ss@[::1]:3128"),
        ("socks5h://proxy:1080", "socks5h://proxy:1080"),
    ],
)
def test_a_valid_proxy_is_taken(given: str, taken: str) -> None:
    assert check_proxy(given) == taken


def test_a_redirect_says_what_to_change() -> None:
    places = {
        "http://elsewhere.example/x?token=s3cret": "Give the final host as host=",
        "//elsewhere.example/x": "Give the final host as host=",
        "/v5.0/acc/flow/f1?token=s3cret": "a redirect to /v5.0/acc/flow/f1 on the same host",
        "login": "on the same host",
        "https://HERE/v4.0/acc/flow/f1": "Give secure=True",
        "http://[": "no URL",
        "": "on the same host",
    }
    for place, expected in places.items():
        said = answer(status="302 Found", Location=place)

        def script(number: int, request: bytes, said: bytes = said) -> bytes:
            return said.replace(b"HERE", server.address.encode())

        with raw(script) as server:
            for transport in ("auto", "requests"):
                api = API(Token("acc", "t0ken"), host=server.address, secure=False, transport=transport)
                error = failure(api)
                assert expected in str(error)
                assert ("host=" in str(error)) is (expected == "Give the final host as host=")
