"""The native transport beside requests: what is sent, what comes back, and which connections it uses."""

from __future__ import annotations

import gc
import gzip
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from flowthings_like import ConnectionFailed, DeadlineExceeded, InvalidInput, InvalidResponse
from flowthings_like.green.backends import choice as backend
from flowthings_like.transport.http import native_transport
from flowthings_like.transport.http.native_transport import NativeTransport

from ..support import Raw, answer, handle, raw

BODY = json.dumps({"a": [1, "ü"]}).encode()
TIMEOUT = 20


@pytest.fixture
def transport() -> Iterator[NativeTransport]:
    made = NativeTransport()
    yield made
    made.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
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


def opened(transport: NativeTransport) -> int:
    """How many connections it has ever opened."""
    return sum(pool.statistics().opened for pool in transport.pools)


def parsed(request: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines)
    assert len(headers) == len(lines)
    return first, {name.lower(): value for name, value in headers.items()}, body


# The same as requests


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "", {}, None),
        ("GET", "/?a=1", {}, None),
        ("GET", "/v4.0/acme/flow/%2Facme%2F%C3%BC?filter=path%20%3D%3D%201&x=a+b", {}, None),
        ("GET", "/a", {"X-A": "1", "accept": "text/plain"}, None),
        ("GET", "/a", {"X-A": b"bytes"}, None),
        ("POST", "/a", {}, BODY),
        ("POST", "/a", {}, b""),
        ("POST", "/a", {"content-type": "application/x"}, b"[]"),
        ("PUT", "/a", {}, None),
        ("DELETE", "/a", {}, None),
        ("PATCH", "/a", {}, b"x"),
        ("OPTIONS", "/a", {}, None),
        ("MGET", "/a", {}, b'["f1"]'),
        ("HEAD", "/a", {}, None),
        ("GET", "/a", {}, b"a body all the same"),
    ],
)
def test_it_sends_what_requests_sends(
    transport: NativeTransport,
    session: requests.Session,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> None:
    with raw(answer()) as server:
        url = server.url + path
        theirs = session.request(method, url, headers=headers, data=body, timeout=TIMEOUT)
        merged = {name.lower(): value for name, value in session.headers.items()}
        merged.update({name.lower(): value for name, value in headers.items()})
        mine = handle(transport, method, url, merged, body)
        assert mine.status == theirs.status_code == 200
        first, second = map(parsed, server.requests)
    assert first == second
    assert opened(transport) == 1


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
def test_an_answer_is_what_requests_makes_of_it(
    transport: NativeTransport, session: requests.Session, method: str, said: bytes
) -> None:
    with raw(said) as server:
        url = server.url + "/a"
        theirs = session.request(method, url, timeout=TIMEOUT, allow_redirects=False)
        for _ in range(2):
            mine = handle(transport, method, url)
            assert (mine.status, mine.reason, mine.body) == (
                theirs.status_code,
                theirs.reason,
                theirs.content,
            )
            assert dict(mine.headers) == dict(theirs.headers)
            assert list(mine.headers) == list(theirs.headers)
    assert (opened(transport), server.accepted) == (1, 2)


def test_other_forms_of_an_address(transport: NativeTransport) -> None:
    with raw(answer(b"x")) as server:
        port = server.address.partition(":")[2]
        assert handle(transport, "GET", f"HTTP://LOCALHOST:{port}/A").body == b"x"
        assert server.requests[0].startswith(b"GET /A HTTP/1.1\r\n")
        assert parsed(server.requests[0])[1][b"host"] == f"localhost:{port}".encode()
        assert opened(transport) == 1
        for wrong in ("", "/a", "nonsense", "http://", "ftp://x/", f"http://user:pw@127.0.0.1:{port}/"):
            with pytest.raises(InvalidInput) as caught:
                handle(transport, "GET", wrong)
            assert "pw" not in str(caught.value)
        with pytest.raises((InvalidInput, ConnectionFailed)):
            handle(transport, "GET", "http://127.0.0.1:99999/")
        assert server.accepted == 1


def test_ipv6(transport: NativeTransport) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with raw(answer(b"six"), host="::1") as server:
        assert handle(transport, "GET", server.url + "/a").body == b"six"
        assert parsed(server.requests[0])[1][b"host"] == server.address.encode()
    assert opened(transport) == 1


def test_a_transport_that_is_forgotten_closes_its_connections() -> None:
    with raw(answer(b"x")) as server:
        transport = NativeTransport()
        use(transport, server)
        del transport
        gc.collect()
        server.workers[0].join(10)
        assert not server.workers[0].is_alive()


def test_a_transport_keeps_connections_to_so_many_origins(
    transport: NativeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_transport, "MOST_ORIGINS", 2)
    with raw(answer(b"x")) as first, raw(answer(b"y")) as second, raw(answer(b"z")) as third:
        assert (use(transport, first), use(transport, second), use(transport, third)) == (b"x", b"y", b"z")
        first.workers[0].join(10)  # the connection to the oldest was closed
        assert not first.workers[0].is_alive()
        assert len(transport.pools) == 2
        assert (use(transport, second), use(transport, third), use(transport, first)) == (b"y", b"z", b"x")
        assert (first.accepted, second.accepted, third.accepted) == (2, 1, 1)


# What cannot be sent


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX:", "G\nET", ""])
@pytest.mark.parametrize("path", ["/a", "/a b", "/ü"])
def test_methods_and_targets_with_an_injection_are_refused(
    transport: NativeTransport, method: str, path: str
) -> None:
    with raw(answer()) as server:
        with pytest.raises(InvalidInput, match=r"cannot be a method"):
            handle(transport, method, server.url + path)
        if path != "/a":
            with pytest.raises(InvalidInput, match="a request's target is visible ASCII"):
                handle(transport, "GET", server.url + path)
        assert server.accepted == 0


# Connections


def use(transport: NativeTransport, server: Raw, method: str = "GET", **options: Any) -> bytes:
    return handle(transport, method, server.url + "/a", **options).body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_the_server_has_closed_is_not_used_again(
    transport: NativeTransport, method: str
) -> None:
    closed = threading.Event()

    def said(number: int, request: bytes) -> bytes | None:
        if closed.is_set():
            return answer(b"second")
        return answer(b"first")

    with raw(said) as server:
        assert use(transport, server, method) == b"first"
        (connection,) = server.open
        closed.set()
        connection.shutdown(socket.SHUT_RDWR)
        server.workers[0].join(10)
        assert use(transport, server, method) == b"second"
        assert (server.accepted, len(server.requests)) == (2, 2)
        assert transport.pools[0].statistics().expired == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "MGET", "MPUT", "OPTIONS"])
