"""What it costs the client that calls travel together: CPU for each of 10,000 lazy calls.

The batcher alone is measured with a service that answers at once; what its own work and a plain
loop over its answers cost is taken off. With transport and decoding it is measured against the served
platform.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._platform import platform, served

TITLE = "client CPU of a call that travels with others"
UNIT = "ns a call"
PEER = "reads, all different, gevent"
SERVER = platform
CALLS = 10_000
ROUNDS = 9


def answering() -> Any:
    """An api that answers at once."""
    from flowthings_like.green.batching.bulk_marker import bulk

    class Flow:
        __api_service__ = True
        path = "/flow"

        @bulk("read_many", key="id", most=500)
        def read(self, id: str) -> Any:
            raise AssertionError

        def read_many(self, ids: list[str]) -> Any:
            return {id: {"id": id, "elems": {"temp": 39.02}} for id in ids if id[0] != "x"}

        @bulk("create_many", most=500, writes=True)
        def create(self, model: Any) -> Any:
            raise AssertionError

        def create_many(self, models: list[Any]) -> Any:
            return models

    class Api:
        def __init__(self) -> None:
            self.flow = Flow()

    return Api()


def consume(results: Any) -> int:
    """Look at each result, as a program would; count those that are missing."""
    missing = 0
    for result in results:
        try:
            result["id"]
        except LookupError:
            missing += 1
        except Exception:
            missing += 1
    return missing


def reads(ids: list[str], missing: int = 0) -> Callable[[Path], float]:
    def measured(folder: Path) -> float:
        from flowthings_like.green import LazyAPI

        api = answering()

        def lazily() -> None:
            lazy = LazyAPI(api)
            assert consume([lazy.flow.read(id) for id in ids]) == missing

        def plainly() -> None:
            known: dict[str, Any] = {}
            wanted = list(dict.fromkeys(ids))
            for first in range(0, len(wanted), 500):
                known.update(api.flow.read_many(wanted[first : first + 500]))
            assert consume([known.get(id, {}) for id in ids]) == missing

        return added(lazily, plainly)

    return measured


def creates(folder: Path) -> float:
    from flowthings_like.green import LazyAPI

    api = answering()
    models = [{"id": str(i), "elems": {"temp": 39.02, "wind": 10.4, "airport": "JFK"}} for i in range(CALLS)]

    def lazily() -> None:
        lazy = LazyAPI(api)
        consume([lazy.flow.create(model) for model in models])

    def plainly() -> None:
        made = []
        for first in range(0, CALLS, 500):
            made += api.flow.create_many(models[first : first + 500])
        consume(made)

    return added(lazily, plainly)


def added(lazily: Callable[[], None], plainly: Callable[[], None]) -> float:
    """Nanoseconds that one way costs more than the other, a call: the median of several rounds of both."""
    differences = []
    for _ in range(ROUNDS):
        gc.collect()
        gc.freeze()  # a collection looks at what was made here, not at all that is loaded
        started = time.process_time_ns()
        lazily()
        between = time.process_time_ns()
        plainly()
        differences.append((between - started) - (time.process_time_ns() - between))
    return statistics.median(differences) / CALLS


def over_the_wire(folder: Path) -> float:
    there = served()
    with there.api() as api:
        spent = []
        for _ in range(ROUNDS):
            started = time.process_time_ns()
            lazy = api.lazy()
            found = [lazy.drop(there.flow).read(id) for id in there.ids]
            assert sum(1 for drop in found if drop["elems"]) == len(found)
            spent.append((time.process_time_ns() - started) / len(found))
        return statistics.median(spent)


DIFFERENT = [f"f{i:024x}" for i in range(CALLS)]
TWICE = [f"f{i // 2:024x}" for i in range(CALLS)]
ONE_IN_FIFTY = [f"x{i:024x}" if i % 50 == 7 else f"f{i:024x}" for i in range(CALLS)]

CONTENDERS = {
    f"{what}, {backend}": measure
    for backend in ("gevent", "eventlet", "threads")
    for what, measure in {
        "reads, all different": reads(DIFFERENT),
        "reads, each twice": reads(TWICE),
        "reads, one in 50 missing": reads(ONE_IN_FIFTY, CALLS // 50),
        "creates": creates,
        "reads from the served platform": over_the_wire,
    }.items()
}
TARGETS = [
    *(Target(name, at_most=12_000 if "served" in name else 2_000) for name in CONTENDERS),
]
