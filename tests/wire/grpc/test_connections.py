"""Both ends of a connection: calls, windows, ends of all kinds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowthings_like.wire.grpc.client import ClientCall
from flowthings_like.wire.grpc.limits import CLIENT_LIMITS
from flowthings_like.wire.grpc.messages import PREFIX
from flowthings_like.wire.grpc.server import CallState
from flowthings_like.wire.grpc.status import OK, Status, StatusCode

from .pair import LIMIT, SERVER_LIMITS, Pair

RST_STREAM = b"\0\0\4\3"


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.exchange()
    return made


def take(pair: Pair, call: ClientCall) -> bytes:
    """Take the next message as a caller does."""
    message = call.messages.popleft()
    call.consumed += PREFIX + message.size
    pair.client.grant(call)
    return message.raw()


def test_a_call_with_one_answer(pair: Pair) -> None:
    call = pair.call(b"question")
    asked = pair.asked()
    assert asked.state is CallState.REQUESTED
    assert asked.method == "/a/B"
    assert asked.request is not None
    assert asked.request.raw() == b"question"
    pair.answer(asked, b"answer")
    assert [message.raw() for message in call.messages] == [b"answer"]
    assert call.status == OK
    assert len(pair.client) == len(pair.server) == 0
    assert pair.purse.free == 1 << 30


def test_an_end_without_an_answer_is_one_frame(pair: Pair) -> None:
    call = pair.call()
    pair.answer(pair.asked(), status=Status(StatusCode.NOT_FOUND, "no such stream: é%"))
    assert call.status == Status(StatusCode.NOT_FOUND, "no such stream: é%")


def test_calls_at_once_share_the_connection(pair: Pair) -> None:
    calls = [pair.call(b"%d" % number) for number in range(10)]
    pair.exchange()
    for asked in reversed([call for call in pair.server_news if call.state is CallState.REQUESTED]):
        assert asked.request is not None
        pair.answer(asked, asked.request.raw())
    assert [call.messages[0].raw() for call in calls] == [b"%d" % number for number in range(10)]


def test_the_server_says_how_many_calls_it_takes(pair: Pair) -> None:
    assert pair.client.max_calls == SERVER_LIMITS.streams
    for _ in range(SERVER_LIMITS.streams):
        assert pair.client.has_room
        pair.call()
    assert not pair.client.has_room


def test_a_call_too_many_is_refused_and_nothing_else_happens(pair: Pair) -> None:
    pair.room = 1
    first = pair.call()
    pair.exchange()
    pair.room = 0
    second = pair.call()
    pair.exchange()
    assert second.status is not None
    assert second.status.refused
    pair.answer(pair.server_news[-1], b"answer")
    assert first.status == OK


def test_a_large_request_waits_for_the_servers_window(pair: Pair) -> None:
    request = bytes(range(256)) * 4000
    call = pair.call(request)
    sent = len(pair.to_server())
    assert sent < SERVER_LIMITS.stream_window + 2000
    asked = pair.asked()
    assert asked.request is not None
    assert asked.request.raw() == request
    pair.answer(asked, b"")
    assert call.status == OK


def test_a_server_is_held_up_by_a_consumer_that_takes_nothing(pair: Pair) -> None:
    call = pair.call()
    asked = pair.asked()
    for _ in range(100):
        pair.server.send(asked, bytes(100_000))
    pair.exchange()
    held = sum(message.size for message in call.messages)
    window = CLIENT_LIMITS.stream_window
    assert window - 100_000 <= held <= window
    assert asked.unsent > 8_000_000
    others = pair.call()
    pair.answer(pair.asked(), b"not held up")
    assert others.status == OK
    pair.server.finish(asked)
    count = 0
    while call.messages or call.status is None:
        take(pair, call)
        count += 1
        pair.exchange()
        assert sum(message.size for message in call.messages) <= window
    assert count == 100
    assert call.status == OK


def test_a_message_may_be_larger_than_the_window(pair: Pair) -> None:
    small = replace(CLIENT_LIMITS, stream_window=70_000)
    pair = Pair(client_limits=small)
    call = pair.call()
    pair.answer(pair.asked(), bytes(LIMIT), b"next")
    assert len(take(pair, call)) == LIMIT
    pair.exchange()
    assert take(pair, call) == b"next"
    assert call.status == OK


def test_a_message_that_is_too_large_ends_its_call_while_it_arrives(pair: Pair) -> None:
    call, other = pair.call(), pair.call()
    pair.exchange()
    asked = pair.server_news[0]
    pair.server.send(asked, bytes(LIMIT + 1))
    pair.to_client(1000)
    assert call.too_large is not None
    pair.exchange()
    assert asked.is_cancelled
    pair.answer(next(call for call in pair.server_news if call.id == other.id), b"fine")
    assert other.status == OK


def test_a_cancelled_call_is_reset_and_its_late_answers_are_dropped(pair: Pair) -> None:
    call, other = pair.call(), pair.call()
    pair.exchange()
    asked = pair.server_news[0]
    for _ in range(40):  # more than the connection's window, over time
        pair.server.send(asked, bytes(500_000))
        pair.client.cancel(call)
        pair.to_client()
        call = pair.call()
        asked = pair.asked()
    assert pair.server._h2.outbound_flow_control_window >= CLIENT_LIMITS.connection_window // 2
    pair.answer(next(each for each in pair.server_news if each.id == other.id), b"fine")
    assert other.status == OK


def test_late_answers_are_not_answered_by_as_many_resets(pair: Pair) -> None:
    """One for the headers, which must be decoded: h2 does not leave it."""
    call = pair.call()
    asked = pair.asked()
    pair.client.cancel(call)
    for _ in range(50):
        pair.server.send(asked, bytes(10))
        pair.to_client()
    assert pair.client.take(0).count(RST_STREAM) == 2


def test_the_server_hears_of_a_cancelled_call(pair: Pair) -> None:
    call = pair.call()
    asked = pair.asked()
    pair.client.cancel(call)
    pair.exchange()
    assert asked.is_cancelled
    assert pair.server_news[-1] is asked
    pair.server.send(asked, b"late")
    pair.server.finish(asked)
    pair.exchange()
    assert call.status is None


def test_a_server_may_end_a_call_before_its_request_has_come(pair: Pair) -> None:
    call = pair.call(bytes(900_000))
    pair.to_server(1000)
    asked = pair.server_news[0]
    pair.server.finish(asked, Status(StatusCode.UNAUTHENTICATED, "who are you?"))
    pair.exchange()
    assert call.status is not None
    assert call.status.code == StatusCode.UNAUTHENTICATED
    assert len(pair.client) == len(pair.server) == 0


def test_goaway_lets_the_calls_in_flight_finish(pair: Pair) -> None:
    first = pair.call()
    asked = pair.asked()
    later = pair.call()
    pair.server.is_closing = True
    data = pair.server.goaway_frame()
    for cut in range(len(data)):
        for piece in pair.client_screen.feed(data[cut : cut + 1], 0.0):
            pair.client.receive(piece)
    assert not pair.client.has_room
    assert later.status is not None
    assert later.status.refused
    pair.answer(asked, b"still here")
    assert first.status == OK
    assert first.messages[0].raw() == b"still here"


def test_a_request_needs_a_message_and_only_one(pair: Pair) -> None:
    call = pair.call(b"x")
    assert call.outgoing is not None
    call.outgoing.add(b"another")
    pair.exchange()
    assert call.status == Status(StatusCode.UNIMPLEMENTED, "a stream of requests")
    call = pair.call(b"x")
    assert call.outgoing is not None
    call.outgoing.clear()
    pair.exchange()
    assert call.status is not None
    assert call.status.message == "the call ended within its request"


def test_requests_share_a_budget(pair: Pair) -> None:
    pair.purse.free = 150_000
    calls = [pair.call(bytes(100_000)) for _ in range(2)]
    pair.exchange()
    ended = [call.status for call in calls if call.status is not None]
    assert [status.code for status in ended] == [StatusCode.RESOURCE_EXHAUSTED]
    pair.answer(next(call for call in pair.server_news if call.state is CallState.REQUESTED), b"")
    assert pair.purse.free == 150_000


def test_the_end_of_the_connection_cancels_the_servers_calls(pair: Pair) -> None:
    pair.call(bytes(50_000))
    asked = pair.asked()
    pair.server.end()
    assert asked.is_cancelled
    assert pair.purse.free == 1 << 30
