"""Fetching for tasks: redirects, limits, and that only checked addresses are connected to."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.platform.problems import BadRequest, TooLarge
from flowthings_like.platform.tasks.addresses import AddressRules, ForbiddenAddress
from flowthings_like.platform.tasks.fetch import (
    FetchedRequest,
    Fetcher,
    FetchFailed,
    FetchLimits,
    FetchTimeout,
)

from .test_addresses import answering
from .waiting import until
from .web import Page, Web

HERE = AddressRules(["127.0.0.1"])


def get(url: str, fetcher: Fetcher | None = None, **request: Any) -> Any:
    return (fetcher or Fetcher(HERE)).fetch(FetchedRequest(url, **request))


def to(location: str, status: int = 302) -> Page:
    return Page(status=status, headers={"Location": location})


def test_a_packed_answer(web: Web) -> None:
    web.pages["/a"] = Page(gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})
    answer = get(web.url("/a"))
    assert (answer.status, answer.body) == (200, b"hello")


def test_redirects_are_followed(web: Web) -> None:
    web.pages["/a"] = to("b?x=1")
    web.pages["/b"] = to(web.url("/c"), 307)
    web.pages["/c"] = Page(b"there")
    assert get(web.url("/a"), method="POST", body=b"x", headers={"X-Key": "k"}).body == b"there"
    assert [(each.method, each.path, each.body) for each in web.asked] == [
        ("POST", "/a", b"x"),
        ("GET", "/b?x=1", b""),
        ("GET", "/c", b""),
    ]
    assert all(each.headers["X-Key"] == "k" for each in web.asked)


def test_secrets_are_not_sent_on_to_another_host(web: Web) -> None:
    web.pages["/a"] = to(web.url("/b", "localhost"), 307)
    web.pages["/b"] = Page()
    headers = {"Authorization": "Bearer x", "X-Key": "k", "Accept": "text/plain"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", answering("127.0.0.1"))
        assert get(web.url("/a"), headers=headers).status == 200
    _, sent_on = web.asked
    assert sent_on.headers["Accept"] == "text/plain"
    assert not sent_on.headers.keys() & {"Authorization", "X-Key"}


def test_redirects_end(web: Web) -> None:
    web.pages["/a"] = to("/a")
    with pytest.raises(FetchFailed, match="redirects more than 5 times"):
        get(web.url("/a"))
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    "location", ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data", "//0.0.0.0/"]
)
def test_a_redirect_to_a_private_address_is_refused(web: Web, location: str) -> None:
    web.pages["/a"] = to(location)
    with pytest.raises(ForbiddenAddress):
        get(web.url("/a"))


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@127.0.0.1/", "gopher://x/"])
def test_a_redirect_to_no_web_page_is_refused(web: Web, location: str) -> None:
    web.pages["/a"] = to(location)
    with pytest.raises(BadRequest):
        get(web.url("/a"))


def test_a_name_that_leads_elsewhere_at_the_second_look_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was checked is the one that is connected to."""
    looks: list[str] = []

    def rebinding(host: str, port: int, *rest: Any) -> Any:
        looks.append(host)
        return answering("127.0.0.1" if len(looks) == 1 else "127.0.0.2")(host, port, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    web.pages["/a"] = Page(b"x")
    assert get(web.url("/a", "rebinding.example")).body == b"x"
    assert looks == ["rebinding.example"]
    with pytest.raises(ForbiddenAddress):
        get(web.url("/a", "rebinding.example"))


def test_a_large_answer(web: Web) -> None:
    fetcher = Fetcher(HERE, FetchLimits(body=1000))
    web.pages["/plain"] = Page(bytes(1001))
    web.pages["/packed"] = Page(gzip.compress(bytes(100_000)), headers={"Content-Encoding": "gzip"})
    for path in ("/plain", "/packed"):
        with pytest.raises(TooLarge, match="more than 1000 bytes"):
            get(web.url(path), fetcher)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"]
)
def test_an_answer_that_comes_by_drips(web: Web, start: bytes) -> None:
    is_over: list[bool] = []

    def drip(file: Any) -> None:
        file.write(start)
        while not is_over:
            file.write(b"x")
            time.sleep(0.05)

    web.pages["/a"] = drip
    started = time.monotonic()
    try:
        with pytest.raises(FetchTimeout, match=r"took more than 0\.4 s"):
            get(web.url("/a"), Fetcher(HERE, FetchLimits(seconds=0.4)))
    finally:
        is_over.append(True)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("answer", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_no_http(web: Web, answer: bytes) -> None:
    web.pages["/a"] = lambda file: file.write(answer)
    with pytest.raises(FetchFailed):
        get(web.url("/a"))


def test_nobody_listens(web: Web) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FetchFailed, match="cannot be fetched: "):
            get(f"http://127.0.0.1:{unused.getsockname()[1]}/?key=secret")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"url": "example.com"}, "uri must be a URL"),
        ({"url": "http://a:99999/"}, "uri must be a URL"),
        ({"url": "http://u:p@example.com/"}, "no user and password"),
        ({"url": f"http://{'a' * 70}.com/"}, "host"),
        ({"method": "CONNECT"}, "method must be one of"),
        ({"headers": {"Host": "x"}}, "Host is set by the platform"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers: "),
        ({"headers": {"a b": "c"}}, "headers: "),
        ({"headers": {"a": 1}}, "a must be a string"),
    ],
)
def test_bad_requests(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        get(**{"url": "http://example.com/", **request_})


def test_https(certificate: tuple[Path, Path]) -> None:
    """A certificate must be for the host in the URL, although the checked address is connected to."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(3):
            sock, _ = listener.accept()
            try:
                with settings.wrap_socket(sock, server_side=True) as secure:
                    secure.recv(65_536)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            except OSError:  # the client does not trust us
                pass

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    port = listener.getsockname()[1]
    with listener, pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", answering("127.0.0.1"))
        trusting = Fetcher(HERE, tls=lambda: ssl.create_default_context(cafile=str(certificate[0])))
        assert get(f"https://127.0.0.1:{port}/", trusting).body == b"hi"
        with pytest.raises(FetchFailed, match="not valid for 'localhost'"):
            get(f"https://localhost:{port}/", trusting)
        with pytest.raises(FetchFailed, match="certificate"):
            get(f"https://127.0.0.1:{port}/")
        server.join()
    assert until(lambda: not server.is_alive())
