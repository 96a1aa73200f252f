"""`flowthings-like serve` among hostile clients: an ordinary one is served all the while."""

from __future__ import annotations

import gzip
import http.client
import json
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .served import PATIENCE, Served

pytestmark = pytest.mark.once


class Caller:
    """An ordinary one, on a connection that it keeps."""

    def __init__(self, served: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
        self._token = served.token

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        url = f"/v4.0/acme{path}"
        try:
            self._connection.request(method, url, raw, {"X-Auth-Token": self._token})
            reply = self._connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):  # made room for others: once more
            self._connection.close()
            self._connection.request(method, url, raw, {"X-Auth-Token": self._token})
            reply = self._connection.getresponse()
        found = json.loads(reply.read())
        assert found["head"]["ok"], found
        return found["body"]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with Served(tmp_path_factory.mktemp("hostile")) as running:
            yield running
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1000, b""),
        (1500, b"GET /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-"),
        (1000, b"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"),
    ],
    ids=["idle", "half a head", "half a body, no token"],
)
def test_waiting_connections_do_not_block_others(
    served: Served, caller: Caller, count: int, said: bytes
) -> None:
    caller("GET", "/flow")
    with ExitStack() as stack:
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
            stack.enter_context(sock)
            sock.sendall(said)
        for _ in range(3):
            fresh = Caller(served)
            fresh("GET", "/flow")
            fresh.close()
            caller("GET", "/flow")
    assert served.errors == []


def test_uploads_that_stop_half_way_do_not_block_others(served: Served, caller: Caller) -> None:
    """With a good token each is a request under way, so the last ones are refused; others read."""
    head = (
        f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {served.token}\r\n"
        "Content-Length: 100000\r\n\r\n{"
    )
    caller("GET", "/flow")
    with ExitStack() as stack:
        for _ in range(400):
            sock = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
            stack.enter_context(sock)
            sock.sendall(head.encode())
        caller("GET", "/flow")


IMPATIENT = """
import sys
from gevent import monkey
monkey.patch_all()
from flowthings_like.platform.rest.connections import ConnectionLimits
from flowthings_like.platform.server import Preflight, Server
from flowthings_like.platform.server_settings import ServerSettings

limits = ConnectionLimits(per_address=4, head=0.5, keep_alive=0.5, stall=0.5)
ports = Preflight(ServerSettings(sys.argv[2], connections=limits))
Server(ports, lambda started: print(f"token: {started.token}\\nlistening: {started.url}", flush=True)).run()
"""


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("tests.platform.rest.served.SERVE", [sys.executable, "-c", IMPATIENT])
    with Served(tmp_path) as running:
        yield running


def said_until_the_end(sock: socket.socket) -> bytes:
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_what_does_not_come_is_not_waited_for(impatient: Served) -> None:
    token = f"X-Auth-Token: {impatient.token}\r\n"
    post = f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\n{token}"
    for said, answer in [
        (b"", b""),
        (b"GET /v4.0/acme/flow HTTP/1.1\r\nHost", b""),
        (f"GET /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\n{token}\r\n".encode(), b" 200 OK"),  # and idle
        (
            f"{post}Content-Length: 99\r\n\r\n{{".encode(),
            b" 408 Request Timeout",
        ),
        (
            f"{post}Transfer-Encoding: chunked\r\n\r\n9".encode(),
            b" 408 Request Timeout",
        ),
    ]:
        with socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE) as sock:
            sock.sendall(said)
            assert said_until_the_end(sock).startswith(b"HTTP/1.1" + answer if answer else b"")
    assert impatient.errors == []


def test_a_trickle_is_ended_too(impatient: Served) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE) as sock:
        head = f"POST /v4.0/acme/flow HTTP/1.1\r\nX-Auth-Token: {impatient.token}\r\nContent-Length: 9999"
        sock.sendall(f"{head}\r\n\r\n".encode())
        deadline = time.monotonic() + PATIENCE
        sock.settimeout(0.05)
        while True:
            try:
                sock.sendall(b" ")
                if sock.recv(100).startswith(b"HTTP/1.1 408"):
                    break
            except TimeoutError:
                assert time.monotonic() < deadline


