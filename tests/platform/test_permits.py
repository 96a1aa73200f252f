"""Permits for expensive work: which work gets one, which waits, and which is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowthings_like.platform.permits import PermitLimits, Permits
from flowthings_like.platform.problems import TooManyRequests, Unavailable

FEW = PermitLimits(per_caller=2, total=3, waiting=5, timeout=30)
IMPATIENT = PermitLimits(per_caller=2, total=3, waiting=1, timeout=0.02)


def waiting(permits: Permits) -> int:
    return sum(map(len, permits._waiting.values()))


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Queue:
    """Threads that take a place each, one after the other, and keep it until they are told."""

    def __init__(self, permits: Permits) -> None:
        self.permits = permits
        self.got: list[str] = []
        self.go_on = threading.Event()
        self._threads: list[threading.Thread] = []

    def join(self, caller: str) -> None:
        before = waiting(self.permits)
        thread = threading.Thread(target=self._hold, args=(caller,))
        self._threads.append(thread)
        thread.start()
        until(lambda: waiting(self.permits) == before + 1)

    def _hold(self, caller: str) -> None:
        with self.permits.hold(caller):
            self.got.append(caller)
            self.go_on.wait(30)

    def end(self) -> None:
        self.go_on.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue(Permits("searches", FEW))
    yield made
    made.end()
    assert made.permits._total == 0
    assert made.permits._running == made.permits._waiting == {}


def test_callers_take_turns(queue: Queue) -> None:
    with ExitStack() as ada, ExitStack() as bob:
        for held, caller in ((ada, "ada"), (ada, "ada"), (bob, "bob")):
            held.enter_context(queue.permits.hold(caller))
        for caller in ("ada", "ada", "ada", "bob", "cay"):
            queue.join(caller)
        bob.close()
        until(lambda: queue.got == ["bob"])  # ada has as many as she may
        ada.close()
        until(lambda: len(queue.got) == 3)
        assert sorted(queue.got) == ["ada", "bob", "cay"]  # cay before ada's second
    queue.go_on.set()
    until(lambda: len(queue.got) == 5)


def test_a_caller_with_all_its_permits_does_not_block_others(queue: Queue) -> None:
    with queue.permits.hold("ada"), queue.permits.hold("ada"):
        queue.join("ada")
        with queue.permits.hold("bob"):
            assert queue.got == []
        assert queue.got == []
    until(lambda: queue.got == ["ada"])


def test_work_that_waits_too_long_is_told_which_callers_hold_the_permits() -> None:
    permits = Permits("searches", IMPATIENT)
    with permits.hold("ada"), permits.hold("ada"):
        with pytest.raises(TooManyRequests, match="2 searches of this caller") as own, permits.hold("ada"):
            pass
        others_too = pytest.raises(Unavailable, match="3 searches of others")
        with permits.hold("bob"), others_too as others, permits.hold("cay"):
            pass
    assert (own.value.retry_after, others.value.retry_after) == (1, 1)
    assert permits._total == 0
    assert permits._waiting == {}


def test_not_more_than_so_many_wait(queue: Queue) -> None:
    with queue.permits.hold("ada"), queue.permits.hold("ada"):
        for _ in range(FEW.waiting):
            queue.join("ada")
        with (
            pytest.raises(TooManyRequests, match="5 searches of this caller wait"),
            queue.permits.hold("ada"),
        ):
            pass
        with queue.permits.hold("bob"):
            pass
        queue.go_on.set()


def test_work_that_is_interrupted_while_waiting_takes_no_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        pass

    permits = Permits("searches", FEW)
    for granted in (False, True):
        with permits.hold("ada"):
            second = permits.hold("ada")
            second.__enter__()

            class Event:
                """Interrupts who waits, before or after it got a place."""

                def wait(self, timeout: float, granted: bool = granted, second: Any = second) -> None:
                    if granted:
                        second.__exit__(None, None, None)
                    raise Interrupted

                def set(self) -> None:
                    pass

            monkeypatch.setattr("flowthings_like.platform.permits._Waiter.__init__", _with(Event))
            with pytest.raises(Interrupted), permits.hold("ada"):
                pass
            if not granted:
                second.__exit__(None, None, None)
        assert (permits._total, permits._running, permits._waiting) == (0, {}, {})


def _with(event: type) -> Any:
    def init(self: Any) -> None:
        self.event, self.granted = event(), False

    return init
