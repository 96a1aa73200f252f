"""Calls that are interrupted everywhere, and the calls beside and after them.

On gevent and eventlet a call runs once for each switch of green threads it makes, and is interrupted at that
one: by the library's Timeout, by a kill, by KeyboardInterrupt. On threads a signal with a handler that raises
comes at a few hundred moments spread over a call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from flowthings_like import errors
from flowthings_like.green.backend import detect
from flowthings_like.testing import Fault, FaultProxy
from flowthings_like.transport.packets import PacketConnection
from flowthings_like.wire.things import Kind
from tests.things.support import Session, echo, node, wait_until
from tests.transport.test_interrupts import interrupt, interrupted_at

from .conftest import Start

Connect = Callable[..., PacketConnection]
BACKEND = detect().name
green = pytest.mark.skipif(BACKEND == "threads", reason="there are no switches of green threads here")
threads = pytest.mark.skipif(BACKEND != "threads", reason="the hub is no place for signals that raise")

HOWS = ["Timeout", "kill", "KeyboardInterrupt"]


class Caller:
    """Makes calls that are numbered, and checks that the answers are, too."""

    def __init__(self, connection: PacketConnection) -> None:
        self.connection = connection
        self.numbers = itertools.count(1)

    def ask(self) -> None:
        body = b"%d" % next(self.numbers)
        assert self.connection.call(Kind.QUERY, body, monotonic() + 20).body == body

    def ask_a_lot(self) -> None:
        body = b"%d" % next(self.numbers) * 700_000
        assert self.connection.call(Kind.QUERY, body, monotonic() + 20).body == body

    def ask_several(self) -> None:
        bodies = [b"%d" % next(self.numbers) for _ in range(5)]
        answers = self.connection.pipeline([(Kind.QUERY, body) for body in bodies], monotonic() + 20)
        assert [answer.body for answer in answers] == bodies

    def check(self) -> None:
        """The next calls get their own answers, and nothing stays in flight."""
        self.ask()
        self.ask_several()
        wait_until(lambda: self.connection.in_flight == 0)


@green
@pytest.mark.parametrize("kind", ["tcp", "wss"], indirect=True)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("what", ["ask", "ask_a_lot", "ask_several"])
def test_every_switch_of_a_call(start: Start, connect: Connect, how: str, what: str) -> None:
    with start() as found:
        caller = Caller(connect(found.url))
        for _ in range(2):
            for at in itertools.count(1):
                reached = interrupted_at(at, how, getattr(caller, what))
                caller.check()
                if not reached:
                    break
            assert at > 1
        assert not caller.connection.closed


@green
@pytest.mark.parametrize("how", HOWS)
def test_every_switch_of_one_among_many(connect: Connect, how: str) -> None:
    """Others call in the same turns of the hub, and travel in the same writes."""
    with node() as found:
        caller = Caller(connect(found.url))
        library = detect()
        for at in itertools.count(1):
            others: list[Any] = [library.spawn(caller.ask) for _ in range(10)]
            reached = interrupted_at(at, how, caller.ask)
            for other in others:
                library.get(other, 30)
            caller.check()
            if not reached:
                break


@threads
@pytest.mark.exhaustive
# The signal may come while the garbage collector calls back, where nothing can be raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("what", ["ask", "ask_a_lot", "ask_several"])
def test_a_signal_at_any_time(connect: Connect, what: str) -> None:
    """A connection that was interrupted with half a package sent is closed; any other goes on."""
    with node() as found:
        connections: list[PacketConnection] = [connect(found.url)]

        def work() -> None:
            with suppress(errors.ConnectionFailed):
                getattr(Caller(connections[-1]), what)()

        def after() -> None:
            if connections[-1].closed:
                connections.append(connect(found.url))
            Caller(connections[-1]).ask()

        interrupt(300, work, lambda: None, after)
        assert len(connections) < 100
        # An id is lost where the signal comes between two steps of taking or giving it, not more often.
        assert connections[-1].in_flight < 10


@green
@pytest.mark.parametrize("how", HOWS)
def test_a_node_that_answers_in_pieces(connect: Connect, how: str) -> None:
    with node() as found, FaultProxy(found.address, lambda number: Fault.split(3)) as proxy:
        caller = Caller(connect(f"things://{proxy.address}"))
        for at in itertools.count(1):
            reached = interrupted_at(at, how, caller.ask)
            caller.check()
            if not reached:
                break


def test_one_who_waits_for_an_answer_that_never_comes(connect: Connect) -> None:
    """Given up by a deadline around it, and nobody else notices."""

    def deaf_to_x(session: Session, request: Any) -> bytes | None:
        return None if request.body == b"x" else echo(session, request)

    with node(deaf_to_x) as found:
        caller = Caller(connect(found.url))
        for _ in range(20):
            with pytest.raises(errors.DeadlineExceeded):
                caller.connection.call(Kind.QUERY, b"x", monotonic() + 0.005)
            caller.ask()
        assert caller.connection.in_flight == 20
