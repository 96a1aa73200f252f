"""DirectSession beside requests.Session: what is sent, what comes back, and which way it takes."""

from __future__ import annotations

import copy
import gc
import gzip
import io
import json
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Timeout

from flowthings_like.green.backends import contract as backend
from flowthings_like.transport.http import environment as surroundings
from flowthings_like.transport.http import exchange as direct
from flowthings_like.transport.http import native_transport
from flowthings_like.transport.http.exchange import DirectSession

from ..support import Raw, answer, raw

BODY = json.dumps({"a": [1, "ü"]}).encode()
TIMEOUT = 20


@pytest.fixture
def session() -> Iterator[DirectSession]:
    with DirectSession() as made:
        yield made


@pytest.fixture
def plain() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.headers["Accept-Encoding"] = "gzip, deflate"
        yield made


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for nothing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def opened(session: DirectSession) -> int:
    """How many connections of its own it has ever opened."""
    return sum(origin.pool.statistics().opened for origin in session.origins)


def parsed(request: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines)
    assert len(headers) == len(lines)
    return first, {name.lower(): value for name, value in headers.items()}, body


# The same as requests


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "", {}),
        ("GET", "?a=1", {}),
        ("get", "/v4.0/acme/flow/%2Facme%2F%C3%BC?filter=path%20%3D%3D%201&x=a+b", {}),
        ("GET", "/a", {"params": {"b": "ü /?&", "c": [1, True, "x"], "d": "~"}}),
        ("GET", "/a", {"headers": {"X-A": "1", "accept": "text/plain"}}),
        ("GET", "/a", {"headers": {"Host": "other"}}),
        ("GET", "/a", {"headers": {"X-A": b"bytes"}}),
        ("POST", "/a", {"data": BODY}),
        ("POST", "/a", {"data": "tëxt"}),
        ("POST", "/a", {"data": b""}),
        ("POST", "/a", {"json": {"a": ["ü", 1.5, None]}}),
        ("POST", "/a", {"json": [], "headers": {"content-type": "application/x"}}),
        ("PUT", "/a", {}),
        ("DELETE", "/a", {}),
        ("PATCH", "/a", {"data": b"x"}),
        ("OPTIONS", "/a", {}),
        ("MGET", "/a", {"data": b'["f1"]'}),
        ("HEAD", "/a", {"allow_redirects": False}),
        ("GET", "/a", {"data": b"a body all the same"}),
    ],
)
def test_it_sends_what_requests_sends(
    session: DirectSession, plain: requests.Session, method: str, path: str, options: dict[str, Any]
) -> None:
    with raw(answer()) as server:
        for each in (session, plain):
            assert each.request(method, server.url + path, timeout=TIMEOUT, **options).status_code == 200
        mine, theirs = map(parsed, server.requests)
    assert mine == theirs
    assert opened(session) == (0 if path == "?a=1" else 1)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("GET", answer(BODY, Content_Type="application/json")),
        ("GET", answer(BODY, Content_Type="text/html")),
        ("GET", answer("café".encode("latin-1"), Content_Type="text/plain; charset=latin-1")),
        ("GET", answer(BODY, "404 Gone Fishing", X_A="1", x_a="2", Link='</b>; rel="next"')),
        ("GET", answer(b"", "500 Oops")),
        ("GET", answer(gzip.compress(BODY), Content_Encoding="gzip", Content_Type="application/json")),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"ab", b"c" * 70000)),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + answer(BODY)),
        ("GET", answer(b"0123456789\n" * 50_000, Content_Type="text/plain; charset=utf-8")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nContent-Type: text/plain\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
        ("GET", answer(b"", "302 Found", Location="/elsewhere")),
    ],
)
def test_a_response_is_what_requests_makes_of_it(
    session: DirectSession, plain: requests.Session, method: str, said: bytes
) -> None:
    with raw(said) as server:
        mine, theirs = (
            each.request(
                method, server.url + "/a", headers={"X-B": "1"}, timeout=TIMEOUT, allow_redirects=False
            )
            for each in (session, plain)
        )
        again = session.request(method, server.url + "/a", timeout=TIMEOUT, allow_redirects=False)
    assert isinstance(mine, requests.Response)
    for name in (
        "status_code", "reason", "url", "content", "text", "encoding", "ok", "is_redirect", "history",
        "links", "headers", "is_permanent_redirect",
    ):  # fmt: skip
        assert getattr(mine, name) == getattr(theirs, name), name
    for name in ("method", "url", "body", "headers", "path_url"):
        assert getattr(mine.request, name) == getattr(theirs.request, name), name
    assert list(mine.headers) == list(theirs.headers)
    assert type(mine.elapsed) is timedelta
    assert list(mine.iter_content(1000)) == list(theirs.iter_content(1000))
    assert list(mine.iter_lines()) == list(theirs.iter_lines())
    assert list(mine.cookies) == []
    assert mine.raw.read() == mine.content
    assert bool(mine) == bool(theirs)
    assert (mine.next is None) == (theirs.next is None)
    assert mine.connection is session.get_adapter(server.url)
    assert repr(mine) == repr(theirs)
    mine.close()
    for other in (pickle.loads(pickle.dumps(mine)), copy.copy(mine)):
        assert (other.status_code, other.content, other.headers) == (
            mine.status_code,
            mine.content,
            mine.headers,
        )
        assert other.request.method == method
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        mine.colour  # noqa: B018
    assert again.content == mine.content
    assert (opened(session), server.accepted) == (1, 2)


