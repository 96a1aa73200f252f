"""HTTP/1.1 as bytes: what is written, what is refused, and answers that arrive in any pieces."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.wire import http
from flowthings_like.wire.content_encoding import Unpacker
from flowthings_like.wire.http import (
    BodyTooLargeError,
    Headers,
    PackingError,
    ProtocolError,
    ResponseParser,
    UnsafeRequestError,
    header_lines,
    request_head,
    unpack,
)

JSON = b'{"head": {"ok": true}, "body": [1, 2, 3]}'
PACKED = gzip.compress(JSON)
ANSWERS: dict[str, tuple[str, bytes, int, bytes]] = {
    "length": (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-A: 1\r\n\r\n%b" % (len(JSON), JSON),
        200,
        JSON,
    ),
    "empty": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "no reason": ("GET", b"HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
    "chunked": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        200,
        b"hello world",
    ),
    "trailers": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: late\r\n\r\n",
        200,
        b"hi",
    ),
    "gzip": (
        "GET",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
        200,
        JSON,
    ),
    "head": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200, b""),
    "no content": ("DELETE", b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", 204, b""),
    "not modified": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b""),
    "continue": (
        "PUT",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "upgrade offered": (
        "GET",
        b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
}


def read(parser: ResponseParser, method: str, *pieces: bytes) -> Any:
    parser.begin(method)
    complete = [parser.feed(piece) for piece in pieces if piece]
    assert complete[-1]
    assert not any(complete[:-1])
    return parser.answer()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_in_one_piece_and_cut_anywhere(name: str) -> None:
    method, text, status, body = ANSWERS[name]
    whole = read(ResponseParser(), method, text)
    assert (whole.status, whole.body) == (status, body)
    one_by_one = ResponseParser()
    for cut in range(1, len(text)):
        parser = ResponseParser()
        answer = read(parser, method, text[:cut], text[cut:])
        assert (answer.status, answer.reason, answer.body) == (whole.status, whole.reason, whole.body)
        assert answer.headers.raw == whole.headers.raw
        assert parser.reusable
    answer = read(one_by_one, method, *(text[index : index + 1] for index in range(len(text))))
    assert (answer.status, answer.body, answer.headers.raw) == (status, body, whole.headers.raw)


@given(st.lists(st.sampled_from(sorted(ANSWERS)), min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_one_parser_reads_all_answers_of_a_connection(names: list[str], chance: random.Random) -> None:
    parser = ResponseParser()
    for name in names:
        method, text, status, body = ANSWERS[name]
        cuts = sorted(chance.randrange(1, len(text)) for _ in range(chance.randrange(4)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        answer = read(parser, method, *pieces)
        assert (answer.status, answer.body) == (status, body)
        assert parser.reusable


def test_headers() -> None:
    text = b"HTTP/1.1 200 OK\r\nX-Two: a\r\nx-two: b\r\nX-Latin: caf\xe9\r\nContent-Length: 0\r\n\r\n"
    headers = read(ResponseParser(), "GET", text).headers
    assert headers["X-TWO"] == "a, b"
    assert headers["x-latin"] == "caf\xe9"
    assert headers.get("none") is None
    assert list(headers) == ["X-Two", "X-Latin", "Content-Length"]
    assert len(headers) == 3
    assert "Content-length" in headers
    assert "caf\xe9" in repr(headers)
    for each in (headers, Headers([(b"X-Two", b""), (b"x-latin", b"")])):
        assert each.has(b"x-two")
        assert each.has(b"x-latin")
        assert not each.has(b"x-tw")
    assert dict(Headers([])) == {}


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\nbody all the same"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("GET", ANSWERS["length"][1].replace(JSON, b"ok").replace(b"%d" % len(JSON), b"2") * 2),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2),
    ],
)
def test_when_a_connection_cannot_be_reused(method: str, text: bytes) -> None:
    parser = ResponseParser()
    parser.begin(method)
    assert parser.feed(text)
    assert not parser.reusable
    assert parser.answer().body in (b"ok", b"")
    assert method == "GET" or parser.answer().body == b""


def test_an_answer_that_ends_with_the_connection() -> None:
    parser = ResponseParser()
    parser.begin("GET")
    assert not parser.feed(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nall ")
    assert not parser.feed(b"there is")
    assert parser.finish()
    assert not parser.reusable
    assert parser.answer().body == b"all there is"


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"head"}))
def test_an_answer_that_is_cut_short_is_not_complete(name: str) -> None:
    method, text, _, _ = ANSWERS[name]
    for cut in range(len(text)):
        parser = ResponseParser()
        parser.begin(method)
        assert not (parser.feed(text[:cut]) if cut else False)
        assert not parser.finish()
        assert parser.started == bool(cut)


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_what_is_no_answer(text: bytes) -> None:
    parser = ResponseParser()
    parser.begin("GET")
    with pytest.raises(ProtocolError):
        parser.feed(text)


def floods() -> dict[str, tuple[bytes, bytes]]:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return {
        "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 4000 + b"\r\n"),
        "many headers": (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
        "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096),
        "a reason": (b"HTTP/1.1 200 ", b"x" * 4096),
        "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "trailers": (chunked + b"0\r\n", b"X-Filler: " + b"x" * 4000 + b"\r\n"),
        "one trailer": (chunked + b"0\r\nX: ", b"x" * 4096),
        "a chunk extension": (chunked + b"1;", b"x" * 4096),
        "blank lines": (b"", b"\r\n" * 2048),
    }


@pytest.mark.parametrize("name", floods())
def test_a_flood_ends_soon(name: str) -> None:
    start, more = floods()[name]
    parser = ResponseParser()
    parser.begin("GET")
    fed = 0
    tracemalloc.start()
    try:
        with suppress(ProtocolError):
            while fed < 1_000_000:
                parser.feed(start + more)
                start = b""
                fed += len(more)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fed < 100_000
    assert peak < 1_000_000


@given(st.sampled_from(sorted(ANSWERS)), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=400)
def test_whatever_comes_it_is_an_answer_or_its_own_error(name: str, chance: random.Random) -> None:
    method, text, _, _ = ANSWERS[name]
    damaged = bytearray(text)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(damaged))
        kind = chance.randrange(3)
        if kind == 0:
            damaged[at] = chance.randrange(256)
        elif kind == 1:
            del damaged[at : at + chance.randrange(1, 8)]
        else:
            damaged[at:at] = chance.choice(
                [b"\r\n", b"\0", b"0\r\n", b"9999999999", chance.randbytes(4), text]
            )
        if not damaged:
            damaged += b"?"
    parser = ResponseParser()
    parser.begin(method)
    try:
        start = 0
        while start < len(damaged) and not parser.complete:
            end = start + chance.randrange(1, 60)
            parser.feed(bytes(damaged[start:end]))
            start = end
        if parser.complete or parser.finish():
            answer = parser.answer()
            assert 100 <= answer.status <= 999
            assert len(answer.body) <= 1100 * len(damaged)
    except (ProtocolError, PackingError):
        pass


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=200)
def test_noise_is_an_answer_or_its_own_error(noise: bytes) -> None:
    parser = ResponseParser()
    parser.begin("GET")
    try:
        parser.feed(b"HTTP/1.1 200 OK\r\n" + noise)
        parser.finish()
    except (ProtocolError, PackingError):
        pass


def test_errors_are_the_same_in_the_middle_of_handling_another() -> None:
    """llhttp's errors come by way of C code, which takes what is being handled for their cause."""
    try:
        raise KeyError("something else")
    except KeyError:
        for text in (b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"):
            with pytest.raises(ProtocolError):
                ResponseParser().feed(text)
        parser = ResponseParser()
        assert parser.feed(ANSWERS["length"][1] + b"garbage")
        assert not parser.reusable


# Packed bodies


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("gzip", gzip.compress(JSON)),
        ("x-gzip", gzip.compress(JSON)),
        ("GZIP", gzip.compress(JSON[:9]) + gzip.compress(JSON[9:]) + b"\0\0\0"),
        ("deflate", zlib.compress(JSON)),
        ("deflate", zlib.compress(JSON)[2:-4]),
        ("deflate, gzip", gzip.compress(zlib.compress(JSON))),
        ("identity", JSON),
        ("br", JSON),
    ],
)
def test_unpacking(packing: str, body: bytes) -> None:
    assert unpack(body, packing) == JSON


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
@pytest.mark.parametrize("body", [b"x", JSON, gzip.compress(JSON)[:-9], zlib.compress(JSON)[:-5]])
def test_what_cannot_be_unpacked(packing: str, body: bytes) -> None:
    with pytest.raises(PackingError):
        unpack(body, packing)


