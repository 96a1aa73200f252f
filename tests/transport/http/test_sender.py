"""Which transport an API's requests take, what they send, and calls into a platform of this process."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    InvalidResponse,
    Token,
    defaults,
)
from flowthings_like.transport.http import native_transport
from flowthings_like.transport.http import sender as sender_module
from flowthings_like.transport.http.sender import HTTPSender

from ..support import answer, raw

CREDS = Token("acc", "s3cret")
FINE = answer(json.dumps({"head": {"ok": True, "status": 200}, "body": {"id": "f1"}}).encode())


def api_for(address: str, **options: Any) -> API:
    return API(CREDS, host=address, secure=False, **{"timeout": 10, "retry": False, **options})


def opened(sender: API | HTTPSender) -> int:
    """How many connections the native transport has opened."""
    return sum(pool.statistics().opened for pool in sender.pools)


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for nothing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def sender() -> Iterator[HTTPSender]:
    made = HTTPSender()
    yield made
    made.close()


def headers_of(request: bytes) -> dict[bytes, bytes]:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    found = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    assert len(found) == len(lines)
    return found


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_both_transports_send_the_same(transport: str) -> None:
    with raw(FINE) as server, api_for(server.address, transport=transport) as api:
        assert api.drop("/acc/ü x").create({"elems": {"a": 1}}, hints=False, sort=["a", "b"]) == {"id": "f1"}
        assert api.flow.find(limit=3) == {"id": "f1"}
        assert opened(api) == (transport == "auto")
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
            assert opened(api) == 0
    finally:
        defaults.transport = "auto"


def test_a_given_session_takes_the_requests_transport() -> None:
    with raw(FINE) as server, requests.Session() as session, api_for(server.address, session=session) as api:
        session.headers["X-Mine"] = "1"
        api.flow.read("f1")
        assert b"X-Mine: 1\r\n" in server.requests[0]
        assert opened(api) == 0


class Marker(HTTPAdapter):
    """An adapter of the user's own."""


SETTINGS: dict[str, Callable[[requests.Session], object]] = {
    "auth": lambda session: setattr(session, "auth", ("user", "pw")),
    "params": lambda session: session.params.update({"b": "2"}),  # type: ignore[union-attr]
    "proxies": lambda session: session.proxies.update({"ftp": "ftp://nowhere"}),
    "cert": lambda session: setattr(session, "cert", __file__),
    "cookie": lambda session: session.cookies.set("a", "1"),
    "hook": lambda session: session.hooks["response"].append(lambda response, **options: None),
    "stream": lambda session: setattr(session, "stream", True),
    "adapter": lambda session: session.mount("http://", Marker()),
    "another adapter": lambda session: session.mount("http://127.0.0.1", Marker()),
    "brotli": lambda session: session.headers.update({"Accept-Encoding": "gzip, br"}),
    "expect": lambda session: session.headers.update({"Expect": "100-continue"}),
    "length": lambda session: session.headers.update({"content-length": "0"}),
    "host": lambda session: session.headers.update({"Host": "other"}),
}


@pytest.mark.parametrize("setting", [*SETTINGS, "transport"])
def test_settings_that_choose_the_requests_transport(setting: str) -> None:
    sender = HTTPSender(transport="requests" if setting == "transport" else "auto")
    SETTINGS.get(setting, lambda session: None)(sender.session)
    with raw(answer(b"x")) as server:
        assert sender("GET", server.url + "/a", timeout=(20, 20))[0] == b"x"
    assert opened(sender) == 0
    sender.close()


def test_cookies_are_sent_if_they_are_set(sender: HTTPSender) -> None:
    with raw(answer(b"", Set_Cookie="id=5; Path=/")) as server:
        sender("GET", server.url + "/a")
        assert opened(sender) == 1
        sender("GET", server.url + "/b")
        sender.session.cookies.set("mine", "1")
        sender("GET", server.url + "/c")
        assert server.accepted == 2
        sender.session.cookies.clear()
        sender("GET", server.url + "/d")
        assert server.accepted == 2
        found = [headers_of(request).get(b"cookie") for request in server.requests]
    assert found == [None, None, b"mine=1", None]
    assert opened(sender) == 1