def test_redirects_are_for_requests_to_follow(session: DirectSession, plain: requests.Session) -> None:
    def said(number: int, request: bytes) -> bytes:
        if b"/start" in request:
            return answer(b"", "302 Found", Location="/middle", Set_Cookie="seen=1")
        if b"/middle" in request:
            return answer(b"", "307 Temporary Redirect", Location=f"http://{server.address}/end")
        return answer(b"done")

    with raw(said) as server:
        found = [each.get(server.url + "/start", timeout=TIMEOUT) for each in (session, plain)]
        first = session.get(server.url + "/middle", timeout=TIMEOUT, allow_redirects=False)
    for response in found:
        assert response.content == b"done"
        assert [each.status_code for each in response.history] == [302, 307]
        assert response.url == server.url + "/end"
    assert first.next is not None
    assert first.next.url == server.url + "/end"
    assert {parsed(request)[1].get(b"cookie") for request in server.requests[1:3]} == {b"seen=1"}


def test_cookies_come_in_and_requests_sends_them(session: DirectSession) -> None:
    with raw(answer(b"", Set_Cookie="id=5; Path=/")) as server:
        response = session.get(server.url + "/a", timeout=TIMEOUT)
        assert response.cookies["id"] == session.cookies["id"] == "5"
        assert opened(session) == 1
        session.get(server.url + "/b", timeout=TIMEOUT)
        assert parsed(server.requests[1])[1][b"cookie"] == b"id=5"
        assert server.accepted == 2
        session.cookies.clear()
        session.get(server.url + "/c", timeout=TIMEOUT)
    assert opened(session) == 1


# Which way


class Marker(HTTPAdapter):
    """An adapter of the user's own."""


SETTINGS: dict[str, Callable[[DirectSession], None]] = {
    "transport": lambda session: setattr(session, "transport", "requests"),
    "auth": lambda session: setattr(session, "auth", ("user", "pw")),
    "params": lambda session: session.params.update({"b": "2"}),  # type: ignore[union-attr]
    "proxies": lambda session: session.proxies.update({"ftp": "ftp://nowhere"}),
    "cert": lambda session: setattr(session, "cert", str(Path(__file__))),
    "cookie": lambda session: session.cookies.set("a", "1"),
    "hook": lambda session: session.hooks["response"].append(lambda response, **options: None),
    "adapter": lambda session: session.mount("http://", Marker()),
    "another adapter": lambda session: session.mount("http://127.0.0.1", Marker()),
    "brotli": lambda session: session.headers.update({"Accept-Encoding": "gzip, br"}),
    "expect": lambda session: session.headers.update({"Expect": "100-continue"}),
}


