"""Calls that are interrupted everywhere: no later call gets an earlier one's reply, and no socket is left.

On gevent and eventlet a call runs once for each switch of green threads it makes, and is interrupted at that
one. On threads an exception as of a signal handler comes at every place where one could run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from struct import pack, unpack_from
from typing import Any

import pytest

from flowthings_like import records as flat
from flowthings_like.green.backends.choice import detect
from flowthings_like.records import BytesPayloadType, Channel, Key, PayloadType, Record, ResponseAcq
from flowthings_like.services.records import (
    api_client,
    channel,
    exchanges,
    follower,
    getting,
    putting,
    record_calls,
)
from flowthings_like.services.records.api_client import Records
from flowthings_like.services.records.endpoints import Endpoint
from flowthings_like.transport.records import connection
from tests.transport.http.test_interrupts import interrupt, interrupted_at
from tests.transport.opcodes import interrupted_at as interrupted_in
from tests.transport.support import sockets

from .scripted import Scripted, Session, record, reply, scripted

pytestmark = [
    # An interrupt between two steps may leave a socket to the garbage collector, or end a generator there.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
green = pytest.mark.needs("green", "there are no switches of green threads here")
threads = pytest.mark.needs("threads", "the hub is no place for signals that raise")

HOWS = ["Timeout", "kill", "KeyboardInterrupt"]
WHATS = ["get", "get_acq", "put", "get_iter", "get_stream", "leave_an_iterator", "get_much", "put_much"]
MODULES = (connection, exchanges, record_calls, channel, api_client, getting, putting)
PAYLOAD = bytes(1000)


def script(session: Session) -> None:
    """Answers with the number that was asked for, in pieces."""
    while True:
        request = session.request()
        (command,) = unpack_from("<i", request)
        if command == 7:
            said = pack("<iQq", 0, 8, unpack_from("<q", request, 16)[0])
        elif command == 1:
            (number,) = unpack_from("<q", request, 16)
            count = number % 1000
            said = reply(*[record(Key(1, number, 3, 4, 5), PAYLOAD)] * count, acq=number)
        else:
            said = pack("<iQqq", 0, 16, 1, 1)
        size = max(1, len(said) // 3)
        for start in range(0, len(said), size):
            session.send(said[start : start + size])
            detect().sleep(0)


class Caller:
    """Makes numbered calls, and checks that each gets its own answer."""

    def __init__(self, made: Any, server: Scripted, before: int) -> None:
        self.made = made
        self.server = server
        self.before = before
        self.numbers = itertools.count(1)

    def range(self, count: int = 0) -> tuple[Key, Key]:
        return Key(1, next(self.numbers) * 1000 + count, 3, 4, 5), Key.max()

    def get(self, count: int = 20) -> None:
        asked = self.range(count)
        answer = self.made.get(*asked)
        assert (answer.status, answer.reason, answer.acq, len(answer.data)) == (0, "", asked[0].mid, count)
        assert {record.key.mid for record in answer.data} == {asked[0].mid}

    def get_acq(self) -> None:
        asked = self.range()
        assert self.made.get_acq(*asked) == ResponseAcq(flat.ResponseStatus.OK, asked[0].mid)

    def put(self, count: int = 3) -> None:
        assert self.made.put([Record(Key(1, 2, 3, 4), b"abc")] * count)

    def get_iter(self) -> None:
        asked = self.range(20)
        *found, answer = self.made.get_iter(*asked)
        assert (len(found), answer.acq) == (20, asked[0].mid)

    def get_stream(self) -> None:
        parts: list[Any] = []
        asked = self.range(20)
        assert self.made.get_stream(*asked, parts.append).acq == asked[0].mid
        assert sum(map(len, parts)) == 20

    def leave_an_iterator(self) -> None:
        records = self.made.get_iter(*self.range(500))
        next(records)
        records.close()

    def get_much(self) -> None:
        self.get(900)

    def put_much(self) -> None:
        assert self.made.put([Record(Key(1, 2, 3, 4), PAYLOAD)] * 5000)

    def check(self) -> None:
        """A next call gets its own answer, once it is connected, and there is one socket."""
        if isinstance(self.made, Channel) and not self.made.is_connected:
            assert self.made.get_acq(*self.range()).status == 128
            assert self.made.connect()
        self.get(5)
        self.get_acq()
        pool = self.made._pool if isinstance(self.made, Channel) else self.made._records._pool
        found = pool.statistics()
        assert (found.open, found.idle, found.waiting) == (1, 1, 0)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted(script) as made:
        yield made


@pytest.fixture(params=["channel", "api"])
def caller(request: Any, server: Scripted) -> Iterator[Caller]:
    payload_type: PayloadType[bytes] = BytesPayloadType()
    before = sockets()
    if request.param == "channel":
        with Channel(server.host, server.port, payload_type, 30.0) as made:
            yield Caller(made, server, before)
    else:
        records = Records(lambda: Endpoint(server.host, server.port), timeout=30.0)
        made_by_api = Caller(records(payload_type), server, before)
        made_by_api.get_acq()
        yield made_by_api
        records.close()


def every(interrupted: Callable[[int], bool], check: Callable[[], None], step: int = 1) -> int:
    """Interrupt at the first place, the second and so on, and check after each. Returns how many it was."""
    for at in itertools.count(1, step):
        reached = interrupted(at)
        check()
        if not reached:
            return at
    raise AssertionError


@green
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("what", WHATS)
def test_every_switch_of_a_call(caller: Caller, how: str, what: str) -> None:
    assert every(lambda at: interrupted_at(at, how, getattr(caller, what)), caller.check) > 1


@green
@pytest.mark.parametrize("how", HOWS)
def test_every_switch_of_connecting(server: Scripted, how: str) -> None:
    def interrupted(at: int) -> bool:
        made: Channel[bytes] = Channel(server.host, server.port, BytesPayloadType(), 30.0)
        reached = interrupted_at(at, how, lambda: made.connect() and None)
        Caller(made, server, 0).check()
        made.close()
        return reached

    assert every(interrupted, lambda: None) > 1


@green
@pytest.mark.parametrize("how", HOWS)
def test_every_switch_of_one_who_waits_for_the_channel(server: Scripted, how: str) -> None:
    with Channel(server.host, server.port, BytesPayloadType(), 30.0) as made:
        caller = Caller(made, server, 0)

        def wait_in_line() -> None:
            caller.get_acq()

        def interrupted(at: int) -> bool:
            others = [detect().spawn(caller.get)]
            detect().sleep(0)
            others.append(detect().spawn(caller.get_acq))
            reached = interrupted_at(at, how, wait_in_line)
            failed = []
            for other in others:
                try:
                    detect().get(other, 30)
                except AssertionError as error:  # the channel was closed before its turn
                    failed.append(error)
            if not failed:
                assert made.is_connected or reached
            return reached

        assert every(interrupted, caller.check) > 1


@threads
@pytest.mark.parametrize("what", ["get", "put", "get_iter", "leave_an_iterator"])
def test_an_interrupt_at_every_step_of_a_call(caller: Caller, what: str) -> None:
    assert every(lambda at: interrupted_in(at, MODULES, getattr(caller, what)), caller.check) > 20


@threads
@pytest.mark.exhaustive
@pytest.mark.parametrize("what", WHATS)
def test_a_signal_at_any_time(caller: Caller, what: str) -> None:
    interrupt(200, getattr(caller, what), lambda: None, caller.check)


@threads
def test_an_interrupt_at_every_step_of_connecting_and_closing(server: Scripted) -> None:
    def interrupted(at: int) -> bool:
        made: Channel[bytes] = Channel(server.host, server.port, BytesPayloadType(), 30.0)

        def work() -> None:
            made.connect()
            made.close()

        reached = interrupted_in(at, MODULES, work)
        made.connect()
        Caller(made, server, 0).check()
        made.close()
        assert not made.is_connected
        return reached

    before = sockets()
    assert every(interrupted, lambda: None) > 20
    assert sockets() <= before + 2  # the server's end of the last one may be open yet


@threads
def test_an_interrupt_at_every_step_of_following(server: Scripted) -> None:
    """What a follower has returned is never behind its acq, and nothing before its acq is missing."""
    rounds = itertools.count(1)

    def interrupted(at: int) -> bool:
        with Channel(server.host, server.port, BytesPayloadType(), 30.0) as made:
            number = next(rounds) * 1000 + 3
            follow = made.follow(Key(1, number, 3, 4, 5), Key.max()._replace(acq=number))
            found: list[Any] = []
            reached = interrupted_in(at, (follower, record_calls), lambda: found.extend(follow))
            if not reached:
                assert [len(part) for part in found] == [3]
            assert (follow.acq == number) >= bool(found)
        return reached

    assert every(interrupted, lambda: None) > 20
