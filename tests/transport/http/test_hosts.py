"""The token is sent only to a host that was named and is valid."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like import API, ConfigurationError, Token, defaults
from flowthings_like.transport.http.hosts import check_host

from ...services.support import serving

CREDS = Token("acc", "tok-of-acc")

IMPOSSIBLE = [
    "127.0.0.1:99999",
    "127.0.0.1:65536",
    "127.0.0.1:0",
    "127.0.0.1:",
    "h:-1",
    "h:+80",
    "h:8 0",
    "h:٣",
    "h:80:80",
    "h:" + "9" * 400,
    "a" * 70,
    "a" * 70 + ".example.com",
    ".".join(["abcdefgh"] * 30),
    "a..b",
    ".a",
    ".",
    "..",
    "",
    "a b",
    " a",
    "a ",
    "a\n",
    "a\tb",
    "a\x00b",
    "münchen.example",
    "日本",
    "\uff41.example",
    "-a.example",
    "a-.example",
    "a/b",
    "http://a",
    "https://a.example/v4",
    "user:pw@a.example",
    "a?b",
    "a#b",
    "a%20b",
    "a\\b",
    "a,b",
    "*.a",
    "256.1.1.1",
    "1.2.3",
    "1.2.3.4.5",
    "0x7f.1",
    "127.1",
    "7",
    "[::1",
    "::1",
    "[]",
    "[g::1]",
    "[1.2.3.4]",
    "[::1]:99999",
    "[::1]x",
    7,
    b"a.example",
    ["a"],
    True,
]
POSSIBLE = [
    "a",
    "localhost",
    "test",
    "flows.example.com",
    "flows.example.com.",
    "flows.example.com:8080",
    "A.Example:1",
    "127.0.0.1",
    "127.0.0.1:65535",
    "[::1]",
    "[::1]:9200",
    "[2001:db8::1]:80",
    "my_service:80",
    "xn--mnchen-3ya.example",
    "1a.example",
    "a" * 63 + ".example",
    "4.example",
    "embedded.invalid",
]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOST", "WS_HOST", "PROFILE", "CREDENTIALS", "ACCOUNT", "TOKEN"):
        monkeypatch.delenv(f"FLOWTHINGS_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("host", IMPOSSIBLE, ids=lambda host: ascii(host)[:30])
@pytest.mark.parametrize("option", ["host", "ws_host"])
def test_an_invalid_host_is_refused_when_the_api_is_made(option: str, host: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{option} is ") as caught:
        API(CREDS, **{option: host})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("host", POSSIBLE)
def test_a_valid_host_is_taken(host: str) -> None:
    assert API(CREDS, host=host)._connection.rest_url("/x") == f"https://{host}/v4.0/acc/x"


def test_the_name_in_dns_is_in_the_message() -> None:
    with pytest.raises(ConfigurationError, match=r"xn--mnchen-3ya\.example"):
        API(CREDS, host="münchen.example")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("http://flows.example.com", "leave out the scheme"),
        ("https://user:pw@flows.example.com:80/v4", "leave out the scheme"),
        ("user:pw@flows.example.com", "leave out the user"),
        ("flows.example.com/v4", "leave out the path"),
        ("flows.example.com:80/", "leave out the path"),
        ("::1", r"in brackets, '\[::1\]'"),
        ("2001:db8::1", r"in brackets, '\[2001:db8::1\]'"),
    ],
)
def test_the_message_says_what_makes_a_host_a_url(host: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        API(CREDS, host=host)
    assert "pw" not in str(caught.value)


@given(st.text(max_size=80))
def test_what_passes_is_one_name_in_a_url(host: str) -> None:
    from urllib.parse import urlsplit

    try:
        check_host("host", host)
    except ConfigurationError:
        return
    parts = urlsplit(f"http://{host}/x")
    assert (parts.netloc, parts.path, parts.query, parts.username) == (host, "/x", "", None)
    assert parts.port is None or 1 <= parts.port <= 65535


@pytest.mark.parametrize("place", ["defaults", "environment", "profile", "argument of connect"])
def test_a_host_from_anywhere_is_checked(place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = API
    arguments: dict[str, Any] = {}
    if place == "defaults":
        monkeypatch.setattr(defaults, "host", "127.0.0.1:99999")
    elif place == "environment":
        monkeypatch.setenv("FLOWTHINGS_HOST", "127.0.0.1:99999")
    else:
        host = "127.0.0.1:99999" if place == "profile" else "a.example"
        profile = tmp_path / "credentials"
        profile.write_text(f"[default]\naccount = a\ntoken = t\nhost = {host}\n")
        profile.chmod(0o600)
        monkeypatch.setenv("FLOWTHINGS_CREDENTIALS", str(profile))
        if place != "profile":
            arguments["host"] = "127.0.0.1:99999"
    with pytest.raises(ConfigurationError, match="from 1 to 65535"):
        make(CREDS) if place in ("defaults", "environment") else API.connect(**arguments)


def test_a_port_too_large_reaches_no_other_port() -> None:
    """99999 modulo 65536 is 34463, and some libraries connect there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] + 65536
        with pytest.raises(ConfigurationError):
            API(CREDS, host=f"127.0.0.1:{port}", secure=False).flow.find()


CALLS: dict[str, Callable[[API], Any]] = {
    "find": lambda api: api.flow.find(),
    "create": lambda api: api.drop("f1").create({"elems": {}}),
    "lazy": lambda api: len(api.lazy().flow.find()),
    "async": lambda api: [calls := api.async_(), calls.flow.find(), calls.results()],
    "websocket": lambda api: api.websocket.connect(),
}


@pytest.mark.parametrize("call", CALLS)
def test_without_a_host_the_first_call_says_how_to_name_one(call: str) -> None:
    api = API(CREDS)
    assert "no host" in repr(api)
    with pytest.raises(ConfigurationError) as caught:
        CALLS[call](api)
    said = str(caught.value)
    if call == "websocket":
        expected = ["ws_host=", "defaults.ws_host", "FLOWTHINGS_WS_HOST", "profile"]
    else:
        expected = ["host=", "defaults.host", "FLOWTHINGS_HOST", "profile", "API.embedded"]
    assert [word for word in expected if word not in said] == []
    assert "flowthings.io" not in said


def test_the_environment_and_defaults_name_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setenv("FLOWTHINGS_HOST", server.address)
        with API(CREDS, secure=False) as api:
            assert api.flow.read("f1") == {"id": "f1"}
        monkeypatch.setenv("FLOWTHINGS_HOST", "elsewhere.invalid")
        monkeypatch.setattr(defaults, "host", server.address)
        with API(CREDS, secure=False) as api:
            assert api.flow.read("f1") == {"id": "f1"}
            assert api._connection.session_url("/session") == f"http://{server.address}/session"
            assert api._connection.socket_url("/x") == f"ws://{server.address}/x"


def test_a_function_that_sends_is_told_the_original_name() -> None:
    asked = []

    def sender(method: str, url: str, params: Any = None, data: Any = None, creds: Any = None) -> Any:
        asked.append(url)
        return b'{"head": {"ok": true}, "body": {"id": "s1"}}', {}, 200

    api = API(CREDS, request=sender)
    api.flow.read("f1")
    assert asked == ["https://api.flowthings.io/v4.0/acc/flow/f1"]
    # The socket is this library's to open, and it opens none to a name that nobody gave.
    with pytest.raises(ConfigurationError, match="ws_host="):
        api.websocket.connect()
    assert asked[1:] == ["https://ws.flowthings.io/session"]
    api.request = None  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="FLOWTHINGS_HOST"):
        api.flow.read("f1")