@pytest.mark.parametrize("setting", [*SETTINGS, "stream"])
def test_settings_of_the_session_that_take_requests(session: DirectSession, setting: str) -> None:
    if setting == "stream":
        session.stream = True
    else:
        SETTINGS[setting](session)
    with raw(answer(b"x")) as server:
        assert session.get(server.url + "/a", timeout=TIMEOUT).content == b"x"
    assert opened(session) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"params": "a=1"},
        {"params": {"a": None}},
        {"params": [("a", 1)]},
        {"data": {"a": 1}},
        {"data": iter([b"x"])},
        {"data": io.BytesIO(b"x")},
        {"files": {"a": b"x"}},
        {"cookies": {"a": "1"}},
        {"auth": ("user", "pw")},
        {"hooks": {"response": lambda response, **options: None}},
        {"stream": True},
        {"proxies": {"ftp": "ftp://nowhere"}},
        {"cert": str(Path(__file__))},
        {"timeout": Timeout(connect=5, read=5)},
        {"headers": {"Content-Length": "0"}},
        {"headers": {"Expect": "100-continue"}},
        {"headers": {"Accept-Encoding": "br"}},
    ],
)
def test_arguments_that_take_requests(session: DirectSession, options: dict[str, Any]) -> None:
    with raw(answer(b"x")) as server:
        assert session.post(server.url + "/a", **{"timeout": TIMEOUT, **options}).content == b"x"
    assert opened(session) == 0


@pytest.mark.parametrize(
    "path", ["/a/../b", "/./a", "/a b", "/ü", "/a#f", "/%7Ea", "/%2fa", "/a%", "?x", "/a?b=<c>", "/a?b={c}"]
)
def test_urls_that_need_repair_take_requests(
    session: DirectSession, plain: requests.Session, path: str
) -> None:
    with raw(answer(b"x")) as server:
        for each in (session, plain):
            assert each.get(server.url + path, timeout=TIMEOUT).content == b"x"
        assert parsed(server.requests[0]) == parsed(server.requests[1])
    assert opened(session) == 0


def test_other_forms_of_an_address(session: DirectSession) -> None:
    with raw(answer(b"x")) as server:
        port = server.address.partition(":")[2]
        upper = session.get(f"HTTP://LOCALHOST:{port}/A", timeout=TIMEOUT)
        assert upper.url == f"http://localhost:{port}/A"
        assert parsed(server.requests[0])[1][b"host"] == f"localhost:{port}".encode()
        assert opened(session) == 1
        session.get(f"http://user:pw@127.0.0.1:{port}/", timeout=TIMEOUT)
        session.get(server.url.encode() + b"/", timeout=TIMEOUT)
        assert opened(session) == 1
    for wrong in ("", "/a", "nonsense", "http://", "ftp://x/", "http://a:99999/", None, 5):
        with pytest.raises((requests.RequestException, ValueError)):
            session.get(wrong, timeout=TIMEOUT)


def test_ipv6(session: DirectSession) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with raw(answer(b"six"), host="::1") as server:
        assert session.get(server.url + "/a", timeout=TIMEOUT).content == b"six"
        assert parsed(server.requests[0])[1][b"host"] == server.address.encode()
    assert opened(session) == 1


# The environment


