"""Live messages as texts: cursors, where a subscription begins, pushes and replies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.wire.live import Cursor, Since, Start, push, reply
from flowthings_like.wire.websocket import accept_key, close_frame, server_frame

cursors = st.builds(Cursor, st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
begins = st.one_of(
    st.sampled_from([Since(Start.NOW), Since(Start.START)]),
    st.builds(Since, st.just(Start.CURSOR), cursors),
    st.builds(Since, st.just(Start.DROP), st.text()),
    st.builds(Since, st.just(Start.TIME), st.integers(min_value=0)),
)


@given(cursors)
def test_a_cursor_is_read_back(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(begins)
def test_a_beginning_is_read_back(since: Since) -> None:
    assert Since.parse(json.loads(json.dumps(since.as_json()))) == since


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "-1.2", "1.2.3", "٣.1", " 1.2", 1.2, None, "9" * 19 + ".1"]
)
def test_what_is_no_cursor(text: object) -> None:
    with pytest.raises(ValueError, match="is no cursor"):
        Cursor.parse(text)


@pytest.mark.parametrize(
    "given",
    [None, "", "then", 5, True, {}, {"time": "5"}, {"time": True}, {"time": -1}, {"drop": 5}, {"a": 1}],
)
def test_what_is_no_beginning(given: object) -> None:
    with pytest.raises(ValueError, match='since must be "now", "start"'):
        Since.parse(given)


def test_a_push() -> None:
    assert json.loads(push(b'"f1"', b'{"a":1}')) == {"type": "message", "resource": "f1", "value": {"a": 1}}
    assert json.loads(push(b'"f1"', b"{}", Cursor(3, 9)))["cursor"] == "3.9"


@pytest.mark.parametrize("message_id", [0, 7, "7", None, 2**60])
def test_a_reply_repeats_the_id_as_it_came(message_id: object) -> None:
    head = json.loads(reply(message_id, {}))["head"]
    assert head["msgId"] == message_id
    assert type(head["msgId"]) is type(message_id)
    assert (head["status"], head["ok"], head["errors"]) == (200, True, [])


def test_a_reply_with_errors_is_not_ok() -> None:
    found = json.loads(reply(1, {}, status=404, errors=["gone"]))
    assert (found["head"]["ok"], found["head"]["status"], found["head"]["errors"]) == (False, 404, ["gone"])


def test_the_key_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "!" * 24])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding|Incorrect"):
        accept_key(key)


@pytest.mark.parametrize(("size", "head"), [(5, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_frames_of_all_sizes(size: int, head: int) -> None:
    frame = server_frame(1, b"x" * size)
    assert (frame[0], len(frame)) == (0x81, head + size)


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = close_frame(1000, "ä" * 100)
    assert len(frame) <= 2 + 125
    assert frame[4:].decode() == "ä" * 61