def test_a_connection_that_breaks_under_a_request_is_replaced_once(
    transport: NativeTransport, method: str
) -> None:
    said = iter([answer(b"1"), None, answer(b"2"), None, None])
    with raw(lambda number, request: next(said)) as server:
        assert use(transport, server, method) == b"1"
        assert use(transport, server, method) == b"2"
        assert len(server.requests) == 3
        with pytest.raises(ConnectionFailed):
            use(transport, server, method)
        assert len(server.requests) == 5
        found = transport.pools[0].statistics()
        assert (found.open, found.opened, found.discarded) == (0, 3, 3)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_that_is_not_idempotent_is_not_repeated(transport: NativeTransport, method: str) -> None:
    said = iter([answer(b"1"), None])
    with raw(lambda number, request: next(said)) as server:
        assert use(transport, server, method) == b"1"
        with pytest.raises(ConnectionFailed):
            use(transport, server, method)
        assert len(server.requests) == 2


def test_a_request_is_not_repeated_after_half_an_answer(transport: NativeTransport) -> None:
    said = iter([answer(b"1"), answer(b"whole")[:-2], answer(b"never")])

    def script(number: int, request: bytes) -> bytes:
        if number == 2:
            (connection,) = server.open
            connection.sendall(next(said))
            connection.shutdown(socket.SHUT_RDWR)
            return b""
        return next(said)

    with raw(script) as server:
        assert use(transport, server) == b"1"
        with pytest.raises(ConnectionFailed, match="before the answer was complete"):
            use(transport, server)
        assert len(server.requests) == 2


def test_a_new_connection_that_breaks_is_not_replaced(transport: NativeTransport) -> None:
    with raw(lambda number, request: None) as server:
        with pytest.raises(ConnectionFailed):
            use(transport, server)
        assert len(server.requests) == 1


def test_an_unrequested_answer_is_not_taken_for_the_next(transport: NativeTransport) -> None:
    """Some servers say 408 before they hang up on an idle connection."""
    with raw(answer(b"mine")) as server:
        assert use(transport, server) == b"mine"
        (connection,) = server.open
        connection.sendall(answer(b"not yours", "408 Request Timeout"))
        ours = transport.pools[0]._state().idle[0].connection
        assert ours is not None
        ours._socket.settimeout(10)  # type: ignore[union-attr]
        assert ours._socket.recv(1, socket.MSG_PEEK)  # type: ignore[union-attr]
        assert use(transport, server) == b"mine"
        assert server.accepted == 2