def test_a_proxy_of_the_environment(session: DirectSession, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw(answer(b"by proxy")) as proxy, raw(answer(b"here")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert session.get("http://far.invalid/a", timeout=TIMEOUT).content == b"by proxy"
        assert proxy.requests[0].startswith(b"GET http://far.invalid/a HTTP/1.1\r\n")
        assert opened(session) == 0
        port = server.address.partition(":")[2]
        assert session.get(f"http://localhost:{port}/a", timeout=TIMEOUT).content == b"here"
        assert opened(session) == 1
        session.transport = "requests"
        session.proxies["http"] = "http://nowhere.invalid"  # the environment comes first, as with requests
        assert session.get("http://far.invalid/a", timeout=TIMEOUT).content == b"by proxy"
        session.proxies.clear()
        session.transport = "auto"
        session.trust_env = False
        assert session.get(server.url + "/a", timeout=TIMEOUT).content == b"here"
        assert opened(session) == 2


def test_the_environment_is_read_once_for_a_host(
    session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(url: str, no_proxy: Any) -> dict[str, str]:
        looked.append(url)
        return {}

    monkeypatch.setattr(surroundings, "get_environ_proxies", look)
    with raw(answer(b"x")) as server:
        for transport in ("auto", "requests"):
            session.transport = transport
            for _ in range(3):
                session.get(server.url + "/a", timeout=TIMEOUT)
        assert looked == [server.url + "/"]
        assert server.accepted == 2


def test_passwords_of_netrc(session: DirectSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw(answer()) as server:
        session.get(server.url + "/a", timeout=TIMEOUT)
        assert parsed(server.requests[0])[1][b"authorization"].startswith(b"Basic ")
    assert opened(session) == 0


def test_headers_of_the_session_count_when_they_change(session: DirectSession) -> None:
    with raw(answer()) as server:
        for change in (
            lambda: None,
            lambda: session.headers.update({"X-A": "1"}),
            lambda: session.headers.update({"x-a": "2"}),
            lambda: session.headers.pop("X-A"),
            lambda: setattr(session, "headers", {"X-B": "3"}),
            lambda: session.headers.update({"X-B": "4"}),
        ):
            change()
            session.get(server.url + "/a", timeout=TIMEOUT)
        found = [parsed(request)[1] for request in server.requests]
    assert [headers.get(b"x-a") for headers in found] == [None, b"1", b"2", None, None, None]
    assert [headers.get(b"x-b") for headers in found] == [None] * 4 + [b"3", b"4"]
    assert b"user-agent" not in found[-1]
    assert opened(session) == 1


def test_many_different_headers_leave_nothing_behind(session: DirectSession) -> None:
    with raw(answer()) as server:
        for number in range(600):
            session.get(server.url + "/a", headers={"X-Number": str(number)}, timeout=TIMEOUT)
        assert [parsed(request)[1][b"x-number"] for request in server.requests] == [
            str(number).encode() for number in range(600)
        ]
    assert len(session._blocks) <= 256


def test_a_session_that_is_forgotten_closes_its_connections() -> None:
    with raw(answer(b"x")) as server:
        session = DirectSession()
        use(session, server)
        del session
        gc.collect()
        server.workers[0].join(10)
        assert not server.workers[0].is_alive()


def test_a_session_keeps_connections_to_so_many_places(
    session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "MOST_ORIGINS", 1)
    with raw(answer(b"x")) as first, raw(answer(b"y")) as second:
        for _ in range(2):
            assert (use(session, first), use(session, second)) == (b"x", b"y")
    assert opened(session) == 1


def test_a_session_travels(session: DirectSession) -> None:
    session.headers["X-A"] = "1"
    session.transport = "requests"
    other = pickle.loads(pickle.dumps(session))
    with raw(answer()) as server:
        for transport, connections in (("requests", 0), ("auto", 1)):
            other.transport = transport
            other.get(server.url + "/a", timeout=TIMEOUT)
            assert opened(other) == connections
        assert all(parsed(request)[1][b"x-a"] == b"1" for request in server.requests)
    other.close()


# What cannot be sent


@pytest.mark.parametrize(
    "headers", [{"X": ["a"]}, {"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "a\0"}, {"X": " a"}, {"": "a"}]
)
def test_headers_that_would_be_two(session: DirectSession, headers: dict[str, str]) -> None:
    with raw(answer()) as server:
        with pytest.raises(requests.exceptions.InvalidHeader):
            session.get(server.url + "/a", headers=headers, timeout=TIMEOUT)
        assert server.accepted == 0


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX:", "G\nET", ""])
def test_methods_that_would_be_more(session: DirectSession, method: str) -> None:
    with raw(answer()) as server:
        with pytest.raises(ValueError):  # noqa: PT011 (requests and http.client raise several)
            session.request(method, server.url + "/a", timeout=TIMEOUT)
        assert server.accepted == 0


def test_json_that_is_none(session: DirectSession) -> None:
    with raw(answer()) as server:
        with pytest.raises(requests.exceptions.InvalidJSONError):
            session.post(server.url + "/a", json=float("nan"), timeout=TIMEOUT)
        with pytest.raises(TypeError):
            session.post(server.url + "/a", json=object(), timeout=TIMEOUT)
        with pytest.raises(ValueError, match="timeout"):
            session.get(server.url + "/a", timeout=(1, 2, 3, 4))
        assert server.accepted == 0


# Connections


def use(session: DirectSession, server: Raw, method: str = "GET", **options: Any) -> bytes:
    return session.request(method, server.url + "/a", **{"timeout": TIMEOUT, **options}).content


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_the_server_has_closed_is_not_used_again(
    session: DirectSession, method: str
) -> None:
    closed = threading.Event()

    def said(number: int, request: bytes) -> bytes | None:
        if closed.is_set():
            return answer(b"second")
        return answer(b"first")

    with raw(said) as server:
        assert use(session, server, method) == b"first"
        (connection,) = server.open
        closed.set()
        connection.shutdown(socket.SHUT_RDWR)
        server.workers[0].join(10)
        assert use(session, server, method) == b"second"
        assert (server.accepted, len(server.requests)) == (2, 2)
        assert session.origins[0].pool.statistics().expired == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "MGET", "MPUT", "OPTIONS"])
def test_a_connection_that_breaks_under_a_request_is_replaced_once(
    session: DirectSession, method: str
) -> None:
    said = iter([answer(b"1"), None, answer(b"2"), None, None])
    with raw(lambda number, request: next(said)) as server:
        assert use(session, server, method) == b"1"
        assert use(session, server, method) == b"2"
        assert len(server.requests) == 3
        with pytest.raises(requests.ConnectionError):
            use(session, server, method)
        assert len(server.requests) == 5
        found = session.origins[0].pool.statistics()
        assert (found.open, found.opened, found.discarded) == (0, 3, 3)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_have_been_done_is_not_done_again(session: DirectSession, method: str) -> None:
    said = iter([answer(b"1"), None])
    with raw(lambda number, request: next(said)) as server:
        assert use(session, server, method) == b"1"
        with pytest.raises(requests.ConnectionError):
            use(session, server, method)
        assert len(server.requests) == 2


def test_half_an_answer_is_no_reason_to_ask_again(session: DirectSession) -> None:
    said = iter([answer(b"1"), answer(b"whole")[:-2], answer(b"never")])

    def script(number: int, request: bytes) -> bytes:
        if number == 2:
            (connection,) = server.open
            connection.sendall(next(said))
            connection.shutdown(socket.SHUT_RDWR)
            return b""
        return next(said)

    with raw(script) as server:
        assert use(session, server) == b"1"
        with pytest.raises(requests.ConnectionError, match="before the answer was complete"):
            use(session, server)
        assert len(server.requests) == 2


def test_a_first_connection_that_breaks_is_not_tried_again(session: DirectSession) -> None:
    with raw(lambda number, request: None) as server:
        with pytest.raises(requests.ConnectionError):
            use(session, server)
        assert len(server.requests) == 1


def test_what_nobody_asked_for_is_not_the_next_answer(session: DirectSession) -> None:
    """Some servers say 408 before they hang up on an idle connection."""
    with raw(answer(b"mine")) as server:
        assert use(session, server) == b"mine"
        (connection,) = server.open
        connection.sendall(answer(b"not yours", "408 Request Timeout"))
        ours = session.origins[0].pool._stock().idle[0].connection
        assert ours is not None
        ours._socket.settimeout(10)  # type: ignore[union-attr]
        assert ours._socket.recv(1, socket.MSG_PEEK)  # type: ignore[union-attr]
        assert use(session, server) == b"mine"
        assert server.accepted == 2


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x", Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        answer(b"x") + b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_connections_that_are_not_kept(session: DirectSession, said: bytes) -> None:
    with raw(said) as server:
        for _ in range(3):
            assert use(session, server) == b"x"
        assert server.accepted == 3
        assert session.origins[0].pool.statistics().open == 0


def test_an_answer_that_ends_with_its_connection(session: DirectSession) -> None:
    def said(number: int, request: bytes) -> bytes | None:
        (connection,) = server.open
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        return None

    with raw(said) as server:
        assert use(session, server) == b"all there is"


def test_closing_a_session(session: DirectSession) -> None:
    with raw(answer(b"x")) as server:
        use(session, server)
        session.close()
        assert session.origins[0].pool.statistics().open == 0
        server.workers[0].join(10)
        assert use(session, server) == b"x"
        assert server.accepted == 2


def test_calls_in_parallel_share_what_the_pool_allows(
    session: DirectSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 3)

    def said(number: int, request: bytes) -> bytes:
        return answer(request.split()[1])

    with raw(said) as server:
        library = backend.detect()

        def work(worker: int) -> None:
            for turn in range(20):
                path = f"/{worker}/{turn}"
                assert session.get(server.url + path, timeout=TIMEOUT).content == path.encode()

        for thread in [library.spawn(work, worker) for worker in range(10)]:
            library.get(thread, 60)
        assert server.accepted <= 3
        found = session.origins[0].pool.statistics()
    assert found.open == found.idle <= 3


def test_no_free_connection_in_time(session: DirectSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    with raw(answer()) as server:
        use(session, server)
        late = pytest.raises(requests.ConnectTimeout, match=f"connections to {server.url}: none of 1")
        with session.origins[0].pool.lease(), late:
            use(session, server, timeout=0.01)


# Failures


def test_nobody_there(session: DirectSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(requests.ConnectionError, match=r"(?i)refused"):
        session.get(f"http://127.0.0.1:{port}/", timeout=TIMEOUT)
    with pytest.raises(requests.ConnectionError):
        session.get("http://nowhere.invalid/", timeout=TIMEOUT)


def test_connecting_takes_too_long(session: DirectSession, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(socket.socket):
        def connect(self, address: Any) -> None:
            assert self.gettimeout() == 3
            raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "socket", Stuck)
    with pytest.raises(requests.ConnectTimeout):
        session.get("http://127.0.0.1:9/", timeout=(3, 5))


def test_the_second_address_of_a_host(session: DirectSession, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw(answer(b"x")) as server:
        port = int(server.address.partition(":")[2])
        real = socket.getaddrinfo

        def two(*args: Any) -> Any:
            (found,) = real("127.0.0.1", port, 0, socket.SOCK_STREAM)
            with socket.socket() as nobody:
                nobody.bind(("127.0.0.1", 0))
                return [(*found[:4], nobody.getsockname()), found]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        assert session.get(f"http://two.invalid:{port}/", timeout=TIMEOUT).content == b"x"


@pytest.mark.parametrize("timeout", [0.03, (5, 0.03)])
def test_an_answer_takes_too_long(session: DirectSession, timeout: Any) -> None:
    go_on = threading.Event()

    def said(number: int, request: bytes) -> bytes:
        go_on.wait(20)
        return answer(b"late")

    with raw(said) as server:
        with pytest.raises(requests.ReadTimeout):
            use(session, server, timeout=timeout)
        go_on.set()
        assert use(session, server) == b"late"
        assert session.origins[0].pool.statistics().discarded == 1


def test_a_limit_for_everything(session: DirectSession) -> None:
    """An answer that comes byte by byte, each in time."""
    stop = threading.Event()

    def said(number: int, request: bytes) -> bytes | None:
        (connection,) = server.open
        for byte in answer(bytes(10_000)):
            connection.sendall(bytes([byte]))
            if stop.wait(0.002):
                break
        return None

    with raw(said) as server:
        with pytest.raises(requests.ReadTimeout):
            session.exchange("GET", server.url + "/a", None, None, (5, 5, 0.1))
        stop.set()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n", requests.ConnectionError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n", requests.ConnectionError),
        (answer(b"no gzip", Content_Encoding="gzip"), requests.exceptions.ContentDecodingError),
        (answer(gzip.compress(BODY)[:-3], Content_Encoding="gzip"), requests.exceptions.ContentDecodingError),
    ],
)
def test_answers_that_are_none(session: DirectSession, said: bytes, error: type[Exception]) -> None:
    with raw(said) as server:
        for _ in range(2):
            with pytest.raises(error):
                use(session, server)
        assert session.origins[0].pool.statistics().open == 0


def test_a_refusal_in_the_middle_of_a_large_body(session: DirectSession) -> None:
    """The server answers before it has read everything, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer(b"too large", "413 Too Large", Connection="close"))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1_000_000):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"
        response = session.post(url, data=bytes(30_000_000), timeout=TIMEOUT)
        assert (response.status_code, response.content) == (413, b"too large")
        thread.join(10)
    assert session.origins[0].pool.statistics().open == 0


def test_a_large_body_there_and_back(session: DirectSession) -> None:
    body = bytes(range(256)) * 20_000
    with raw(lambda number, request: answer(request.partition(b"\r\n\r\n")[2])) as server:
        assert use(session, server, "POST", data=body) == body
        assert use(session, server, "POST", data=body) == body
    assert opened(session) == 1