def test_a_url_with_a_password_chooses_the_requests_transport(sender: HTTPSender) -> None:
    with raw(answer()) as server:
        sender("GET", f"http://user:pw@{server.address}/a")
        assert headers_of(server.requests[0])[b"authorization"].startswith(b"Basic ")
    assert opened(sender) == 0
    for wrong in ("", "/a", "nonsense", "http://", "ftp://x/", "http://a:99999/"):
        with pytest.raises(FlowThingsError):
            sender("GET", wrong, timeout=(5, 5))


def test_a_proxy_of_the_environment(sender: HTTPSender, monkeypatch: pytest.MonkeyPatch) -> None:
    session, timeout = sender.session, (20, 20)
    with raw(answer(b"by proxy")) as proxy, raw(answer(b"here")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert sender("GET", "http://far.invalid/a", timeout=timeout)[0] == b"by proxy"
        assert proxy.requests[0].startswith(b"GET http://far.invalid/a HTTP/1.1\r\n")
        assert opened(sender) == 0
        port = server.address.partition(":")[2]
        assert sender("GET", f"http://localhost:{port}/a", timeout=timeout)[0] == b"here"
        assert opened(sender) == 1
        session.proxies["http"] = "http://nowhere.invalid"  # the environment comes first, as with requests
        assert sender("GET", "http://far.invalid/a", timeout=timeout)[0] == b"by proxy"
        session.proxies.clear()
        session.trust_env = False
        assert sender("GET", server.url + "/a", timeout=timeout)[0] == b"here"
        assert opened(sender) == 2


def test_the_environment_is_read_once_for_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(url: str, no_proxy: Any) -> dict[str, str]:
        looked.append(url)
        return {}

    monkeypatch.setattr(sender_module, "get_environ_proxies", look)
    with raw(answer(b"x")) as server:
        for transport in ("auto", "requests"):
            sender = HTTPSender(transport=transport)
            for _ in range(3):
                sender("GET", server.url + "/a")
            assert looked == [server.url + "/"]
            assert server.accepted == 1
            looked.clear()
            server.accepted = 0
            sender.close()


def test_passwords_of_netrc(sender: HTTPSender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw(answer()) as server:
        sender("GET", server.url + "/a")
        assert headers_of(server.requests[0])[b"authorization"].startswith(b"Basic ")
    assert opened(sender) == 0


def test_headers_of_the_session_count_when_they_change(sender: HTTPSender) -> None:
    session = sender.session
    with raw(answer()) as server:
        for change in (
            lambda: None,
            lambda: session.headers.update({"X-A": "1"}),
            lambda: session.headers.update({"x-a": "2"}),
            lambda: session.headers.pop("X-A"),
            lambda: setattr(session, "headers", {"X-B": "3"}),
            lambda: session.headers.update({"X-B": b"4"}),
            lambda: session.headers.update({"X-B": None}),
        ):
            change()
            sender("GET", server.url + "/a")
        found = [headers_of(request) for request in server.requests]
    assert [headers.get(b"x-a") for headers in found] == [None, b"1", b"2", None, None, None, None]
    assert [headers.get(b"x-b") for headers in found] == [None] * 4 + [b"3", b"4", None]
    assert b"user-agent" in found[3]
    assert b"user-agent" not in found[-1]
    assert opened(sender) == 1


def test_many_different_headers_leave_nothing_behind(sender: HTTPSender) -> None:
    with raw(answer()) as server:
        for number in range(600):
            sender.session.headers["X-Number"] = str(number)
            sender("GET", server.url + "/a")
        assert [headers_of(request)[b"x-number"] for request in server.requests] == [
            str(number).encode() for number in range(600)
        ]
    assert sender._header_lines.cache_info().currsize <= 256


@pytest.mark.parametrize(
    "headers", [{"X": ["a"]}, {"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "a\0"}, {"X": " a"}, {"": "a"}]
)
def test_header_injection_is_refused(sender: HTTPSender, headers: dict[str, Any]) -> None:
    sender.session.headers.update(headers)
    with raw(answer()) as server:
        with pytest.raises(InvalidInput):
            sender("GET", server.url + "/a")
        assert server.accepted == 0


@pytest.mark.parametrize("transport", ["auto", "requests"])
@pytest.mark.parametrize("timeout", [(1, 2, 3, 4), (1,), 0, -1, "5", (1, "x"), True])
def test_invalid_timeouts_are_refused(transport: str, timeout: Any) -> None:
    sender = HTTPSender(transport=transport)
    with raw(answer()) as server:
        with pytest.raises(InvalidInput, match="timeout"):
            sender("GET", server.url + "/a", timeout=timeout)
        for endless in (None, 1e300, (1e300, None), (None, 5, 1e12)):
            assert sender("GET", server.url + "/a", timeout=endless)[2] == 200
    sender.close()


def test_certificates_are_verified_as_set(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, made = str(certificate[0]), []

    def new(**options: Any) -> HTTPSender:
        made.append(HTTPSender(**options))
        return made[-1]

    with raw(answer(b"x"), certificate) as server:

        def believes(sender: HTTPSender) -> bool:
            try:
                return sender("GET", server.url + "/a", timeout=(20, 20))[0] == b"x"
            except ConnectionFailed as error:
                if "no trusted TLS" not in str(error):
                    raise
                return False

        assert believes(new(verify_ssl=bundle))
        assert not believes(new())
        sender = new()
        sender.session.verify = bundle
        assert believes(sender)
        sender.session.verify = True
        assert not believes(sender)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            with monkeypatch.context() as patch:
                patch.setenv(name, bundle)
                assert believes(new())
                untrusting = new()
                untrusting.session.trust_env = False
                assert not believes(untrusting)
                patch.setenv(name, __file__)
                assert believes(new(verify_ssl=bundle))
        assert all(sender.pools for sender in made)
    for sender in made:
        sender.close()


def test_hooks_that_are_added_later_count() -> None:
    heard: list[int] = []
    with raw(FINE) as server, api_for(server.address) as api:
        api.flow.read("f1")
        api.session.hooks["response"].append(lambda response, **options: heard.append(response.status_code))
        api.flow.read("f1")
        assert heard == [200]
        assert opened(api) == 1


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_a_token_with_a_line_break_is_refused(transport: str) -> None:
    creds = type("Creds", (), {"account": "acc", "token": "a\r\nX-Admin: yes"})()
    with raw(FINE) as server:
        sender = HTTPSender(transport=transport)
        with pytest.raises(InvalidInput) as caught:
            sender("GET", f"{server.url}/v4.0/acc/flow", creds=creds, timeout=(5, 5))
        assert "X-Admin" not in "".join(traceback.format_exception(caught.value))
        assert server.accepted == 0
        sender.close()


@pytest.mark.parametrize("wrong", ["/a b", "/a\r\nX: 1", "/ü"])
def test_an_invalid_target_is_refused(wrong: str) -> None:
    sender = HTTPSender()
    with raw(FINE) as server:
        with pytest.raises(InvalidInput, match="target"):
            sender("GET", server.url + wrong, timeout=(5, 5))
        with pytest.raises(InvalidInput, match="method"):
            sender("GET /x", server.url, timeout=(5, 5))
        assert server.accepted == 0
    sender.close()


def test_errors_say_whether_anything_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    sender = HTTPSender()
    said = iter([FINE, None, FINE])
    with raw(lambda number, request: next(said)) as server:
        sender("POST", server.url + "/a", timeout=(5, 5))
        with pytest.raises(ConnectionFailed) as broken:
            sender("POST", server.url + "/a", timeout=(5, 5))
        assert broken.value.sent
        with (
            sender.pools[0].lease(None, 5, None),
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
    assert opened(sender) == 0
    sender.close()
