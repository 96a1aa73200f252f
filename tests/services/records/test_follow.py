"""Following a range: nothing is missed or returned twice, whatever happens in between."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    DeadlineExceeded,
    Disconnected,
    InvalidInput,
    Key,
    NoMemory,
    Record,
    RecordsError,
    UnparseableEntity,
)
from flowthings_like.services.records import follower as module
from flowthings_like.transport.retry import Backoff
from tests.transport.records.scripted import REFUSED, Scripted, Session, record, records_server, reply

from .conftest import Connect
from .model import Model

ALL = Key.min(), Key.max()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF", Backoff(base=0.001, most=0.01))


def one(number: int) -> Record[bytes]:
    return Record(Key(1, number, 3, 4), b"%d" % number)


def mids(parts: list[Any]) -> list[int]:
    return [record.key.mid for part in parts for record in part]


def test_what_is_there_and_what_is_added(server: Scripted, channel: Channel[bytes]) -> None:
    assert channel.put([one(1), one(2)])
    found = []
    with Channel(server.host, server.port, BytesPayloadType()) as other:
        for part in channel.follow(*ALL, every=0.001):
            found.append(part)
            if len(found) == 3:
                break
            assert other.put([one(len(found) + 2)])
    assert mids(found) == [1, 2, 3, 4]


def test_going_on_from_a_saved_acq(channel: Channel[bytes]) -> None:
    assert channel.put([one(1)])
    follower = channel.follow(*ALL, every=0.001)
    assert mids([next(iter(follower))]) == [1]
    saved = follower.acq
    assert channel.put([one(2)])
    later = channel.follow(*ALL, every=0.001, acq=saved)
    assert mids([next(iter(later))]) == [2]
    again = channel.follow(*ALL, every=0.001, acq=saved)
    assert mids([next(iter(again))]) == [2]


def test_a_range_that_is_at_its_end(model: Model, channel: Channel[bytes]) -> None:
    """When all records before the upper acq have come, the loop ends."""
    assert channel.put([one(1)])
    assert channel.put([one(2)])
    end = model.clock - 1
    follower = channel.follow(Key.min(), Key.max()._replace(acq=end))
    assert mids(list(follower)) == [1]
    assert follower.acq == end
    assert mids(list(follower)) == []


def test_a_part_of_the_keys(channel: Channel[bytes]) -> None:
    assert channel.put([one(1), one(2), one(3)])
    follower = channel.follow(Key.min()._replace(mid=2), Key.max()._replace(mid=3), every=0.001)
    assert mids([next(iter(follower))]) == [2]


@pytest.mark.parametrize("strict", [False, True])
def test_windows_that_are_too_large_are_divided(strict: bool, server: Scripted) -> None:
    with Channel(server.host, server.port, BytesPayloadType(), 20.0, 300, strict=strict) as channel:
        for number in range(40):
            assert channel.put([one(number)])
        found, acqs = [], []
        follower = channel.follow(*ALL, every=0.001)
        for part in follower:
            found.append(part)
            acqs.append(follower.acq)
            if sum(map(len, found)) == 40:
                break
        assert mids(found) == list(range(40))
        assert acqs == sorted(set(acqs))


def test_records_of_one_moment_that_are_too_large(server: Scripted) -> None:
    with Channel(server.host, server.port, BytesPayloadType(), 20.0, 100) as channel:
        assert channel.put([one(number) for number in range(40)])
        with pytest.raises(NoMemory):
            list(channel.follow(*ALL))


def test_a_connection_that_breaks(model: Model) -> None:
    """It is made again, and nothing is missed or returned twice."""
    answers = 0

    def answer(session: Session, request: bytes) -> bytes | None:
        nonlocal answers
        answers += 1
        said = model.answer(session, request)
        if answers % 3 == 0 and said is not None and request[0] not in (5, 6):
            session.send(said[: len(said) // 2])
            return None
        return said

    with (
        records_server(answer) as server,
        Channel(server.host, server.port, BytesPayloadType(), 20.0) as channel,
    ):
        model.stored.extend((Key(1, 0, 3, 4, 50), b"") for _ in range(3))
        found: list[Any] = []
        for part in channel.follow(*ALL, every=0.001):
            found.append(part)
            if len(found) == 8:
                break
            model.stored.append((Key(1, len(found), 3, 4, model.clock), b""))
            model.clock += 1
        assert mids(found) == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
        assert len(server.sessions) > 3


def test_a_server_that_is_silent_for_a_while(model: Model) -> None:
    silent = 0

    def answer(session: Session, request: bytes) -> bytes | None:
        nonlocal silent
        if session.number == 0 and len(session.requests) == 2:
            silent += 1
            session.request()
        return model.answer(session, request)

    with (
        records_server(answer) as server,
        Channel(server.host, server.port, BytesPayloadType(), 0.05) as channel,
    ):
        model.stored.append((Key(1, 7, 3, 4, 50), b""))
        assert mids([next(iter(channel.follow(*ALL, every=0.001)))]) == [7]
        assert silent == 1


def test_closing_the_channel_ends_it(channel: Channel[bytes]) -> None:
    assert channel.put([one(1)])
    found = []
    thread = detect().spawn(lambda: found.extend(channel.follow(*ALL, every=0.001)))
    detect().sleep(0.05)
    channel.close()
    detect().get(thread, 20)
    assert mids(found) == [1]


def test_closing_the_follower_ends_it(channel: Channel[bytes]) -> None:
    follower = channel.follow(*ALL, every=0.001)
    thread = detect().spawn(lambda: list(follower))
    detect().sleep(0.02)
    follower.close()
    assert detect().get(thread, 20) == []
    assert channel.is_connected


def test_a_channel_that_was_never_connected(server: Scripted) -> None:
    channel = Channel(server.host, server.port, BytesPayloadType())
    with pytest.raises(Disconnected, match="connect"):
        list(channel.follow(*ALL))


def test_a_server_that_is_silent_at_first(connect: Connect) -> None:
    channel = connect(lambda session: [session.request(), session.request()], timeout=0.05)
    with pytest.raises(DeadlineExceeded):
        list(channel.follow(*ALL))


def test_a_server_that_refuses(connect: Connect) -> None:
    channel = connect(lambda session: [session.request(), session.send(REFUSED)])
    with pytest.raises(RecordsError, match="-1"):
        list(channel.follow(*ALL))


def test_records_that_cannot_be_read(connect: Connect) -> None:
    def script(session: Session) -> None:
        while (request := session.request()) is not None:
            bad = reply(record(Key(-5, 2, 3, 4, 5), b""))
            session.send(pack("<iQq", 0, 8, 100) if request[0] == 7 else bad)

    with pytest.raises(UnparseableEntity):
        list(connect(script).follow(*ALL))


@pytest.mark.parametrize(
    "options", [{"every": -1}, {"every": "1"}, {"acq": 2**63}, {"acq": "5"}, {"acq": 0.5}]
)
def test_arguments_that_cannot_be(options: Any, channel: Channel[bytes]) -> None:
    with pytest.raises(InvalidInput):
        channel.follow(*ALL, **options)


def test_an_acq_that_has_not_come_yet(model: Model, channel: Channel[bytes]) -> None:
    """A follower's acq may be ahead of the server's clock, after that was set back. It waits."""
    follower = channel.follow(*ALL, every=0.001, acq=model.clock + 1)

    def add() -> None:
        detect().sleep(0.02)
        for number in range(3):
            model.stored.append((Key(1, number, 3, 4, model.clock), b""))
            model.clock += 1

    adding = detect().spawn(add)
    assert mids([next(iter(follower))])[0] == 1
    detect().get(adding, 10)