@pytest.mark.parametrize(
    "said",
    [
        answer(b"x", Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        answer(b"x") + b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_connections_that_are_not_kept(transport: NativeTransport, said: bytes) -> None:
    with raw(said) as server:
        for _ in range(3):
            assert use(transport, server) == b"x"
        assert server.accepted == 3
        assert transport.pools[0].statistics().open == 0


def test_an_answer_that_ends_with_its_connection(transport: NativeTransport) -> None:
    def said(number: int, request: bytes) -> bytes | None:
        (connection,) = server.open
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        return None

    with raw(said) as server:
        assert use(transport, server) == b"all there is"


def test_closing_a_transport(transport: NativeTransport) -> None:
    with raw(answer(b"x")) as server:
        use(transport, server)
        transport.close()
        assert transport.pools[0].statistics().open == 0
        server.workers[0].join(10)
        assert use(transport, server) == b"x"
        assert server.accepted == 2


def test_calls_in_parallel_share_what_the_pool_allows(
    transport: NativeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 3)

    def said(number: int, request: bytes) -> bytes:
        return answer(request.split()[1])

    with raw(said) as server:
        library = backend.detect()

        def work(worker: int) -> None:
            for turn in range(20):
                path = f"/{worker}/{turn}"
                assert handle(transport, "GET", server.url + path).body == path.encode()

        for thread in [library.spawn(work, worker) for worker in range(10)]:
            library.get(thread, 60)
        assert server.accepted <= 3
        found = transport.pools[0].statistics()
    assert found.open == found.idle <= 3


def test_no_free_connection_in_time(transport: NativeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    with raw(answer()) as server:
        use(transport, server)
        late = pytest.raises(DeadlineExceeded, match=f"connections to {server.url}: none of 1")
        with transport.pools[0].lease(), late:
            use(transport, server, timeout=0.01)


# Failures


def test_a_refused_connection(transport: NativeTransport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionFailed, match=r"(?i)refused"):
        handle(transport, "GET", f"http://127.0.0.1:{port}/")
    with pytest.raises(ConnectionFailed):
        handle(transport, "GET", "http://nowhere.invalid/")


def test_connecting_takes_too_long(transport: NativeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(socket.socket):
        def connect(self, address: Any) -> None:
            assert self.gettimeout() == 3
            raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "socket", Stuck)
    with pytest.raises(DeadlineExceeded):
        handle(transport, "GET", "http://127.0.0.1:9/", timeout=(3, 5))


def test_the_second_address_of_a_host(transport: NativeTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw(answer(b"x")) as server:
        port = int(server.address.partition(":")[2])
        real = socket.getaddrinfo

        def two(*args: Any) -> Any:
            (found,) = real("127.0.0.1", port, 0, socket.SOCK_STREAM)
            with socket.socket() as nobody:
                nobody.bind(("127.0.0.1", 0))
                return [(*found[:4], nobody.getsockname()), found]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        assert handle(transport, "GET", f"http://two.invalid:{port}/").body == b"x"


@pytest.mark.parametrize("timeout", [0.03, (5, 0.03)])
def test_an_answer_takes_too_long(transport: NativeTransport, timeout: Any) -> None:
    go_on = threading.Event()

    def said(number: int, request: bytes) -> bytes:
        go_on.wait(20)
        return answer(b"late")

    with raw(said) as server:
        with pytest.raises(DeadlineExceeded):
            use(transport, server, timeout=timeout)
        go_on.set()
        assert use(transport, server) == b"late"
        assert transport.pools[0].statistics().discarded == 1


def test_a_total_timeout(transport: NativeTransport) -> None:
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
        with pytest.raises(DeadlineExceeded):
            use(transport, server, timeout=(5, 5, 0.1))
        stop.set()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"SSH-2.0-OpenSSH\r\n", ConnectionFailed),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 20_000 + b"\r\n", ConnectionFailed),
        (answer(b"no gzip", Content_Encoding="gzip"), InvalidResponse),
        (answer(gzip.compress(BODY)[:-3], Content_Encoding="gzip"), InvalidResponse),
    ],
)
def test_invalid_answers(transport: NativeTransport, said: bytes, error: type[Exception]) -> None:
    with raw(said) as server:
        for _ in range(2):
            with pytest.raises(error):
                use(transport, server)
        assert transport.pools[0].statistics().open == 0


def test_a_refusal_in_the_middle_of_a_large_body(transport: NativeTransport) -> None:
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
        refused = handle(transport, "POST", url, body=bytes(30_000_000))
        assert (refused.status, refused.body) == (413, b"too large")
        thread.join(10)
    assert transport.pools[0].statistics().open == 0


def test_a_large_body_there_and_back(transport: NativeTransport) -> None:
    body = bytes(range(256)) * 20_000
    with raw(lambda number, request: answer(request.partition(b"\r\n\r\n")[2])) as server:
        assert use(transport, server, "POST", body=body) == body
        assert use(transport, server, "POST", body=body) == body
    assert opened(transport) == 1
