"""Interrupts at every place of a call: the call itself, and the calls beside and after it.

On gevent and eventlet a call runs once for each switch of green threads it makes, and is interrupted at that
one: by the library's Timeout, by a kill, by KeyboardInterrupt. On threads an exception as of a signal handler
comes at every place where one could run.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.testing import Fault, FaultProxy
from flowthings_like.transport import background_threads
from flowthings_like.transport import outbox as base_outbox
from flowthings_like.transport.grpc import call, channel, connection, connections, engine, outbox
from flowthings_like.transport.grpc.channel import Channel
from tests.grpc_server import Running
from tests.transport.http.test_interrupts import interrupt, interrupted_at
from tests.transport.opcodes import interrupted_at as interrupted_in

from .conftest import Connect
from .test_channel import BLOCKS, COUNT, ECHO, wait_until

green = pytest.mark.needs("green", "there are no switches of green threads here")
threads = pytest.mark.needs("threads", "the hub is no place for signals that raise")

HOWS = ["Timeout", "kill", "KeyboardInterrupt"]
WHATS = ["ask", "ask_a_lot", "read_a_stream", "leave_a_stream"]
MODULES = (channel, call, connection, connections, engine, outbox, base_outbox, background_threads)


class Caller:
    """Makes numbered calls, and checks that each gets its own answer."""

    def __init__(self, channel: Channel, server: Running) -> None:
        self.channel = channel
        self.server = server
        self.numbers = itertools.count(1)

    def ask(self) -> None:
        body = b"%d" % next(self.numbers)
        assert self.channel.unary(ECHO, body) == body

    def ask_a_lot(self) -> None:
        body = b"%d" % next(self.numbers) * 300_000
        assert self.channel.unary(ECHO, body) == body

    def read_a_stream(self) -> None:
        assert [int(number) for number in self.channel.stream(COUNT, b"20")] == list(range(20))

    def leave_a_stream(self) -> None:
        stream = self.channel.stream(BLOCKS, b"1000 100000")
        for _ in range(3):
            next(stream)
        stream.close()  # type: ignore[attr-defined]

    def check(self) -> None:
        """The next calls get their own answers, nothing stays in flight, and the connection is the same."""
        self.ask()
        self.read_a_stream()
        assert len(self.channel._connections.all()) == 1
        wait_until(lambda: self.channel._connections.all()[0].load == 0)
        wait_until(lambda: self.server.server.calls == 0)
        permits = self.channel._permits.statistics()
        assert permits.open == permits.idle


class Beside:
    """Makes calls in another thread, and keeps the exceptions."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
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


@pytest.fixture
def caller(channel: Channel, server: Running) -> Caller:
    made = Caller(channel, server)
    made.ask()
    return made


def every(interrupted: Callable[[int], bool], check: Callable[[], None]) -> int:
    """Interrupt at the first place, the second and so on, and check after each. Returns how many it was."""
    for at in itertools.count(1):
        reached = interrupted(at)
        check()
        if not reached:
            return at
    raise AssertionError


@green
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("what", WHATS)
def test_every_switch_of_a_call(caller: Caller, how: str, what: str) -> None:
    first = caller.channel._connections.all()
    for _ in range(2):
        assert every(lambda at: interrupted_at(at, how, getattr(caller, what)), caller.check) > 1
    assert caller.channel._connections.all() == first


@green
@pytest.mark.parametrize("how", HOWS)
def test_every_switch_of_one_among_many(caller: Caller, how: str) -> None:
    """Other calls are made in the same rounds of the hub, and sent with the same writes."""
    library = detect()

    def interrupted(at: int) -> bool:
        others: list[Any] = [library.spawn(caller.ask) for _ in range(10)]
        others.append(library.spawn(caller.ask_a_lot))
        reached = interrupted_at(at, how, caller.ask_a_lot)
        for other in others:
            library.get(other, 30)
        return reached

    every(interrupted, caller.check)


@green
@pytest.mark.parametrize("how", HOWS)
def test_every_switch_of_a_first_call(connect: Connect, server: Running, how: str) -> None:
    """The attempt to connect goes on for the next caller."""

    def interrupted(at: int) -> bool:
        caller = Caller(connect((server.host, server.port)), server)
        reached = interrupted_at(at, how, caller.ask)
        caller.check()
        caller.channel.close()
        return reached

    assert every(interrupted, lambda: None) > 1


@green
@pytest.mark.parametrize("how", HOWS)
def test_a_server_whose_answers_come_in_pieces(connect: Connect, server: Running, how: str) -> None:
    with FaultProxy(f"{server.host}:{server.port}", lambda number: Fault.split(3)) as proxy:
        host, _, port = proxy.address.partition(":")
        caller = Caller(connect((host, int(port))), server)
        caller.ask()
        every(lambda at: interrupted_at(at, how, caller.ask), caller.check)


@threads
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("what", ["ask", "leave_a_stream"])
def test_an_interrupt_at_every_step_of_a_call(caller: Caller, module: ModuleType, what: str) -> None:
    """At each place where a signal handler could raise: no call of another thread fails or waits for ever."""
    first = caller.channel._connections.all()
    beside = Beside(caller)
    with beside.calling():
        every(lambda at: interrupted_in(at, module, getattr(caller, what)), caller.ask)
    assert beside.failures == []
    caller.check()
    assert caller.channel._connections.all() == first


@threads
@pytest.mark.parametrize("module", [channel, connections, background_threads], ids=lambda each: each.__name__)
def test_an_interrupt_at_every_step_of_a_first_call(
    connect: Connect, server: Running, module: ModuleType
) -> None:
    def interrupted(at: int) -> bool:
        caller = Caller(connect((server.host, server.port)), server)
        reached = interrupted_in(at, module, caller.ask)
        caller.check()
        interrupted_in(at, module, caller.channel.close)
        caller.channel.close()
        return reached

    assert every(interrupted, lambda: None) > 1


@threads
@pytest.mark.exhaustive
# The signal may come while the garbage collector calls back, where nothing can be raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", WHATS)
def test_a_signal_at_any_time(caller: Caller, what: str) -> None:
    """Another thread uses the same connection, and none of its calls fails."""
    first = caller.channel._connections.all()
    beside = Beside(caller)
    with beside.calling():
        interrupt(300, getattr(caller, what), lambda: None, caller.ask)
    assert beside.failures == []
    caller.check()
    assert caller.channel._connections.all() == first


@threads
def test_a_thread_that_cannot_be_started(
    connect: Connect, server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a thread is started: that call fails, and the next one works."""
    start = threading.Thread.start
    for at in itertools.count(1):
        started = itertools.count(1)

        def refuse_one(thread: threading.Thread) -> None:
            if thread.name == "flowthings-spawned" and next(started) == at:  # noqa: B023
                raise RuntimeError("can't start new thread")
            start(thread)

        caller = Caller(connect((server.host, server.port), timeout=5.0), server)
        monkeypatch.setattr(threading.Thread, "start", refuse_one)
        with suppress(RuntimeError):
            caller.ask()
        caller.ask()
        monkeypatch.undo()
        caller.channel.close()
        if next(started) <= at:
            break
    assert at > 2
