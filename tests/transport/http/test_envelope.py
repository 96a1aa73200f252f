"""The envelope of answers: a wrong member is named, and is never taken for a value."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like import (
    API,
    FlowThingsError,
    FlowThingsException,
    FlowThingsTooManyRequests,
    InvalidInput,
    InvalidResponse,
    Token,
)
from flowthings_like.transport.http.encoder import JSONEncoder, parse

from ...services.support import Answer, envelope, serving

JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


def asking(text: Any, status: int = 200, headers: dict[str, str] | None = None) -> Callable[[], Any]:
    """A call that gets this answer."""
    api = API(
        Token("acc", "secret"), host="flows.test", request=lambda *args, **more: (text, headers or {}, status)
    )
    return lambda: api.flow.read("f1")


def described(error: FlowThingsError) -> None:
    assert str(error)
    pickle.loads(pickle.dumps(error))


def refusal(text: Any, status: int = 200) -> str:
    with pytest.raises(InvalidResponse) as caught:
        asking(text, status)()
    return str(caught.value)


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("status", "200"), ("status", True), ("status", 200.0), ("status", [200]), ("status", {}),
        ("status", 7), ("status", 10**30), ("status", -404),
        ("errors", True), ("errors", "no"), ("errors", {"a": 1}), ("errors", 7), ("errors", [7]),
        ("errors", [None]),
        ("references", 7), ("references", []), ("references", "x"), ("references", True),
        ("ok", "true"), ("ok", 1), ("ok", []),
    ],
)  # fmt: skip
def test_a_head_that_is_wrong_in_a_member_is_named(member: str, value: Any, status: int) -> None:
    answer = envelope({"id": "f1"}, status)
    answer["head"][member] = value
    said = refusal(json.dumps(answer), status)
    assert f"head.{member} is" in said
    assert "right host" not in said


@given(JSON, st.sampled_from([200, 201, 204, 404, 429, 500]))
def test_whatever_the_head_is_the_call_has_a_result_or_one_of_our_errors(head: Any, status: int) -> None:
    try:
        asking(json.dumps({"head": head, "body": 1}), status)()
    except FlowThingsError as error:
        described(error)


@given(st.dictionaries(st.sampled_from(["ok", "status", "errors", "messages", "references"]), JSON))
def test_whatever_the_members_are_the_call_has_a_result_or_one_of_our_errors(head: dict[str, Any]) -> None:
    for status in (200, 503):
        try:
            assert asking(json.dumps({"head": head, "body": 1}), status)() == 1
        except FlowThingsError as error:
            described(error)


@given(st.binary(max_size=60), st.sampled_from([b"", b'{"head": {', b'{"head": {}, "body": ']))
def test_whatever_the_bytes_are_the_call_has_a_result_or_one_of_our_errors(tail: bytes, start: bytes) -> None:
    try:
        asking(start + tail)()
    except FlowThingsError as error:
        described(error)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'\xef\xbb\xbf{"head": {}}', "byte order mark, at byte 0"),
        (b'{"head": {}, "body": "\xff"}', "not UTF-8 from byte 22"),
        (b'{"head": {}, "body": NaN}', "NaN, which is no JSON, at byte 21"),
        ('{"head": {}, "é": NaN}'.encode(), "NaN, which is no JSON, at byte 19"),
        ('{"head": {}, "é": -Infinity}', "-Infinity, which is no JSON, at byte 19"),
        (b'{"head": {}, "body": "\\ud800"}', "lone surrogate, which is no Unicode text, in the string"),
        (b'{"head": {}, "body": "\\udc00"}', "lone surrogate, which is no Unicode text, in the string"),
        ('{"head": {}, "body": "\ud800"}', "lone surrogate, which is no Unicode text, at byte 22"),
        (b'{"head": {}, "body": 1', "end of data, at byte 22"),
        (b'{"head": {}, "body": 1e999}', "infinity"),
        (b'{"head": {}, "body": 1' + b"0" * 5000 + b"}", "infinity"),
    ],
)  # fmt: skip
def test_a_damaged_body_says_what_is_wrong_and_where(text: Any, reason: str) -> None:
    said = refusal(text)
    assert reason in said
    assert "right host" not in said


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b"[]", b"7", b"null", b'"x"', b'{"body": 1}', b'{"head": 7}']
)
def test_only_an_answer_without_an_envelope_asks_about_the_host(text: bytes) -> None:
    assert "is flows.test the right host?" in refusal(text)


LONG = [2**64, 2**64 + 1, -(2**63) - 1, 10**20 + 1, -(10**40), 12345678901234567890123, 10**300 + 1]


@pytest.mark.parametrize("number", [*LONG, 2**64 - 1, -(2**63), 2**53 + 1])
@pytest.mark.parametrize("shape", ["{}", "[{}]", '{{"a":{}}}', "[1, {}]", "[1,\n{}]", "[1.5,{},2]"])
def test_integers_arrive_exactly(number: int, shape: str) -> None:
    text = shape.format(number)
    assert parse(text) == parse(text.encode()) == json.loads(text)
    found = asking(f'{{"head": {{}}, "body": {text}}}')()
    assert repr(found) == repr(json.loads(text))


@given(JSON, st.booleans())
def test_json_is_what_the_standard_library_reads(value: Any, compact: bool) -> None:
    text = json.dumps(value, separators=(",", ":") if compact else None)
    assert repr(parse(text)) == repr(json.loads(text))
    assert repr(parse(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("before", [(1 << 20) - 30, (1 << 20) - 10, (1 << 20) - 1, 1 << 20, (3 << 20) - 12])
def test_a_long_integer_far_into_a_text_arrives_exactly(before: int) -> None:
    number = 3 * 10**20 + 7
    assert parse(b'["' + b"x" * before + b'",%d]' % number)[1] == number


@pytest.mark.parametrize("number", LONG)
def test_integers_that_do_not_fit_are_refused_before_they_are_sent(number: int) -> None:
    for value in (number, [number], {"a": {"b": number}}):
        with pytest.raises(InvalidInput, match="beyond 64 bits"):
            JSONEncoder().dumps(value)


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_too_many_requests_is_worth_another_try_and_says_when(transport: str) -> None:
    with serving(lambda seen: Answer(429, b"slow down", {"Retry-After": "7"})) as server:
        api = API(Token("acc", "secret"), host=server.address, secure=False, retry=False, transport=transport)
        with pytest.raises(FlowThingsTooManyRequests) as caught:
            api.flow.read("f1")
        api.close()
    error = caught.value
    assert (error.retryable, error.retry_after, error.status) == (True, 7.0, 429)
    assert pickle.loads(pickle.dumps(error)).retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "3"}, 3.0), ({}, None), ({"Retry-After": "soon"}, None)]
)
def test_errors_in_an_envelope_say_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(FlowThingsException) as caught:
        asking(json.dumps(envelope(status=503, errors=["busy"])), 503, headers)()
    assert caught.value.retry_after == seconds
