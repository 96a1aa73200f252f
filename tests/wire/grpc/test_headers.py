"""Time-outs, statuses and metadata as headers."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import InvalidInput
from flowthings_like.wire.grpc.metadata import check_metadata, check_method, is_grpc, own_metadata
from flowthings_like.wire.grpc.status import (
    GrpcError,
    Status,
    StatusCode,
    read_status,
    reset_status,
    status_headers,
)
from flowthings_like.wire.grpc.timeouts import decode_timeout, encode_timeout


@given(st.floats(1e-6, 3e11))
def test_a_timeout_is_never_shorter_and_at_most_a_hundredth_longer(seconds: float) -> None:
    header = encode_timeout(seconds)
    assert re.fullmatch(rb"[1-9][0-9]{0,7}[HMSmu]", header)
    read = decode_timeout(header)
    assert read is not None
    assert seconds * 0.999999 <= read
    assert read <= seconds * 1.0101 + 1e-6


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(60.0, b"60S"), (59.99, b"60S"), (0.25, b"250m"), (1.5, b"1500m"), (1e-9, b"1u"), (-1.0, b"1u")],
)
def test_timeouts_as_headers(seconds: float, header: bytes) -> None:
    assert encode_timeout(seconds) in (header, b"1M" if header == b"60S" else header)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"5n", 5e-9), (b"2H", 7200.0), (b"", None), (b"5", None), (b"5x", None), (b"123456789S", None)],
)
def test_timeouts_from_headers(header: bytes, seconds: float | None) -> None:
    assert decode_timeout(header) == seconds
    assert decode_timeout(b"-" + header) is None


@given(st.sampled_from(StatusCode), st.text(max_size=50))
def test_a_status_comes_back_from_its_trailers(code: StatusCode, message: str) -> None:
    message = message.encode("utf-8", "ignore").decode()
    sent = status_headers(Status(code, message))
    for _, value in sent:
        assert re.fullmatch(rb"[\x20-\x7e]*", value)
    read = read_status(dict(sent))
    assert read.code == code
    assert read.message == (message if code else "")


@pytest.mark.parametrize(
    ("headers", "code", "said"),
    [
        ({b":status": b"503"}, StatusCode.UNAVAILABLE, "HTTP status 503"),
        ({b":status": b"404"}, StatusCode.UNIMPLEMENTED, "404"),
        ({b":status": b"302"}, StatusCode.UNKNOWN, "302"),
        ({b":status": b"200"}, StatusCode.UNKNOWN, "without a status"),
        ({b"grpc-status": b"fine"}, StatusCode.UNKNOWN, "no number: fine"),
        ({b"grpc-status": b"99"}, 99, ""),
    ],
)
def test_an_end_that_is_none_of_grpc(headers: dict[bytes, bytes], code: int, said: str) -> None:
    status = read_status(headers)
    assert status.code == code
    assert said in status.message


def test_only_a_refused_stream_was_certainly_not_begun() -> None:
    assert reset_status(7) == Status(14, "the stream was reset, HTTP/2 error code 7", refused=True)
    assert not reset_status(8).refused
    assert reset_status(8).code == StatusCode.CANCELLED
    assert reset_status(2).code == StatusCode.INTERNAL


def test_the_error_says_what_was_asked_and_can_be_pickled() -> None:
    error = GrpcError(14, "come back later", "/v5api.BTrDB/Insert")
    again = pickle.loads(pickle.dumps(error))
    for each in error, again:
        assert str(each) == "/v5api.BTrDB/Insert: UNAVAILABLE: come back later"
        assert (each.code, each.name, each.retryable) == (14, "UNAVAILABLE", True)
    assert not GrpcError(99).retryable
    assert GrpcError(99).name == "status 99"


def test_metadata_are_lower_case() -> None:
    assert check_metadata([("Authorization", " Bearer x ")]) == [(b"authorization", b"Bearer x")]


@pytest.mark.parametrize("name", ["", "a b", ":path", "grpc-timeout", "te", "é", "content-type"])
def test_names_that_cannot_be_sent(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be sent"):
        check_metadata([(name, "x")])


@pytest.mark.parametrize("value", ["secret\r\nx: y", "secret\0", "secreté"])
def test_values_that_cannot_be_sent_are_not_shown(value: str) -> None:
    with pytest.raises(InvalidInput, match="'authorization'") as caught:
        check_metadata([("authorization", value)])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("metadata", ["authorization", [("a",)], [("a", b"b")]])
def test_what_is_no_metadata(metadata: object) -> None:
    with pytest.raises(InvalidInput, match="pairs"):
        check_metadata(metadata)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["", "Insert", "/Insert", "/a/b\r\n", "/a/b?c", "/a/é", "/a/b/c", None])
def test_methods_that_cannot_be_called(method: str) -> None:
    if method == "/a/b?c":
        assert check_method(method) == b"/a/b?c"
    else:
        with pytest.raises(InvalidInput, match="give a path"):
            check_method(method)


def test_own_metadata_are_what_is_left() -> None:
    own = [(b"x", b"1"), (b"x", b"2")]
    headers = [(b":path", b"/a/b"), (b"te", b"trailers"), (b"grpc-timeout", b"1S"), *own]
    assert own_metadata(headers) == {"x": "1,2"}


def test_the_content_type() -> None:
    assert is_grpc(b"application/grpc")
    assert is_grpc(b"application/grpc+proto")
    assert is_grpc(b"application/grpc;charset=x")
    assert not is_grpc(b"application/grpcs")
    assert not is_grpc(b"text/html")