def test_an_address_with_nothing_but_requests_under_way_is_told_so(impatient: Served) -> None:
    head = (
        f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {impatient.token}\r\n"
        "Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(4):
            sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE)
            stack.enter_context(sock)
            sock.sendall(head.encode())
            assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        one_more = socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE)
        stack.enter_context(one_more)
        answer = said_until_the_end(one_more)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"Retry-After: 1\r\n" in answer
        assert b"too many connections" in answer


def worker(served: Served) -> Path:
    """Where the system tells about the one worker."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    (found,) = children
    return Path("/proc", found)


def peak(served: Served) -> int:
    """Bytes of memory that the worker has had at most."""
    status = (worker(served) / "status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def packed(unit: bytes, size: int = 32 * 1024 * 1024 - 16) -> bytes:
    """A list of so many equal values that the text is `size` long, made small."""
    text = b"[" + b",".join([unit] * ((size - 2) // (len(unit) + 1))) + b"]"
    return gzip.compress(text)


BOMBS = [b"[]", b"{}", b'{"a":1}', b'"ab"', b"1.5", b'{"elems":{"a":1}}']


def test_small_bodies_do_not_become_large_ones(served: Served, caller: Caller) -> None:
    """Without the bounds the worker has a gigabyte of memory after this, and stalls for seconds."""
    caller("POST", "/flow", {"path": "/acme/small"})
    paths = {"/acme/small": {"dropRead": True}}
    reader = caller("POST", "/token", {"paths": paths})["tokenString"]
    before = peak(served)
    for unit in BOMBS:
        bomb = packed(unit)
        assert len(bomb) < 100_000
        for token, statuses in ((reader, {403}), ("wrong", {403}), (served.token, {400, 413})):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            headers = {"X-Auth-Token": token, "Content-Encoding": "gzip"}
            connection.request("POST", "/v4.0/acme/drop/%2Facme%2Fsmall", bomb, headers)
            assert connection.getresponse().status in statuses
            connection.close()
        if unit is BOMBS[0]:
            assert peak(served) - before < 200 * 2**20
    assert peak(served) - before < 400 * 2**20
    caller("GET", "/flow")


def ticks(served: Served) -> int:
    """Processor time of the worker, in hundredths of a second."""
    fields = (worker(served) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_slow_searches_do_not_block_others_and_end_with_their_clients(served: Served, caller: Caller) -> None:
    flow = caller("POST", "/flow", {"path": "/acme/slow", "capacity": 100_000})["id"]
    for _ in range(5):
        caller("POST", f"/drop/{flow}", [{"elems": {"text": "abcdefgh " * 20}} for _ in range(5000)])
    slow = " || ".join(f"elems.text =~ /x{number}+y/" for number in range(150))  # many seconds each
    head = (
        f"GET /v4.0/acme/drop/{flow}?filter={quote(slow)} HTTP/1.1\r\nHost: x\r\n"
        f"X-Auth-Token: {served.token}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(24):
            sock = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
            stack.enter_context(sock)
            sock.sendall(head.encode())
        for _ in range(3):  # of the same caller, too
            assert len(caller("GET", f"/drop/{flow}?limit=3")) == 3
            drop = caller("POST", f"/drop/{flow}", {"elems": {"a": 1}})
            assert caller("GET", f"/drop/{flow}/{drop['id']}") == drop
    deadline = time.monotonic() + PATIENCE
    used, looked = ticks(served), time.monotonic()
    while True:
        time.sleep(0.5)
        now_used, now = ticks(served), time.monotonic()
        if (now_used - used) / 100 < 0.2 * (now - looked):
            break  # nobody is at work any more
        assert now < deadline
        used, looked = now_used, now
    assert served.errors == []
