"""Exchanges that are interrupted everywhere, thousands of times, and what is left afterwards.

After each interrupt the next request gets its own answer, no socket is left over, and the numbers are right.

On gevent and eventlet an exchange runs once for each switch of green threads it makes, and is interrupted at
that one: by the library's Timeout, by a kill, by KeyboardInterrupt. On threads a signal with a handler that
raises comes at a few hundred moments spread over an exchange.
"""

from __future__ import annotations

import gc
import itertools
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests

from flowthings_like.green.backends import choice as backend
from flowthings_like.transport.connection_pool import Pool
from flowthings_like.transport.http import native_transport
from flowthings_like.transport.http.sender import HTTPSender

from ..support import Slow, number_in, slow_server, sockets

pytestmark = [
    pytest.mark.exhaustive,
    # An interrupt between two steps of the standard library may leave a socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BACKEND = backend.detect().name
TIMEOUT = (10.0, 10.0)
green = pytest.mark.needs("green", "there are no switches of green threads here")
threads = pytest.mark.needs("threads", "the hub is no place for signals that raise")


class Interrupted(BaseException):
    """What the signal handler raises."""


@pytest.fixture(scope="module", params=["plain", "tls"])
def slow(request: Any, certificate: tuple[Path, Path]) -> Iterator[Slow]:
    with slow_server(certificate if request.param == "tls" else None) as server:
        server.bundle = str(certificate[0])
        yield server


class Caller:
    """Makes requests that are numbered, and checks that the answers are, too."""

    def __init__(self, slow: Slow, sender: HTTPSender) -> None:
        self.slow = slow
        self.sender = sender
        self.numbers = itertools.count(1)
        self.sockets_before = sockets()

    def ask(self, how: str = "slow") -> None:
        number = next(self.numbers)
        text, _, status = self.sender("GET", f"{self.slow.url}/{how}/{number}", timeout=TIMEOUT)
        assert (status, number_in(text)) == (200, number)

    @property
    def pool(self) -> Pool[Any]:
        (pool,) = self.sender.pools
        return pool

    def check(self) -> None:
        """The next request gets its own answer; sockets and numbers add up."""
        self.ask("quick")
        found = self.pool.statistics()
        assert found.waiting == 0
        assert found.open == found.idle
        assert found.opened == found.open + found.expired + found.discarded
        assert sockets() - self.sockets_before == found.open

    def check_the_other_end(self) -> None:
        """The server sees as many connections as this end has."""
        expected = self.pool.statistics().open
        over = time.monotonic() + 20
        while (found := self.slow.connections()) != expected:
            assert time.monotonic() < over, f"{found} connections there, {expected} here"
            time.sleep(0.005)


@pytest.fixture
def caller(slow: Slow) -> Iterator[Caller]:
    sender = HTTPSender(verify_ssl=slow.bundle)
    caller = Caller(slow, sender)
    caller.ask("quick")
    yield caller
    sender.close()


def interrupted_at(at: int, how: str, work: Callable[[], None]) -> bool:
    """Run `work` in a green thread and interrupt it at its at-th switch. False if it has fewer."""
    import greenlet

    thread, start, later, timeout = _green_thread(work)
    errors = {"Timeout": timeout, "kill": greenlet.GreenletExit()}
    error = errors.get(how) or KeyboardInterrupt()
    switches = 0

    def throw() -> None:
        if not thread.dead:
            thread.throw(error)

    def trace(event: str, args: tuple[Any, Any]) -> None:
        nonlocal switches
        if args[0] is thread and not thread.dead:
            switches += 1
            if switches == at:
                later(throw)

    before = greenlet.settrace(trace)
    try:
        start()
    finally:
        greenlet.settrace(before)
    return switches >= at


def _green_thread(work: Callable[[], None]) -> tuple[Any, Callable[[], object], Callable[..., object], Any]:
    """One that will run `work`; what runs it to its end; what calls a function in the hub; a time-out."""
    if BACKEND == "gevent":
        import gevent

        greenlet = gevent.Greenlet(_expecting, work)

        def start() -> None:
            greenlet.start()
            greenlet.join()

        return greenlet, start, gevent.get_hub().loop.run_callback, gevent.Timeout(60)
    from eventlet import Timeout, hubs
    from eventlet.greenthread import GreenThread

    timeout = Timeout(60)
    timeout.cancel()
    hub = hubs.get_hub()
    thread = GreenThread(hub.greenlet)
    hub.schedule_call_global(0, thread.switch, _expecting, (work,), {})
    return thread, thread.wait, partial(hub.schedule_call_global, 0), timeout


def _expecting(work: Callable[[], None]) -> None:
    """What the transport makes of an interrupt must not hide it."""
    from greenlet import GreenletExit

    with suppress(GreenletExit, KeyboardInterrupt, green_timeout()):
        work()


def green_timeout() -> type[BaseException]:
    kind: type[BaseException] = import_module(BACKEND).Timeout
    return kind


@green
@pytest.mark.parametrize("how", ["Timeout", "kill", "KeyboardInterrupt"])
@pytest.mark.parametrize("start", ["connected", "unconnected"])
def test_every_switch_of_an_exchange(caller: Caller, how: str, start: str) -> None:
    points = 0
    while points < 50:
        for at in itertools.count(1):
            if start == "unconnected":
                caller.pool.close()
            if not interrupted_at(at, how, caller.ask):
                break
            points += 1
            caller.check()
    caller.check_the_other_end()


@green
@pytest.mark.parametrize("how", ["Timeout", "kill", "KeyboardInterrupt"])
def test_every_switch_of_one_who_waits_for_a_connection(
    slow: Slow, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only connection is in use, and two more wait behind the one that is interrupted."""
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    caller = Caller(slow, HTTPSender(verify_ssl=slow.bundle))
    library = backend.detect()
    points = 0
    while points < 24:
        for at in itertools.count(1):
            others = [library.spawn(caller.ask)]
            library.sleep(0)
            reached = interrupted_at(at, how, partial(wait_in_line, caller, others))
            for other in others:
                library.get(other, 30)
            caller.check()
            if not reached:
                break
            points += 1
    caller.check_the_other_end()
    caller.sender.close()


def wait_in_line(caller: Caller, others: list[Any]) -> None:
    others.extend(backend.detect().spawn(caller.ask) for _ in range(2))
    caller.ask()


@green
@pytest.mark.parametrize("kind", ["requests", "session"])
@pytest.mark.parametrize("how", ["Timeout", "kill", "KeyboardInterrupt"])
def test_every_switch_of_an_exchange_through_requests(slow: Slow, how: str, kind: str) -> None:
    with requests.Session() as session:
        caller = Caller(slow, through_requests(slow, kind, session))
        points = 0
        while points < 14:
            for at in itertools.count(1):
                if not interrupted_at(at, how, caller.ask):
                    break
                points += 1
                caller.ask("quick")
            gc.collect()
            assert sockets() - caller.sockets_before <= 1
        caller.sender.close()


def through_requests(slow: Slow, kind: str, session: requests.Session) -> HTTPSender:
    if kind == "session":
        return HTTPSender(session, verify_ssl=slow.bundle)
    return HTTPSender(transport="requests", verify_ssl=slow.bundle)


class Alarm:
    """A signal that raises Interrupted once, some time from now, if that is still within the block.

    Not within `threading` and `queue`: a signal between the acquisition of a Condition and the block that
    releases it leaves it locked for good, and the pools of urllib3 are queues. That is why ours is none.
    """

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.armed = False

    def ring(self, number: int, frame: Any) -> None:
        if frame.f_code.co_filename in (queue.__file__, threading.__file__):
            signal.setitimer(signal.ITIMER_REAL, 0.00002)
        elif self.armed:
            self.armed = False
            raise Interrupted

    def interrupts(self, work: Callable[[], None]) -> bool:
        before = signal.signal(signal.SIGALRM, self.ring)
        try:
            try:
                self.armed = True
                signal.setitimer(signal.ITIMER_REAL, self.delay)
                work()
            finally:
                self.armed = False
        except Interrupted:
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return False


def interrupt(
    count: int, work: Callable[[], None], before: Callable[[], None], after: Callable[[], None]
) -> None:
    """Interrupt `work` so many times, at moments spread over the time that it takes here."""
    took = []
    for _ in range(5):
        before()
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    longest = sorted(took)[2]
    for number in itertools.count():
        if count <= 0:
            return
        before()
        # Multiples of the golden ratio, cut to their fractions, are evenly spread however many there are.
        count -= Alarm(longest * (number * 0.6180339887 % 1) + 1e-6).interrupts(work)
        after()


def nothing() -> None:
    pass


@threads
@pytest.mark.parametrize("start", ["connected", "unconnected"])
def test_a_signal_at_any_time(caller: Caller, start: str) -> None:
    before = caller.pool.close if start == "unconnected" else nothing
    interrupt(400, caller.ask, before, caller.check)
    caller.check_the_other_end()


@threads
def test_a_signal_while_waiting_for_a_connection(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads use the only connection all the time, and the main thread is interrupted in the queue."""
    monkeypatch.setattr(native_transport, "POOL_SIZE", 1)
    caller = Caller(slow, HTTPSender(verify_ssl=slow.bundle))
    caller.ask("quick")
    library = backend.detect()
    stopping = False

    def busy() -> None:
        while not stopping:
            caller.ask("quick")

    workers = [library.spawn(busy) for _ in range(2)]
    interrupt(200, partial(caller.ask, "quick"), nothing, nothing)
    stopping = True
    for worker in workers:
        library.get(worker, 30)
    caller.check()
    caller.check_the_other_end()
    caller.sender.close()
