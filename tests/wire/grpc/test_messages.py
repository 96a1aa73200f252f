"""Messages on a stream: cut anywhere, too large, compressed."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.grpc.messages import (
    PREFIX,
    BrokenMessageError,
    Message,
    MessageReader,
    MessageTooLargeError,
    compress,
    inflate,
    prefix,
)

LIMIT = 10_000


def framed(message: bytes, is_compressed: bool = False) -> bytes:
    return prefix(len(message), is_compressed) + message


def packed(data: bytes) -> Message:
    message = Message(True, len(data))
    message.add(data)
    return message


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_messages_come_whole_however_they_are_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, messages))
    reader = MessageReader(LIMIT)
    found: list[Message] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, stop in pairwise(edges):
        found += reader.feed(stream[start:stop])
    assert [message.raw() for message in found] == messages
    assert reader.partial == 0


def test_the_partial_message_is_counted_with_its_prefix() -> None:
    reader = MessageReader(LIMIT)
    assert reader.feed(framed(b"abc")[:3]) == []
    assert reader.partial == 3
    assert reader.feed(framed(b"abc")[3:7]) == []
    assert reader.partial == PREFIX + 2


def test_a_message_that_is_too_large_is_refused_by_its_prefix() -> None:
    with pytest.raises(MessageTooLargeError, match="10001 bytes, and at most 10000"):
        MessageReader(LIMIT).feed(prefix(LIMIT + 1))


def test_a_prefix_of_another_kind_is_refused() -> None:
    with pytest.raises(BrokenMessageError, match="begins with 2"):
        MessageReader(LIMIT).feed(b"\2\0\0\0\0")


def test_a_message_in_single_bytes_is_kept_in_few_pieces() -> None:
    reader = MessageReader(1 << 20)
    reader.feed(prefix(50_000))
    for _ in range(49_999):
        reader.feed(b"x")
    [message] = reader.feed(b"x")
    assert len(message.pieces) < 10
    assert message.raw() == b"x" * 50_000


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_what_is_compressed_is_inflated(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    message = packed(b"".join(compress(data)))
    assert b"".join(inflate(message, b"gzip", size)) == data


def test_deflate_is_inflated_too() -> None:
    assert b"".join(inflate(packed(zlib.compress(b"abc")), b"deflate", 3)) == b"abc"


def test_a_bomb_is_refused_while_it_is_inflated() -> None:
    bomb = packed(gzip.compress(bytes(10_000_000)))
    made: list[bytes] = []
    with pytest.raises(MessageTooLargeError, match="more than 100000 bytes when it is decompressed"):
        made.extend(inflate(bomb, b"gzip", 100_000))
    assert sum(map(len, made)) <= 100_000


@pytest.mark.parametrize("data", [b"x", b"nothing", gzip.compress(b"x" * 100)[:-12]])
def test_what_is_not_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenMessageError):
        list(inflate(packed(data), b"gzip", LIMIT))


@pytest.mark.parametrize("encoding", [b"identity", b"", b"snappy", b"gzip, gzip"])
def test_a_compressed_message_needs_a_known_encoding(encoding: bytes) -> None:
    with pytest.raises(BrokenMessageError, match="as its encoding"):
        list(inflate(packed(gzip.compress(b"x")), encoding, LIMIT))
