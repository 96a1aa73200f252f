"""Places for what takes much: who gets one, who waits, and who is told to come again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flowthings_like.platform.problems import TooManyRequests, Unavailable
from flowthings_like.platform.rest.permits import PlaceLimits, Places

FEW = PlaceLimits(per_caller=2, total=3, waiting=5, patience=30)
IMPATIENT = PlaceLimits(per_caller=2, total=3, waiting=1, patience=0.02)


def waiting(places: Places) -> int:
    return sum(map(len, places._waiting.values()))


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Queue:
    """Threads that take a place each, one after the other, and keep it until they are told."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.got: list[str] = []
        self.go_on = threading.Event()
        self._threads: list[threading.Thread] = []

    def join(self, caller: str) -> None:
        before = waiting(self.places)
        thread = threading.Thread(target=self._hold, args=(caller,))
        self._threads.append(thread)
        thread.start()
        until(lambda: waiting(self.places) == before + 1)

    def _hold(self, caller: str) -> None:
        with self.places.hold(caller):
            self.got.append(caller)
            self.go_on.wait(30)

    def end(self) -> None:
        self.go_on.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue(Places("searches", FEW))
    yield made
    made.end()
    assert made.places._total == 0
    assert made.places._running == made.places._waiting == {}


def test_callers_take_turns(queue: Queue) -> None:
    with ExitStack() as ada, ExitStack() as bob:
        for held, caller in ((ada, "ada"), (ada, "ada"), (bob, "bob")):
            held.enter_context(queue.places.hold(caller))
        for caller in ("ada", "ada", "ada", "bob", "cay"):
            queue.join(caller)
        bob.close()
        until(lambda: queue.got == ["bob"])  # ada has as many as she may
        ada.close()
        until(lambda: len(queue.got) == 3)
        assert sorted(queue.got) == ["ada", "bob", "cay"]  # cay before ada's second
    queue.go_on.set()
    until(lambda: len(queue.got) == 5)


def test_a_caller_that_has_its_places_does_not_keep_others_out(queue: Queue) -> None:
    with queue.places.hold("ada"), queue.places.hold("ada"):
        queue.join("ada")
        with queue.places.hold("bob"):
            assert queue.got == []
        assert queue.got == []
    until(lambda: queue.got == ["ada"])


def test_who_waits_too_long_is_told_whose_places_they_are() -> None:
    places = Places("searches", IMPATIENT)
    with places.hold("ada"), places.hold("ada"):
        with pytest.raises(TooManyRequests, match="2 searches of this caller") as own, places.hold("ada"):
            pass
        others_too = pytest.raises(Unavailable, match="3 searches of others")
        with places.hold("bob"), others_too as others, places.hold("cay"):
            pass
    assert (own.value.retry_after, others.value.retry_after) == (1, 1)
    assert places._total == 0
    assert places._waiting == {}


def test_not_more_than_so_many_wait(queue: Queue) -> None:
    with queue.places.hold("ada"), queue.places.hold("ada"):
        for _ in range(FEW.waiting):
            queue.join("ada")
        with pytest.raises(TooManyRequests, match="5 searches of this caller wait"), queue.places.hold("ada"):
            pass
        with queue.places.hold("bob"):
            pass
        queue.go_on.set()


def test_who_is_interrupted_while_waiting_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        pass

    places = Places("searches", FEW)
    for granted in (False, True):
        with places.hold("ada"):
            second = places.hold("ada")
            second.__enter__()

            class Event:
                """Interrupts who waits, before or after it got a place."""

                def wait(self, timeout: float, granted: bool = granted, second: Any = second) -> None:
                    if granted:
                        second.__exit__(None, None, None)
                    raise Interrupted

                def set(self) -> None:
                    pass

            monkeypatch.setattr("flowthings_like.platform.rest.permits._Waiter.__init__", _with(Event))
            with pytest.raises(Interrupted), places.hold("ada"):
                pass
            if not granted:
                second.__exit__(None, None, None)
        assert (places._total, places._running, places._waiting) == (0, {}, {})


def _with(event: type) -> Any:
    def init(self: Any) -> None:
        self.event, self.granted = event(), False

    return init