BOMBS = {
    "gzip": gzip.compress(bytes(2_000_000)),
    "x-gzip": gzip.compress(bytes(40_000)) * 50,
    "deflate": zlib.compress(bytes(2_000_000)),
    "gzip, gzip": gzip.compress(gzip.compress(bytes(2_000_000))),
    "deflate, gzip": gzip.compress(zlib.compress(bytes(2_000_000))),
}


@pytest.mark.parametrize("packing", BOMBS)
def test_a_bomb_is_defused(packing: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError) as caught:
            unpack(BOMBS[packing], packing, 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.unpacked
    assert peak < 500_000
    assert len(unpack(gzip.compress(bytes(100_000)), "gzip", 100_000)) == 100_000


def test_packed_all_too_often() -> None:
    with pytest.raises(PackingError, match="5 times"):
        unpack(b"x", "gzip,gzip,gzip,gzip,gzip")


@given(
    st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 70), st.sampled_from(["gzip", "deflate"])
)
def test_unpacking_piece_by_piece_is_unpacking_at_once(parts: list[bytes], size: int, packing: str) -> None:
    if packing == "gzip":
        body = b"".join(map(gzip.compress, parts)) + b"\0" * (size % 3 if parts else 0)
    else:
        parts = [b"".join(parts)]
        body = zlib.compress(parts[0])
    unpacker = Unpacker(packing, None)
    found = [piece for at in range(0, len(body), size) for piece in unpacker.feed(body[at : at + size])]
    if body:
        unpacker.finish()
    assert b"".join(found) == b"".join(parts)


