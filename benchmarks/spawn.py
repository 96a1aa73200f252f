"""What a call in a green thread costs: the library's own spawn and get, async_(), and lazy().

What async_() costs more than the bare library is measured in one process, both in turn: the difference of two
figures from two processes would be mostly theirs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target

TITLE = "one call in a green thread, and its result"
UNIT = "ns of CPU a call"
PEER = "bare spawn and get, gevent"
CALLS = 10_000
TOGETHER = 100
"""Calls that are fired before the first result is asked for, where there are several."""
ROUNDS = 5


class Flow:
    """A service whose one call cannot be coalesced and does nothing."""

    __api_service__ = True
    path = "/flow"

    def count(self, number: int) -> int:
        return number


Flow.count.__api_reads__ = True  # type: ignore[attr-defined]


class Api:
    def __init__(self) -> None:
        self.flow = Flow()


Fire = Callable[[], Any]
"""Makes some calls, and looks at their results."""


def bare(together: int) -> Fire:
    from flowthings_like.green import detect

    call = Api().flow.count
    if detect().name == "gevent":
        from gevent import spawn

        def fire() -> None:
            for thread in [spawn(call, i) for i in range(together)]:
                thread.get()
    else:
        from eventlet import spawn

        def fire() -> None:
            for thread in [spawn(call, i) for i in range(together)]:
                thread.wait()

    return fire


def imperative(together: int) -> Fire:
    from flowthings_like.green import AsyncAPI

    calls = AsyncAPI(Api())

    def fire() -> None:
        for i in range(together):
            calls.flow.count(i)
        calls.results()

    return fire


def lazy(together: int) -> Fire:
    from flowthings_like.green import LazyAPI

    api = LazyAPI(Api())

    def fire() -> None:
        for thunk in [api.flow.count(i) for i in range(together)]:
            thunk.force()

    return fire


def least(make: Callable[[int], Fire], together: int) -> Callable[[Path], float]:
    """Nanoseconds of CPU for one call, the least of several rounds: what is above it is other people's."""

    def measured(folder: Path) -> float:
        fire = make(together)
        return min(cost(fire, together) for _ in range(ROUNDS + 1))

    return measured


def more(make: Callable[[int], Fire], together: int) -> Callable[[Path], float]:
    """Nanoseconds that a call costs more than the library's own: the median of many short rounds of both."""

    def measured(folder: Path) -> float:
        fire, plain = make(together), bare(together)
        cost(fire, together)
        rounds = [cost(fire, together, 1000) - cost(plain, together, 1000) for _ in range(8 * ROUNDS)]
        return statistics.median(rounds)

    return measured


def cost(fire: Fire, together: int, calls: int = CALLS) -> float:
    started = time.process_time_ns()
    for _ in range(calls // together):
        fire()
    return (time.process_time_ns() - started) / calls


WAYS = [
    (backend, together, how)
    for backend in ("gevent", "eventlet")
    for together, how in ((1, ""), (TOGETHER, f", {TOGETHER} at once"))
]
CONTENDERS = {
    f"{what}{how}, {backend}": measure(make, together)
    for backend, together, how in WAYS
    for what, measure, make in (
        ("bare spawn and get", least, bare),
        ("async_()", least, imperative),
        ("what async_() adds", more, imperative),
        ("lazy()", least, lazy),
        ("what lazy() adds", more, lazy),
    )
}
TARGETS = [
    *(Target(f"what async_() adds{how}, {backend}", at_most=3_000) for backend, _, how in WAYS),
    *(Target(f"what lazy() adds{how}, {backend}", at_most=6_000) for backend, _, how in WAYS),
]
