"""Answers are bounded: bytes are counted as they arrive and as they are unpacked."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import requests

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    InvalidInput,
    ResponseTooLarge,
    Retry,
    Token,
    defaults,
)
from flowthings_like.transport.http.native_transport import NativeTransport

from ..support import answer, handle, raw

LIMIT = 10_000
WAYS = ["auto", "requests", "session"]


def body_of(size: int) -> bytes:
    return b'{"head": {}, "body": 1}'.ljust(size)


def chunked(body: bytes) -> bytes:
    chunks = [body[at : at + 700] for at in range(0, len(body), 700)]
    text = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text + b"0\r\n\r\n"


ANSWERS = {
    "length": answer,
    "chunked": chunked,
    "gzip": lambda body: answer(gzip.compress(body), Content_Encoding="gzip"),
    "deflate": lambda body: answer(zlib.compress(body), Content_Encoding="deflate"),
    "twice": lambda body: answer(zlib.compress(gzip.compress(body)), Content_Encoding="gzip, deflate"),
}


def api_for(way: str, address: str, **options: Any) -> API:
    chosen: dict[str, Any] = {"host": address, "secure": False, "timeout": 30, "max_response_bytes": LIMIT}
    if way == "session":
        chosen["session"] = requests.Session()
    else:
        chosen["transport"] = way
    return API(Token("acc", "tok"), **{**chosen, **options})


def close(api: API) -> None:
    api.session.close()
    api.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_bounded_to_the_byte(kind: str, way: str) -> None:
    sizes = [LIMIT, LIMIT + 1, LIMIT * 100]

    def script(number: int, request: bytes) -> bytes:
        return ANSWERS[kind](body_of(sizes[number - 1]))

    with raw(script) as server:
        api = api_for(way, server.address, retry=Retry(attempts=5))
        assert api.flow.read("f1") == 1
        for _ in range(2):
            with pytest.raises(ResponseTooLarge, match=f"more than {LIMIT} bytes") as caught:
                api.flow.read("f1")
            assert "max_response_bytes" in str(caught.value)
            assert not caught.value.retryable
        # Asking again would bring the same, so nobody did.
        assert len(server.requests) == 3
        close(api)


@pytest.mark.parametrize("way", WAYS)
def test_a_call_after_one_that_was_too_large_has_its_own_answer(way: str) -> None:
    def script(number: int, request: bytes) -> bytes:
        return answer(body_of(LIMIT * 50)) if number == 1 else answer(b'{"head": {}, "body": %d}' % number)

    with raw(script) as server:
        api = api_for(way, server.address)
        with pytest.raises(ResponseTooLarge):
            api.flow.read("f1")
        assert api.flow.read("f1") == 2
        assert server.accepted == 2
        close(api)


def test_each_request_of_the_native_transport_has_its_own_bound() -> None:
    transport = NativeTransport()
    with raw(answer(body_of(LIMIT + 1))) as server:
        with pytest.raises(ResponseTooLarge, match="more than 10000 bytes"):
            handle(transport, "GET", server.url, max_bytes=LIMIT)
        assert len(handle(transport, "GET", server.url).body) == LIMIT + 1
    transport.close()


OVER = 88  # times a thousand bytes
LINES = b"".join(b"X-%d: %b\r\n" % (number, b"a" * 1000) for number in range(OVER))
BODY = b'{"head": {}, "body": 1}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
WORDY = {
    "many headers": b"HTTP/1.1 200 OK\r\n" + LINES + b"Content-Length: 23\r\n\r\n" + BODY,
    "two headers": b"HTTP/1.1 200 OK\r\nX-A: %b\r\nX-B: %b\r\nContent-Length: 23\r\n\r\n"
    % ((b"a" * 40_000,) * 2)
    + BODY,
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 3000 + answer(BODY),
    "trailers": CHUNKED + CHUNK + b"0\r\n" + LINES + b"\r\n",
    "an endless extension": CHUNKED + b"1;" + b"a" * OVER * 1000,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", WORDY)
def test_headers_and_trailers_are_bounded(kind: str, way: str) -> None:
    with raw(WORDY[kind]) as server:
        api = api_for(way, server.address, retry=False)
        with pytest.raises(ConnectionFailed, match="headers of more than 65536 bytes"):
            api.flow.read("f1")
        close(api)


@pytest.mark.parametrize("way", WAYS)
def test_many_small_chunks_are_no_headers(way: str) -> None:
    body = body_of(LIMIT)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    some = LINES[: LINES.index(b"X-50:")]
    with raw(b"HTTP/1.1 200 OK\r\n" + some + CHUNKED[17:] + chunks + b"0\r\n\r\n") as server:
        api = api_for(way, server.address)
        assert api.flow.read("f1") == api.flow.read("f1") == 1
        close(api)


BOMB = """
import resource, sys
from flowthings_like import API, ResponseTooLarge, Token
address, way = sys.argv[1:]
api = API(Token("a", "b"), host=address, secure=False, transport=way, max_response_bytes=32 << 20)
api.flow.read("small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    try:
        api.flow.read("f1")
    except ResponseTooLarge:
        print("refused")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.once
@pytest.mark.parametrize("way", ["auto", "requests"])
@pytest.mark.parametrize("kind", ["gzip", "plain"])
def test_a_bomb_takes_no_more_memory_than_the_bound(kind: str, way: str) -> None:
    if kind == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        block = bytes(1 << 20)
        packed = b"".join([*(packer.compress(block) for _ in range(600)), packer.flush()])
        assert len(packed) < 1 << 20
        text = answer(packed, Content_Encoding="gzip")
    else:
        text = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200 << 20)
    small = answer(b'{"head": {}, "body": 1}')
    with raw(lambda number, request: small if b"/small" in request else text) as server:
        command = [sys.executable, "-c", BOMB, server.address, way]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second, grown = done.stdout.split()
    assert first == second == "refused"
    assert int(grown) << 10 < 1.5 * (32 << 20) + (16 << 20)


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "many", float("inf")])
def test_an_invalid_bound_is_refused(size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="max_response_bytes is"):
        API(Token("a", "b"), max_response_bytes=size)
    monkeypatch.setattr(defaults, "max_response_bytes", size)
    with pytest.raises(InvalidInput, match="max_response_bytes is"):
        API(Token("a", "b"))


def test_the_bound_is_an_option_like_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert API(Token("a", "b"))._max_response_bytes == defaults.max_response_bytes == 256 << 20
    profile = tmp_path / "credentials"
    profile.write_text("[default]\naccount = a\ntoken = t\nmax_response_bytes = 1000\n")
    profile.chmod(0o600)
    monkeypatch.setenv("FLOWTHINGS_CREDENTIALS", str(profile))
    assert API.connect()._max_response_bytes == 1000
    monkeypatch.setenv("FLOWTHINGS_MAX_RESPONSE_BYTES", "2000")
    assert API.connect()._max_response_bytes == 2000
    assert API.connect(max_response_bytes=3000)._max_response_bytes == 3000
    monkeypatch.setenv("FLOWTHINGS_MAX_RESPONSE_BYTES", "1 GB")
    with pytest.raises(ConfigurationError, match="'1 GB'"):
        API.connect()