# Bounds


def feed_all(parser: ResponseParser, text: bytes, piece: int) -> bool:
    return [parser.feed(text[at : at + piece]) for at in range(0, len(text), piece)][-1]


def padded(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Padding: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n{}"


@pytest.mark.parametrize("piece", [1000, 16_384, 65_536, 1 << 20])
def test_headers_are_bounded_to_the_byte(piece: int) -> None:
    for size in (http.MAX_HEAD, http.MAX_HEAD + 1, 88_000):
        parser = ResponseParser()
        parser.begin("GET")
        text = padded(size)
        if size <= http.MAX_HEAD:
            assert feed_all(parser, text, piece)
            assert parser.answer().body == b"{}"
        else:
            with pytest.raises(ProtocolError, match="headers of more than 65536"):
                feed_all(parser, text, piece)


@pytest.mark.parametrize("piece", [1000, 65_536, 1 << 20])
def test_trailers_are_bounded(piece: int) -> None:
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    text += b"X-Trailer: %b\r\n" % (b"x" * 1000) * 88 + b"\r\n"
    parser = ResponseParser()
    parser.begin("GET")
    with pytest.raises(ProtocolError, match="headers of more than 65536"):
        feed_all(parser, text, piece)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_a_body_is_bounded_while_it_arrives(framing: str, piece: int) -> None:
    body = b"x" * 1000
    head, text = {
        "length": (b"Content-Length: 1000", body),
        "chunked": (b"Transfer-Encoding: chunked", b"64\r\n%b\r\n" % (b"x" * 100) * 10 + b"0\r\n\r\n"),
        "close": (b"X: y", body),
    }[framing]
    answer = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (head, text)
    for limit in (None, 1000):
        parser = ResponseParser()
        parser.begin("GET", limit)
        feed_all(parser, answer, piece)
        parser.finish()
        assert parser.answer().body == body
    for limit in (999, 300, 0):
        parser = ResponseParser()
        parser.begin("GET", limit)
        pieces = iter([answer[at : at + piece] for at in range(0, len(answer), piece)])
        with pytest.raises(BodyTooLargeError) as caught:  # noqa: PT012
            for each in pieces:
                parser.feed(each)
        assert (caught.value.limit, caught.value.unpacked) == (limit, False)
        # No more than the bound has come, and of a length that is announced nothing.
        fed = len(answer) - sum(map(len, pieces))
        assert fed <= len(head) + 24 + piece + (0 if framing == "length" else limit * 1.1 + 20)


def test_a_long_body_is_held_once() -> None:
    part = b"x" * 65_536
    parser = ResponseParser()
    parser.begin("GET")
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(part) * 320))
    tracemalloc.start()
    try:
        for _ in range(320):
            parser.feed(part)
        body = parser.answer().body
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == len(part) * 320
    assert peak < 1.3 * len(body)


