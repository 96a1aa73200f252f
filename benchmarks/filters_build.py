"""A filter of five rules: built and written as text for each request, and written again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import Target
from flowthings_like import EXISTS, NOT, mem

if TYPE_CHECKING:
    from flowthings_like.filters import Filter

TITLE = "a filter of five rules as text"
UNIT = "µs of CPU time"
PEER = "built and written"
CALLS = 1_000
ROUNDS = 60


def build() -> Filter:
    return (
        (mem.elems.temp > 90)
        & (mem.path == "/acme/weather/jfk")
        & NOT(EXISTS(mem.elems.gust))
        & mem.fhash.IN("a", "b")
        & (mem.wind <= 10.5)
    )


def measured(call: Callable[[], object]) -> Callable[[Path], float]:
    def run(folder: Path) -> float:
        rounds = []
        for _ in range(ROUNDS):
            started = time.thread_time()
            for _ in range(CALLS):
                call()
            rounds.append(time.thread_time() - started)
        return min(rounds) / CALLS * 1e6

    return run


_known = build()
CONTENDERS = {
    PEER: measured(lambda: str(build())),
    "built": measured(build),
    "the same filter again": measured(lambda: str(_known)),
}
TARGETS = [
    Target(PEER, at_most=40),
    Target("the same filter again", at_most=5),
]
