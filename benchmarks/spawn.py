"""What a call in a green thread costs: the library's own spawn and get, async_(), and lazy()."""

from __future__ import annotations

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


def bare(together: int) -> Callable[[Path], float]:
    def measured(folder: Path) -> float:
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

        return cost(fire, together)

    return measured


def imperative(together: int) -> Callable[[Path], float]:
    def measured(folder: Path) -> float:
        from flowthings_like.green import AsyncAPI

        calls = AsyncAPI(Api())

        def fire() -> None:
            for i in range(together):
                calls.flow.count(i)
            calls.results()

        return cost(fire, together)

    return measured


def lazy(together: int) -> Callable[[Path], float]:
    def measured(folder: Path) -> float:
        from flowthings_like.green import LazyAPI

        api = LazyAPI(Api())

        def fire() -> None:
            for thunk in [api.flow.count(i) for i in range(together)]:
                thunk.force()

        return cost(fire, together)

    return measured


def cost(fire: Callable[[], Any], together: int) -> float:
    """Nanoseconds of CPU for one call, the least of several rounds: what is above it is other people's."""
    best = float("inf")
    for _ in range(ROUNDS + 1):
        started = time.process_time_ns()
        for _ in range(CALLS // together):
            fire()
        best = min(best, (time.process_time_ns() - started) / CALLS)
    return best


CONTENDERS = {
    f"{what}{how}, {backend}": measure(together)
    for backend in ("gevent", "eventlet")
    for together, how in ((1, ""), (TOGETHER, f", {TOGETHER} at once"))
    for what, measure in (("bare spawn and get", bare), ("async_()", imperative), ("lazy()", lazy))
}
TARGETS = [
    Target(f"lazy(){how}, {backend}", f"bare spawn and get{how}, {backend}", at_most=1 / 3)
    for backend in ("gevent", "eventlet")
    for how in ("", f", {TOGETHER} at once")
]
