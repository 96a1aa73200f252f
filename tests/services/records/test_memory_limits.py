"""memory_limit and recv_buffer_size: how much of an answer is in memory, and what a part of it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowthings_like.records import Channel, Key, Record, ResponseAcq, ResponseStatus
from tests.transport.records.scripted import Session, record, reply

from .conftest import Connect

S = ResponseStatus
ALL = Key.min(), Key.max()
SMALL = record(Key(1, 2, 3, 4, 5), b"\7\0\0\0")
"""A record of 40 bytes."""


def sending(count: int, size: int = 4) -> Callable[[Session], None]:
    """A script that answers each request with so many records."""
    answer = reply(*(record(Key(1, number, 3, 4, 5), bytes(size)) for number in range(count)))

    def script(session: Session) -> None:
        while session.request():
            session.send(answer)

    return script


def streamed(channel: Channel[Any], **options: Any) -> tuple[ResponseStatus, list[int]]:
    """The status, and how many records each call of the callback got."""
    parts: list[int] = []
    answer = channel.get_stream(*ALL, lambda records: parts.append(len(records)), **options)
    return answer.status, parts


def test_the_sizes_of_these_records() -> None:
    assert (len(SMALL), len(reply()), len(reply(SMALL))) == (40, 36, 76)


@pytest.mark.parametrize(
    ("count", "limit", "status", "parts"),
    [
        (8, 90, S.OK, 4),
        (8, 120, S.OK, 3),
        (8, 4, S.NO_MEMORY, 0),
        (1, 76, S.OK, 1),
        (1, 51, S.NO_MEMORY, 0),
        (2, 52, S.OK, 2),
        (2, 200, S.OK, 1),
        (0, 200, S.OK, 0),
        (8, 0, S.NO_MEMORY, 0),
        (8, None, S.OK, 1),
        (0, None, S.OK, 0),
    ],
)
def test_parts_of_a_stream(
    count: int, limit: int | None, status: ResponseStatus, parts: int, connect: Connect
) -> None:
    channel = connect(sending(count), memory_limit=limit)
    found = streamed(channel)
    assert (found[0], len(found[1])) == (status, parts)
    if status is S.OK:
        assert sum(found[1]) == count
    assert channel.is_connected is (status is S.OK)


def test_a_part_may_be_kept(connect: Connect) -> None:
    """TStorage's own client clears the list that it has handed over."""
    kept: list[Any] = []
    channel = connect(sending(8), memory_limit=90)
    assert channel.get_stream(*ALL, kept.append)
    assert [record.key.mid for part in kept for record in part] == list(range(8))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_get_that_just_fits(count: int, connect: Connect) -> None:
    """What counts is all that comes, with the headers."""
    exact = 36 + 40 * count
    channel = connect(sending(count), memory_limit=exact)
    assert (channel.get(*ALL).status, len(channel.get(*ALL).data)) == (S.OK, count)
    channel.memory_limit = exact - 1
    answer = channel.get(*ALL)
    assert (answer.status, answer.acq) == (S.NO_MEMORY, -1)
    assert str(exact - 1) in answer.reason
    assert not channel.is_connected


def test_records_within_the_limit_are_kept(connect: Connect) -> None:
    answer = connect(sending(5), memory_limit=12 + 2 * 40 + 7).get(*ALL)
    assert (answer.status, [each.key.mid for each in answer.data]) == (S.NO_MEMORY, [0, 1])


@pytest.mark.parametrize("call", ["get", "get_stream", "get_iter"])
def test_a_record_that_is_larger_than_the_limit(call: str, connect: Connect) -> None:
    """It is refused when its size has come, and not read."""

    def script(session: Session) -> None:
        session.request()
        session.send(reply(SMALL, record(Key(1, 2, 3, 4, 5), bytes(10_000)))[:100])
        session.request()

    channel = connect(script, memory_limit=5_000)
    if call == "get":
        answer = channel.get(*ALL)
        assert len(answer.data) == 1
    elif call == "get_stream":
        status, parts = streamed(channel)
        answer = ResponseAcq(status)
        assert parts == [1]
    else:
        *found, answer = channel.get_iter(*ALL)
        assert len(found) == 1
    assert answer.status == S.NO_MEMORY
    assert not channel.is_connected


def test_an_iterator_may_return_more_than_the_limit(connect: Connect) -> None:
    channel = connect(sending(1000), memory_limit=200)
    *found, answer = channel.get_iter(*ALL)
    assert (answer.status, [each.key.mid for each in found]) == (S.OK, list(range(1000)))
    assert streamed(channel)[0] is S.OK


@pytest.mark.parametrize("limit", [0, 40])
def test_an_iterator_with_too_small_a_limit(limit: int, connect: Connect) -> None:
    (answer,) = connect(sending(3), memory_limit=limit).get_iter(*ALL)
    assert answer.status == S.NO_MEMORY


@pytest.mark.parametrize("size", [1, 32, 100, 5000, 1 << 20])
def test_a_buffer_of_any_size(size: int, connect: Connect) -> None:
    channel = connect(sending(500, 100))
    answer = channel.get(*ALL, recv_buffer_size=size)
    assert [each.key.mid for each in answer.data] == list(range(500))
    assert streamed(channel, recv_buffer_size=size) == (S.OK, [500])
    *found, end = channel.get_iter(*ALL, recv_buffer_size=size)
    assert (found, end.status) == (list(answer.data), S.OK)


def test_records_larger_than_the_buffer(connect: Connect) -> None:
    channel = connect(sending(3, 300_000), memory_limit=400_000)
    *found, end = channel.get_iter(*ALL, recv_buffer_size=4096)
    assert ([len(each.value) for each in found], end.status) == ([300_000] * 3, S.OK)
    assert streamed(channel) == (S.OK, [1, 1, 1])


def test_a_part_has_about_as_many_bytes_as_the_limit(connect: Connect) -> None:
    channel = connect(sending(10_000, 100), memory_limit=100_000)
    status, parts = streamed(channel)
    assert status is S.OK
    assert sum(parts) == 10_000
    assert all(100_000 - 136 <= part * 136 <= 100_000 + 136 for part in parts[:-1])


def test_records_of_an_iterator_are_records(connect: Connect) -> None:
    first, answer = connect(sending(1)).get_iter(*ALL)
    assert first == Record(Key(1, 0, 3, 4, 5), bytes(4))
    assert answer == ResponseAcq(S.OK, 77)
