"""Calls that share a connection: their answers, cancelled calls, and the end of the connection."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import pytest

from flowthings_like import errors
from flowthings_like.green.backends.choice import detect
from flowthings_like.testing import Fault, FaultProxy
from flowthings_like.transport.things.connection import PacketConnection
from flowthings_like.transport.things.in_flight import IDS
from flowthings_like.wire.things.header import ProtocolError
from flowthings_like.wire.things.packages import Kind, Package, package
from tests.transport.support import sockets
from tests.transport.things.scripted_node import Session, echo, node, wait_until

from .conftest import Start

Connect = Callable[..., PacketConnection]


class Holding:
    """A node that keeps the requests, to answer them later."""

    def __init__(self) -> None:
        self.asked: list[Package] = []

    def __call__(self, session: Session, request: Package) -> bytes | None:
        if request.kind == Kind.PING:
            return echo(session, request)
        self.asked.append(request)
        return None

    def answers(self) -> list[bytes]:
        asked, self.asked = self.asked, []
        return [package(Kind.DATA, request.id, request.body) for request in asked]


def ask(connection: PacketConnection, number: int, within: float = 20.0) -> None:
    """A call whose answer must be its own."""
    body = b"%d" % number
    assert connection.call(Kind.QUERY, body, monotonic() + within).body == body


def test_answers_come_in_any_order(start: Start, connect: Connect) -> None:
    holding = Holding()
    with start(holding) as found:
        connection = connect(found.url)
        pool = detect().pool(50)
        threads = [pool.spawn(ask, connection, number) for number in range(50)]
        wait_until(lambda: len(holding.asked) == 50)
        answers = holding.answers()
        random.Random(1).shuffle(answers)
        for answer in answers:
            found.session().send(answer)
        for thread in threads:
            thread.get()


def test_errors_of_the_node_are_answers(connect: Connect) -> None:
    with node(lambda session, request: package(Kind.ERROR, request.id, b"\x80")) as found:
        assert connect(found.url).call(Kind.QUERY, b"", monotonic() + 30) == (Kind.ERROR, 0, b"\x80")


def test_a_pipeline_is_one_write(start: Start, connect: Connect) -> None:
    with start() as found:
        connection = connect(found.url)
        requests = [(Kind.PING, b""), *((Kind.QUERY, b"%d" % number) for number in range(9))]
        answers = connection.pipeline(requests, monotonic() + 30)
        assert [answer.body for answer in answers] == [body for _, body in requests]
        assert connection.statistics().writes == 1
        assert connection.pipeline([]) == []


def test_calls_of_one_turn_travel_together(connect: Connect) -> None:
    with node() as found:
        connection = connect(found.url)
        pool = detect().pool(500)
        for thread in [pool.spawn(ask, connection, number) for number in range(500)]:
            thread.get()
        if detect().is_cooperative:
            assert connection.statistics().writes < 50
        else:
            assert connection.statistics().writes <= 500


def test_a_late_answer_disturbs_nobody(start: Start, connect: Connect) -> None:
    holding = Holding()
    with start(holding) as found:
        connection = connect(found.url)
        with pytest.raises(errors.DeadlineExceeded) as caught:
            connection.call(Kind.QUERY, b"late", monotonic() + 0.05)
        assert caught.value.sent is True
        assert connection.in_flight == 1  # the node may still answer, so the id is not free
        (late,) = holding.answers()
        found.answer = echo
        for number in range(20):
            ask(connection, number)
        found.session().send(late)
        ask(connection, 21)
        wait_until(lambda: connection.in_flight == 0)
        assert connection.statistics().late == 1


def test_a_deadline_that_is_over_already(connect: Connect) -> None:
    with node(Holding()) as found, pytest.raises(errors.DeadlineExceeded):
        connect(found.url).call(Kind.QUERY, b"", monotonic() - 1)


def test_ids_in_flight_are_never_used_again(connect: Connect) -> None:
    """More calls are made than there are ids, while one is not answered."""
    asked: set[int] = set()
    holding = Holding()
    with node(holding) as found:
        connection = connect(found.url)
        hanging = detect().spawn(ask, connection, 1)
        wait_until(lambda: len(holding.asked) == 1)
        held = holding.asked[0].id

        def noting(session: Session, request: Package) -> bytes | None:
            asked.add(request.id)
            return echo(session, request)

        found.answer = noting
        for _ in range(0, IDS + 2000, 2000):
            connection.pipeline([(Kind.QUERY, b"")] * 2000, monotonic() + 30)
        assert asked == set(range(IDS)) - {held}
        found.session().send(holding.answers()[0])
        detect().get(hanging, 10)


def test_one_more_than_there_are_ids_waits(connect: Connect) -> None:
    """A call waits until an id is free."""
    holding = Holding()
    with node(holding) as found:
        connection = connect(found.url)
        calls = [connection.submit(Kind.QUERY) for _ in range(IDS)]
        wait_until(lambda: len(holding.asked) == IDS, within=60)
        assert len({request.id for request in holding.asked}) == IDS
        with pytest.raises(errors.DeadlineExceeded, match="65536 calls in flight") as caught:
            connection.call(Kind.QUERY, b"too late", monotonic() + 0.02)
        assert caught.value.sent is False
        waiting = detect().spawn(connection.call, Kind.QUERY, b"mine", monotonic() + 30)
        wait_until(lambda: connection.in_flight == IDS + 1)
        assert len(holding.asked) == IDS
        found.answer = echo
        freed = holding.asked[4711].id
        found.session().send(package(Kind.DATA, freed, b"free"))
        assert detect().get(waiting, 30).body == b"mine"
        assert [request.id for request in found.session().requests[IDS:]] == [freed]
        assert connection.result(calls[4711]).body == b"free"


@pytest.mark.parametrize("proxied", [False, True])
def test_a_thousand_in_flight_when_the_node_is_cut(proxied: bool, connect: Connect) -> None:
    holding = Holding()
    with node(holding) as found, FaultProxy(found.address) as proxy:
        ends: list[BaseException | None] = []
        connection = connect(f"things://{proxy.address}" if proxied else found.url, on_close=ends.append)
        pool = detect().pool(1000)
        outcomes: list[Any] = []

        def attempt(number: int) -> None:
            try:
                ask(connection, number)
                outcomes.append(number)
            except errors.ConnectionFailed as error:
                outcomes.append(error)

        threads = [pool.spawn(attempt, number) for number in range(1000)]
        wait_until(lambda: len(holding.asked) == 1000)
        found.session().send(b"".join(holding.answers()[:400]))
        if proxied:
            proxy.close()
        else:
            found.end()
        for thread in threads:
            thread.get()
        failures = [outcome for outcome in outcomes if not isinstance(outcome, int)]
        assert len(outcomes) == 1000
        assert len(failures) >= 600
        assert all(error.sent and "may have run" in str(error) for error in failures)
        assert len(set(map(id, failures))) == len(failures)  # each call has an exception of its own
        assert connection.wait_closed(10)
        assert len(ends) == 1
        assert isinstance(ends[0], OSError)
        assert connection.in_flight == 0


def test_close_ends_calls(start: Start, connect: Connect) -> None:
    holding = Holding()
    with start(holding) as found:
        ends: list[BaseException | None] = []
        connection = connect(found.url, on_close=ends.append)
        calling = detect().spawn(ask, connection, 1)
        wait_until(lambda: len(holding.asked) == 1)
        connection.close()
        connection.close()
        with pytest.raises(errors.ConnectionFailed, match=r"was closed.*may have run"):
            detect().get(calling, 10)
        assert connection.wait_closed(10)
        assert ends == [None]
        with pytest.raises(errors.ConnectionFailed) as caught:
            ask(connection, 2)
        assert caught.value.sent is False


def test_events_in_their_order_and_what_fails_on_one(start: Start, connect: Connect) -> None:
    seen: list[Any] = []

    def handle(event: Package) -> None:
        seen.append(event.body)
        if event.body == b"3":
            raise ValueError("not this one")

    with start() as found:
        connection = connect(found.url, on_event=handle)
        ask(connection, 1)
        for number in range(100):
            found.session().event(Kind.ROOM_EMIT, b"%d" % number)
        wait_until(lambda: len(seen) == 100)
        assert seen == [b"%d" % number for number in range(100)]
        ask(connection, 2)
        assert connection.statistics().events == 100


@pytest.mark.parametrize("tls", [False, True])
def test_small_packages_are_not_held_back(
    tls: bool, certificate: tuple[Path, Path], connect: Connect
) -> None:
    """A real node leaves Nagle's algorithm on: of two small packages the second one waits until the first is
    acknowledged, for 40 ms unless that is done at once. Here it would be 100 times."""

    def event_first(session: Session, request: Package) -> bytes:
        session.event(Kind.ROOM_EMIT)
        return package(Kind.OK, request.id)

    with node(event_first, tls=certificate if tls else None, nodelay=False) as found:
        connection = connect(found.url)
        seconds = []
        for _ in range(100):
            began = monotonic()
            connection.call(Kind.EMIT, b"", began + 10)
            seconds.append(monotonic() - began)
        assert median(seconds) < 0.03  # not their sum: on a busy machine some take long


def test_whoever_handles_events_may_call_and_wait(start: Start, connect: Connect) -> None:
    answered: list[int] = []
    with start() as found:

        def handle(event: Package) -> None:
            ask(connection, 7)
            answered.append(7)

        connection = connect(found.url, on_event=handle)
        ask(connection, 1)
        found.session().event(Kind.ROOM_EMIT)
        wait_until(lambda: answered == [7])


def test_garbage_ends_the_connection(connect: Connect) -> None:
    for said in (b"garbage!", package(Kind.DATA, 0, b"x" * 1001)):
        with node(lambda session, request, said=said: said) as found:  # type: ignore[misc]
            ends: list[BaseException | None] = []
            connection = connect(found.url, on_close=ends.append, max_body=1000)
            with pytest.raises(errors.ConnectionFailed, match="ProtocolError"):
                ask(connection, 1)
            assert connection.wait_closed(10)
            assert isinstance(ends[0], ProtocolError)


def test_an_answer_to_nobody_is_dropped(connect: Connect) -> None:
    with node() as found:
        connection = connect(found.url)
        ask(connection, 1)
        found.session().send(package(Kind.DATA, 999, b""))
        ask(connection, 2)
        assert connection.statistics().late == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.split(1), Fault.split(7), Fault.delay(0.05), Fault.lose_answer(9), Fault.lose_request(9)],
    ids=lambda fault: f"{fault.name}-{fault.pieces}",
)
def test_faults_on_the_way(fault: Fault, connect: Connect) -> None:
    with node() as found, FaultProxy(found.address, lambda number: fault) as proxy:
        for _ in range(3):
            connection = connect(f"things://{proxy.address}")
            with suppress(errors.ConnectionFailed):
                for number in range(5):
                    ask(connection, number)
            assert connection.closed == fault.name.startswith("lose")


def test_every_byte_of_the_answers_spoiled(connect: Connect) -> None:
    """The header of the first of two answers: each call has its own answer or an error, and none hangs."""
    for at in range(9):
        with node() as found, FaultProxy(found.address) as proxy:
            proxy.once(Fault.spoil(at))
            connection = connect(f"things://{proxy.address}")
            with suppress(errors.ConnectionFailed, errors.DeadlineExceeded):
                answer = connection.call(Kind.QUERY, b"1", monotonic() + 0.1)
                assert at == 8 or answer.body == b"1"
            connection.close()


def test_a_node_that_does_not_read(connect: Connect) -> None:
    """Sending never waits: each call ends at its own deadline, and says whether it was sent."""
    stop = threading.Event()

    def deaf(session: Session, request: Package) -> bytes | None:
        stop.wait(20)
        return echo(session, request)

    with node(deaf) as found:
        connection = connect(found.url)
        began = monotonic()
        body = b"x" * 4_000_000
        caught = []
        for _ in range(6):
            with pytest.raises(errors.DeadlineExceeded) as one:
                connection.call(Kind.QUERY, body, monotonic() + 0.05)
            caught.append(one.value.sent)
        assert monotonic() - began < 30
        assert caught[0] is True
        assert caught[-1] is False
        assert connection.in_flight < 6  # what was never sent leaves no id behind
        stop.set()
        ask(connection, 3)  # the stream is whole
        wait_until(lambda: connection.in_flight == 0)


def test_large_and_small_calls_through_a_narrow_pipe(start: Start, connect: Connect) -> None:
    with start() as found:
        connection = connect(found.url)
        pool = detect().pool(40)

        def one(number: int) -> None:
            body = b"%d" % number * (200_000 if number % 5 == 0 else 1)
            assert connection.call(Kind.QUERY, body, monotonic() + 30).body == body

        for thread in [pool.spawn(one, number) for number in range(100)]:
            thread.get()


def test_nothing_is_left_of_connections(start: Start, connect: Connect) -> None:
    with start() as found:
        connect(found.url)
        before, threads = sockets(), threading.active_count()
        for number in range(15):
            connection = connect(found.url)
            ask(connection, number)
            connection.close()
            assert connection.wait_closed(10)
        wait_until(lambda: sockets() <= before + 2)
        wait_until(lambda: threading.active_count() <= threads + 2)
