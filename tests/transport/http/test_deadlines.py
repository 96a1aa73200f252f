"""One deadline for a whole call, whatever the server does, on both transports.

Each server here would go on for minutes. A call that kept to its deadline has ended long before, on a busy
machine as well.
"""

from __future__ import annotations

import gc
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from flowthings_like import API, DeadlineExceeded, FlowThingsError, Retry, Token

CREDS = Token("acc", "tok-of-acc")
ALLOWED = 0.2
MORE = (ALLOWED, 1.0, 5.0)
"""For what a busy machine may not come to in so little time."""
GENEROUS = 15.0
FINE = b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"head": {}, "body": 1}  '

Pieces = Callable[[], Iterator[bytes]]


def bytes_of(start: bytes, dripping: bytes) -> Pieces:
    """`start` at once, then the rest a byte at a time, again and again."""
    return lambda: itertools.chain([start], (bytes([byte]) for byte in itertools.cycle(dripping)))


SERVERS: dict[str, Pieces] = {
    "silence": lambda: iter(()),
    "status line": bytes_of(b"", b"HTTP/1.1 200 " + b"O" * 10_000),
    "headers": bytes_of(b"HTTP/1.1 200 OK\r\n", b"X-Slow: yes\r\n"),
    "100-Continue": bytes_of(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100-Continue at once": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": bytes_of(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "body without end": bytes_of(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "chunks": bytes_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk extension": bytes_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "trailers": bytes_of(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X-Slow: yes\r\n"
    ),
    "redirect": bytes_of(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 100000\r\n\r\n", b" "),
    "error": bytes_of(b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n", b" "),
}
WAYS = ["auto", "requests", "session"]


class Dripping:
    """A server that says one piece every so often.

    Attributes:
        address: where it is.
        accepted: how many connections there were.
    """

    def __init__(self, pieces: Pieces, context: ssl.SSLContext | None, before_tls: bytes) -> None:
        self.pieces, self.context, self.before_tls = pieces, context, before_tls
        self.ending = threading.Event()
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            if self.ending.is_set():
                connection.close()
                return
            self.accepted += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: Any) -> None:
        with suppress(OSError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                if not self.before_tls:
                    connection.recv(65536)
                for piece in itertools.chain([self.before_tls], self.pieces()):
                    connection.sendall(piece)
                    if self.ending.wait(0.01):
                        return
                self.ending.wait(60)


@contextmanager
def dripping(
    pieces: Pieces, tls: tuple[Path, Path] | None = None, before_tls: bytes = b""
) -> Iterator[Dripping]:
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    server = Dripping(pieces, context, before_tls)
    acceptor = threading.Thread(target=server.accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.ending.set()
        with socket.create_connection(server.listener.getsockname(), timeout=5):
            acceptor.join(10)
        server.listener.close()


@contextmanager
def going(way: str, address: str, **options: Any) -> Iterator[API]:
    """An API whose calls go that way."""
    options = {"secure": False, "timeout": ALLOWED, "retry": False, **options}
    if way == "session":
        session = requests.Session()
        session.trust_env = False
        options["session"] = session
    else:
        options["transport"] = way
    with API(CREDS, host=address, **options) as api:
        yield api
    if way == "session":
        session.close()


def late(api: API, call: Callable[[API], object] | None = None) -> DeadlineExceeded:
    """What a call raises that must end in time."""
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        (call or (lambda api: api.flow.read("f1")))(api)
    assert time.monotonic() - began < GENEROUS
    assert CREDS.token not in str(caught.value)
    return caught.value


def late_but_sent(api: API) -> None:
    """Make a call that must end in time, and not before it was sent."""
    assert any(late(api, lambda api: api.flow.read("f1", timeout=allowed)).sent for allowed in MORE)  # noqa: B023


@pytest.mark.parametrize(
    ("server", "way"),
    [*itertools.product(SERVERS, WAYS[:2]), ("headers", "session"), ("trailers", "session")],
)
def test_a_call_ends_in_time_whatever_the_server_does(server: str, way: str) -> None:
    with dripping(SERVERS[server]) as slow, going(way, slow.address) as api:
        late_but_sent(api)
        if server == "body":
            late_but_sent(api)
            assert slow.accepted >= 2  # the first connection is not used again


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", ["headers", "body", "chunks"])
def test_a_call_over_tls_ends_in_time(server: str, way: str, certificate: tuple[Path, Path]) -> None:
    with (
        dripping(SERVERS[server], certificate) as slow,
        going(way, slow.address, secure=True, verify_ssl=str(certificate[0])) as api,
    ):
        late(api)


# A socket of gevent's that is interrupted in its handshake is closed by the collector, which warns of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
def test_a_tls_handshake_ends_in_time(way: str, certificate: tuple[Path, Path]) -> None:
    # A record of 16 KiB that comes a byte at a time.
    with (
        dripping(bytes_of(b"", b"\0"), before_tls=b"\x16\x03\x03\x40\x00") as slow,
        going(way, slow.address, secure=True) as api,
    ):
        assert not late(api).sent
    gc.collect()  # now, and not in a test that is to fail for such a warning


@contextmanager
def unreachable() -> Iterator[str]:
    """An address where connections are never accepted: as many as are kept waiting wait already."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.settimeout(0.2)
            with suppress(OSError):
                one.connect(listener.getsockname())
            waiting.append(one)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@pytest.mark.parametrize("way", WAYS)
def test_connecting_ends_in_time(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with unreachable() as address, going(way, address) as api:
        assert not late(api).sent
        # Nor does each of several addresses get all of the time.
        port = int(address.partition(":")[2])
        one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        known = socket.getaddrinfo

        def look_up(host: str, *args: Any, **options: Any) -> Any:
            return [one] * 100 if host == "many.example" else known(host, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with going(way, f"many.example:{port}") as other:
            assert not late(other).sent


@pytest.mark.parametrize("way", WAYS)
def test_sending_ends_in_time(way: str) -> None:
    # It reads 64 KiB, and then no more.
    with dripping(lambda: iter(())) as slow, going(way, slow.address) as api:
        late(api, lambda api: api.flow.create({"path": "/acc/a", "description": "x" * 40_000_000}))


@pytest.mark.parametrize("server", ["silence", "headers", "100-Continue"])
def test_a_proxy_is_under_the_same_deadline(server: str) -> None:
    with dripping(SERVERS[server]) as slow:
        # To CONNECT a proxy cannot say 100.
        for secure in (False, True) if server != "100-Continue" else (False,):
            with going("auto", "flows.invalid", secure=secure) as api:
                api.session.proxies = dict.fromkeys(("http", "https"), f"http://{slow.address}")
                assert slow.address in str(late(api))


@pytest.mark.parametrize("way", WAYS)
def test_retries_are_under_the_same_deadline(way: str) -> None:
    answers = itertools.count()

    def pieces() -> Iterator[bytes]:
        yield b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
        next(answers)

    with dripping(pieces) as slow, going(way, slow.address, retry=Retry(attempts=100_000, most=0.01)) as api:
        attempts = []
        for allowed in MORE:
            began = time.monotonic()
            with pytest.raises(FlowThingsError) as caught:
                api.flow.read("f1", timeout=allowed)
            assert time.monotonic() - began < GENEROUS
            attempts.append(caught.value.attempts)
            if attempts[-1] > 1:
                break
        assert attempts[-1] > 1


@pytest.mark.parametrize("way", WAYS)
def test_what_is_slow_but_in_time_is_answered(way: str) -> None:
    with (
        dripping(lambda: iter([FINE[at : at + 1] for at in range(len(FINE))])) as slow,
        going(way, slow.address, timeout=60) as api,
    ):
        assert api.flow.read("f1") == 1


@pytest.mark.parametrize("way", WAYS)
def test_each_call_of_a_connection_has_a_deadline_of_its_own(way: str) -> None:
    from ..support import answer, raw

    with raw(answer(b'{"head": {}, "body": 1}')) as server, going(way, server.address, timeout=30) as api:
        assert api.flow.read("f1") == 1
        assert api.flow.read("f1", timeout=20) == 1
        assert api.flow.read("f1", timeout=(5, 5)) == 1
        assert api.flow.read("f1", timeout=float("inf")) == 1
        assert server.accepted == 1
