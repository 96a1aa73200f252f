"""Request bodies: what is read, what is refused, and that refusing is bounded too."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.problems import BadRequest, RequestTimeout, TooLarge
from flowthings_like.platform.rest import body

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def environ(raw: bytes, **extra: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": str(len(raw)), **extra}


def chunked(stream: Any, **extra: Any) -> dict[str, Any]:
    return {"wsgi.input": stream, "wsgi.input_terminated": True, **extra}


@settings(deadline=None, max_examples=60)
@given(JSON)
def test_any_json_is_read_back_plain_packed_and_chunked(value: Any) -> None:
    raw = json.dumps(value).encode()
    assert body.read(environ(raw)) == value
    assert body.read(environ(gzip.compress(raw), HTTP_CONTENT_ENCODING="gzip")) == value
    assert body.read(chunked(io.BytesIO(raw))) == value


@pytest.mark.parametrize("number", [-(2**63) - 1, 2**63, 2**64 - 1, 2**64, 10**30, -(10**30)])
@pytest.mark.parametrize(
    "form", ["%d", "[1, %d]", '{"a\\"": [\n%d ]}', '["12345678901234567890,", {"b":%d}]']
)
def test_a_whole_number_beyond_64_bits_is_refused(number: int, form: str) -> None:
    raw = (form % number).encode()
    with pytest.raises(BadRequest, match="does not fit 64 bits") as refused:
        body.read(environ(raw))
    assert str(number) in refused.value.message
    assert f"at byte {raw.index(str(number).encode())} " in refused.value.message


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(["12345678901234567890", '\\",99999999999999999999,"', "[99999999999999999999]"]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=12,
    )
)
def test_every_number_that_fits_arrives_exactly(value: Any) -> None:
    assert body.read(environ(json.dumps(value).encode())) == value


@pytest.mark.parametrize(
    "text",
    ["12345678901234567890.5", "1e25", "-0.12345678901234567890123", "1.5E+123", "123456789012345678901e-3"],
)
def test_long_reals_are_reals(text: str) -> None:
    assert body.read(environ(f"[{text}]".encode())) == [float(text)]


def test_a_long_number_across_blocks_is_found() -> None:
    for before in range((1 << 20) - 25, (1 << 20) + 3):
        raw = b" " * before + b"-9223372036854775809"
        with pytest.raises(BadRequest, match="64 bits"):
            body.read(environ(raw))


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40), st.sampled_from(["", "gzip", "identity"]))
def test_any_bytes_are_read_or_refused(raw: bytes, coding: str) -> None:
    with contextlib.suppress(BadRequest):  # anything else would be a fault
        body.read(environ(raw, HTTP_CONTENT_ENCODING=coding))


def test_it_says_where_the_json_is_wrong() -> None:
    with pytest.raises(BadRequest, match=r"not JSON.*line 2, column 7"):
        body.read(environ(b'{"a": 1,\n "b": nope}'))


def test_text_that_is_no_utf8_is_no_json() -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        body.read(environ(b'"\xff"'))


def test_a_missing_body_is_asked_for() -> None:
    with pytest.raises(BadRequest, match="needs a body"):
        body.read(environ(b""))
    # By PEP 3333 a body without a length and without a sign of its end is none.
    with pytest.raises(BadRequest, match="needs a body"):
        body.read({"wsgi.input": io.BytesIO(b"1")})


def test_a_body_that_ends_early_is_refused() -> None:
    with pytest.raises(BadRequest, match="ended after 3 of 9 bytes"):
        body.read({"wsgi.input": io.BytesIO(b"123"), "CONTENT_LENGTH": "9"})


@pytest.mark.parametrize("length", ["ten", "1.5"])
def test_a_length_must_be_a_number(length: str) -> None:
    with pytest.raises(BadRequest, match="Content-Length"):
        body.read({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": length})


class Sender(io.RawIOBase):
    """A client that would send `size` bytes, and remembers how many were taken."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.taken = 0
        self.largest = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "a body is read in bounded steps"
        count = min(size, self.left)
        self.left -= count
        self.taken += count
        self.largest = max(self.largest, count)
        return b" " * count