# Requests


def test_a_request() -> None:
    lines = header_lines({"Host": "h", "X-B": b"bytes", "X-Empty": "", "X-Latin": "caf\xe9"})
    assert lines == b"Host: h\r\nX-B: bytes\r\nX-Empty: \r\nX-Latin: caf\xe9\r\n"
    assert request_head("GET", "/a?b=1", b"Host: h\r\n", None) == b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    assert request_head("MPUT", "/", b"", 0) == b"MPUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("method", ["", "get", "GET /", "GET\r\nX: 1", "GET\n", "G T", "G\0"])
def test_methods_that_are_refused(method: str) -> None:
    with pytest.raises(UnsafeRequestError, match="method"):
        request_head(method, "/", b"", None)


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nX: 1", "/a\n", "/\0", "/ü", "/a\t", "/\x7f"])
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(UnsafeRequestError, match="target"):
        request_head("GET", target, b"", None)


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "A\n", "ü", " A", "A\0"])
def test_header_names_that_are_refused(name: str) -> None:
    with pytest.raises(UnsafeRequestError, match="name"):
        header_lines({name: "1"})


@pytest.mark.parametrize("value", ["a\r\nB: 1", "a\n", "\ra", "\0", " a", "a ", "\ta", 5, None, b"a\r\nb"])
def test_header_values_that_are_refused_and_not_shown(value: Any) -> None:
    with pytest.raises(UnsafeRequestError, match="value of header X-Secret") as caught:
        header_lines({"X-Secret": value})
    assert repr(value) not in str(caught.value)


def test_a_header_beyond_latin_1_is_refused() -> None:
    with pytest.raises(UnsafeRequestError, match="Latin-1"):
        header_lines({"X": "€"})


@given(
    st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=8), max_size=3),
    st.text(max_size=12),
    st.text(max_size=5),
)
@settings(deadline=None, max_examples=300)
def test_no_input_makes_another_line(headers: dict[str, str], target: str, method: str) -> None:
    try:
        text = request_head(method, "/" + target, header_lines(headers), None)
    except UnsafeRequestError:
        return
    assert text.endswith(b"\r\n\r\n")
    lines = text[:-4].split(b"\r\n")
    assert len(lines) == 1 + len(headers)
    assert lines[0].count(b" ") == 2
    assert not set(text.replace(b"\r\n", b"")) & set(b"\r\n\0")
