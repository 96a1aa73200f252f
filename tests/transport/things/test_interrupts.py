"""Interrupts at every place of a call: the call itself, and the calls beside and after it.

On gevent and eventlet a call runs once for each switch of green threads it makes, and is interrupted at that
one: by the library's Timeout, by a kill, by KeyboardInterrupt. On threads a signal with a handler that raises
comes at a few hundred moments spread over a call.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import ModuleType
from typing import Any

import pytest

from flowthings_like import errors
from flowthings_like.green.backends import _primitives
from flowthings_like.green.backends.choice import detect
from flowthings_like.testing import Fault, FaultProxy
from flowthings_like.transport import background_threads, reconnect
from flowthings_like.transport.things import connection as packets
from flowthings_like.transport.things import in_flight, manager, outbox, supervisor
from flowthings_like.transport.things.connection import PacketConnection
from flowthings_like.transport.things.endpoints import parse_endpoint
from flowthings_like.wire.things.packages import Kind
from tests.transport.http.test_interrupts import interrupt, interrupted_at
from tests.transport.opcodes import interrupted_at as interrupted_in
from tests.transport.things.scripted_node import Session, echo, node, wait_until

from .conftest import Start

Connect = Callable[..., PacketConnection]
BACKEND = detect().name
green = pytest.mark.needs("green", "there are no switches of green threads here")
threads = pytest.mark.needs("threads", "the hub is no place for signals that raise")


class Beside:
    """Makes calls in another thread, and keeps the exceptions."""

    def __init__(self, connection: PacketConnection) -> None:
        self.caller = Caller(connection)
        self.failures: list[BaseException] = []
        self.over = False

    @contextmanager
    def calling(self) -> Iterator[None]:
        thread = threading.Thread(target=self.call, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.over = True
            thread.join(30)
            assert not thread.is_alive(), "a call of another thread hangs"

    def call(self) -> None:
        while not self.over:
            try:
                self.caller.ask()
            except BaseException as error:
                self.failures.append(error)
                return


HOWS = ["Timeout", "kill", "KeyboardInterrupt"]


class Caller:
    """Makes numbered calls, and checks that each gets its own answer."""

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
    """Other calls are made in the same rounds of the hub, and sent with the same writes."""
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
@pytest.mark.parametrize("kind", ["tcp", "wss"], indirect=True)
@pytest.mark.parametrize("what", ["ask", "ask_a_lot", "ask_several"])
def test_a_signal_at_any_time(start: Start, connect: Connect, what: str) -> None:
    """Another thread uses the same connection, and none of its calls fails."""
    with start() as found:
        connection = connect(found.url)
        caller, beside = Caller(connection), Beside(connection)
        with beside.calling():
            interrupt(300, getattr(caller, what), lambda: None, caller.ask)
        caller.check()
        assert not connection.closed
        assert beside.failures == []


@threads
@pytest.mark.parametrize("what", ["ask", "ask_several"])
def test_an_interrupt_at_every_step_of_a_call(connect: Connect, what: str) -> None:
    """At each place where a signal handler could raise: no call of another thread fails or waits for ever,
    and no id is lost."""
    with node() as found:
        connection = connect(found.url)
        caller, beside = Caller(connection), Beside(connection)
        with beside.calling():
            for module in (packets, outbox, in_flight, background_threads):
                for at in itertools.count(1):
                    reached = interrupted_in(at, module, getattr(caller, what))
                    caller.check()
                    if not reached:
                        break
                assert at > 1 or module is in_flight
        assert not connection.closed
        assert beside.failures == []


@threads
@pytest.mark.parametrize("module", [manager, reconnect, supervisor, background_threads])
def test_an_interrupt_at_every_step_of_getting_a_connection(module: ModuleType) -> None:
    """The next caller gets one, even if the interrupt came while the thread was being started."""
    with node() as found:
        endpoints = [parse_endpoint(found.url)]
        for at in itertools.count(1):
            one = supervisor.Supervisor(
                lambda: endpoints, hello=lambda *_: None, on_event=lambda *_: None, backoff=lambda _: 0.0
            )
            reached = interrupted_in(at, module, one.connection, monotonic() + 30)
            got: list[PacketConnection] = []
            beside = threading.Thread(target=lambda: got.append(one.connection(monotonic() + 30)))  # noqa: B023
            beside.start()
            beside.join(20)
            assert got
            assert got[0].call(Kind.QUERY, b"1", monotonic() + 30).body == b"1"
            interrupted_in(at, module, one.close)
            one.close()
            assert one.wait_closed(10)
            if not reached:
                break


@threads
def test_a_thread_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a thread is started: that call fails, and the next one works."""
    start = threading.Thread.start
    with node() as found:
        endpoints = [parse_endpoint(found.url)]
        for at in itertools.count(1):
            started = itertools.count(1)

            def refuse_one(thread: threading.Thread) -> None:
                if thread.name == "flowthings-spawned" and next(started) == at:  # noqa: B023
                    raise RuntimeError("can't start new thread")
                start(thread)

            one = supervisor.Supervisor(
                lambda: endpoints, hello=lambda *_: None, on_event=lambda *_: None, backoff=lambda _: 0.0
            )
            monkeypatch.setattr(threading.Thread, "start", refuse_one)
            for _ in range(2):
                with suppress(RuntimeError):
                    Caller(one.connection(monotonic() + 30)).ask()
                before = one.connection(monotonic() + 30)
                Caller(before).ask()
                found.end()
                wait_until(lambda: before.closed)  # noqa: B023
            one.close()
            assert one.wait_closed(10)
            monkeypatch.undo()
            if next(started) <= at:
                break
        assert at > 3


@threads
@pytest.mark.parametrize("what", ["wait", "set"])
def test_an_interrupt_at_every_step_of_an_event(what: str) -> None:
    """Others can still set it, and wait for it."""
    for module in (_primitives, threading):
        for at in itertools.count(1):
            event = detect().event()
            reached = interrupted_in(at, module, event.wait, 1e-6) if what == "wait" else False
            reached = interrupted_in(at, module, event.set) if what == "set" else reached
            waiting = threading.Thread(target=event.wait, daemon=True)
            setting = threading.Thread(target=event.set, daemon=True)
            for thread in (waiting, setting):
                thread.start()
            for thread in (waiting, setting):
                thread.join(30)
                assert not thread.is_alive()
            if not reached:
                break


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
    """A call that ends at its deadline does not affect others."""

    def deaf_to_x(session: Session, request: Any) -> bytes | None:
        return None if request.body == b"x" else echo(session, request)

    with node(deaf_to_x) as found:
        caller = Caller(connect(found.url))
        for _ in range(20):
            with pytest.raises(errors.DeadlineExceeded):
                caller.connection.call(Kind.QUERY, b"x", monotonic() + 0.005)
            caller.ask()
        assert caller.connection.in_flight == 20