def test_a_declared_length_beyond_the_limit_is_refused_and_drained_in_steps() -> None:
    sender = Sender(5000 * 1024)
    with pytest.raises(TooLarge, match="the limit is 1048576 bytes"):
        body.read({"wsgi.input": sender, "CONTENT_LENGTH": str(5000 * 1024)}, limit=1024 * 1024)
    assert sender.left == 0
    assert sender.largest <= 256 * 1024


def test_chunks_are_counted_as_they_come() -> None:
    sender = Sender(3 * 1024 * 1024)
    with pytest.raises(TooLarge):
        body.read(chunked(sender), limit=1024 * 1024)
    assert sender.left == 0


def test_exactly_the_limit_is_accepted() -> None:
    raw = b'"' + b"x" * 98 + b'"'
    assert body.read(environ(raw), limit=100) == "x" * 98
    with pytest.raises(TooLarge):
        body.read(environ(raw), limit=99)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    with pytest.raises(TooLarge):
        body.read(environ(bomb, HTTP_CONTENT_ENCODING="gzip"), limit=1_000_000)


@pytest.mark.parametrize("raw", [b"{}", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"x"])
def test_gzip_must_be_one_whole_member(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="gzip"):
        body.read(environ(raw, HTTP_CONTENT_ENCODING="gzip"))


def test_an_unknown_coding_is_named() -> None:
    with pytest.raises(BadRequest, match="'br'"):
        body.read(environ(b"{}", HTTP_CONTENT_ENCODING="br"))


def test_a_broken_connection_is_a_bad_request() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError("secret detail")

    with pytest.raises(BadRequest, match=r"could not be read.*ConnectionResetError") as caught:
        body.read(chunked(Broken()))
    assert "secret" not in caught.value.message


SMALL_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet='a,:[{]}"\\\\é', max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('k,:"\\\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=30,
)


def marks(value: Any) -> int:
    """How many commas, colons and opening brackets a value's JSON has outside of its strings."""
    if isinstance(value, list):
        return 1 + max(0, len(value) - 1) + sum(map(marks, value))
    if isinstance(value, dict):
        return 1 + len(value) + max(0, len(value) - 1) + sum(map(marks, value.values()))
    return 0


@settings(deadline=None, max_examples=300)
@given(SMALL_VALUES, st.sampled_from([1, 2, 3, 7, 64 * 1024]), st.booleans())
def test_values_are_counted_and_strings_are_not(value: Any, piece: int, ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii).encode()
    count = marks(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "_PIECE", piece)
        assert body._holds_more(raw, count - 1) or count == 0
        assert not body._holds_more(raw, count)


@pytest.mark.parametrize("unit", [b"[]", b"{}", b'{"a":1}', b"[[]]", b'{"":[]}', b"1"])
def test_a_body_of_very_many_values_is_refused_before_it_is_parsed(
    unit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "MOST_VALUES", 50_000)
    raw = b"[" + b",".join([unit] * 60_000) + b"]"
    parsed: list[bytes] = []
    monkeypatch.setattr(body.orjson, "loads", parsed.append)
    for extra in ({}, {"HTTP_CONTENT_ENCODING": "gzip"}):
        with pytest.raises(TooLarge, match="more than 50000 values"):
            body.read(environ(gzip.compress(raw) if extra else raw, **extra))
    assert parsed == []


def test_text_with_very_many_commas_is_accepted() -> None:
    text = '[{"a":' * 500_000
    assert body.read(environ(json.dumps([text]).encode())) == [text]


@pytest.mark.parametrize("packed", [False, True])
def test_before_large_is_called_once(packed: bool) -> None:
    raw = json.dumps("x" * 3 * body.LARGE).encode()
    sent = environ(gzip.compress(raw), HTTP_CONTENT_ENCODING="gzip") if packed else environ(raw)
    asked: list[int] = []

    class Refused(Exception):
        pass

    def before_large() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise Refused

    assert body.receive(sent, before_large=before_large) == raw
    assert asked == [1]
    sent["wsgi.input"] = Sender(len(raw))
    if not packed:
        with pytest.raises(Refused):
            body.receive(sent, before_large=before_large)
        assert sent["wsgi.input"].taken == 0
    assert body.receive(environ(b" " * 1000), before_large=before_large) == b" " * 1000


def test_a_body_that_does_not_come_in_time_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late:
        def read(self, size: int) -> bytes:
            raise TimeoutError

    with pytest.raises(RequestTimeout, match="in time"):
        body.read(chunked(Late()))
