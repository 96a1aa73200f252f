"""Parsing frames from pieces of any size, and refusing them by their headers."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.transport.websocket.frames import Kind, Message, MessageParser, frame


def from_server(opcode: int, data: bytes, fin: bool = True) -> bytes:
    first = bytes([fin << 7 | opcode])
    if len(data) < 126:
        return first + bytes([len(data)]) + data
    if len(data) < 1 << 16:
        return first + b"\x7e" + struct.pack(">H", len(data)) + data
    return first + b"\x7f" + struct.pack(">Q", len(data)) + data


messages = st.lists(
    st.one_of(
        st.builds(Message, st.sampled_from([Kind.TEXT, Kind.BINARY]), st.binary(max_size=300)),
        st.builds(Message, st.sampled_from([Kind.PING, Kind.PONG]), st.binary(max_size=125)),
    ),
    max_size=8,
)


@given(messages, st.lists(st.integers(0, 3000)))
def test_messages_in_pieces_of_any_size(sent: list[Message], cuts: list[int]) -> None:
    data = b"".join(from_server(message.kind, message.data) for message in sent)
    parser = MessageParser(1000)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert [each for start, end in pairwise(places) for each in parser.feed(data[start:end])] == sent


@given(st.lists(st.binary(max_size=200), min_size=2, max_size=6), st.binary(max_size=125))
def test_fragments_with_a_ping_among_them(parts: list[bytes], ping: bytes) -> None:
    parser = MessageParser(2000)
    first, *middle, last = parts
    data = from_server(Kind.TEXT, first, fin=False)
    data += from_server(Kind.PING, ping)
    data += b"".join(from_server(0, part, fin=False) for part in middle) + from_server(0, last)
    assert parser.feed(data) == [Message(Kind.PING, ping), Message(Kind.TEXT, b"".join(parts))]


def test_what_a_client_says_is_masked() -> None:
    said = frame(Kind.TEXT, b"hello")
    assert said[:2] == b"\x81\x85"
    assert bytes(byte ^ said[2 + index % 4] for index, byte in enumerate(said[6:])) == b"hello"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x82\x7f" + (2**62).to_bytes(8, "big"), "more than 1000 bytes"),
        (b"\x82\x7e" + (1001).to_bytes(2, "big"), "more than 1000 bytes"),
        (from_server(Kind.TEXT, b"x" * 600, fin=False) + b"\x80\x7e\x01\x91", "more than 1000 bytes"),
        (from_server(Kind.TEXT, b"", fin=False) + from_server(0, b"", fin=False) * 1100, "more than 1000"),
        (b"\x89\x7e\x00\x7e", "a control frame that is long"),
        (b"\x09\x01", "in parts"),
        (from_server(0, b"x"), "fragments out of their order"),
        (from_server(Kind.TEXT, b"x", fin=False) + from_server(Kind.TEXT, b"x"), "out of their order"),
        (b"\xc1\x00", "rsv"),
        (b"\x83\x00", "opcode"),
        (from_server(Kind.CLOSE, b"x"), "close"),
    ],
)
def test_what_is_no_websocket_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ConnectionError, match=reason):
        MessageParser(1000).feed(data)
