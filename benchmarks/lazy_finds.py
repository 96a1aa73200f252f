"""10,000 look-ups by an indexed element in one flow, as a program without loops of its own writes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._platform import platform, served

TITLE = "finds by an indexed element, one flow, limit 1, from the served platform"
UNIT = "finds/s"
PEER = "api.drop(flow).find, one after the other"
FINDS = 10_000
SINGLE = 2000
"""Finds that those make who make a request for each: their rate does not depend on it."""
FLOW = "/acme/stations"


@contextmanager
def stations(folder: Path) -> Iterator[str]:
    """The platform, with a flow of 10,000 stations."""
    import os

    with platform(folder) as told:
        os.environ["BENCHMARK_SERVER"] = told
        with served().api() as api:
            flow = api.flow.create({"path": FLOW, "capacity": FINDS, "index": ["elems.station"]})
            models = [{"elems": {"station": f"s{number}", "temp": number % 100}} for number in range(FINDS)]
            for first in range(0, FINDS, 1000):
                api.drop(flow).create_many(models[first : first + 1000])
        del os.environ["BENCHMARK_SERVER"]
        yield told


def one_by_one(folder: Path) -> float:
    from flowthings_like import mem

    with served().api() as api:

        def find(count: int) -> list[Any]:
            drops = api.drop(FLOW)
            return [drops.find(mem.elems.station == f"s{number}", limit=1) for number in range(count)]

        return rate(find, SINGLE)


def lazy(folder: Path) -> float:
    from flowthings_like import mem

    with served().api() as api:

        def find(count: int) -> list[Any]:
            drops = api.lazy().drop(FLOW)
            return [drops.find(mem.elems.station == f"s{number}", limit=1) for number in range(count)]

        return rate(find, FINDS)


def rate(find: Callable[[int], list[Any]], count: int) -> float:
    """Finds a second, the best of three rounds after a warm-up."""
    find(100)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        found = [drops[0]["elems"]["station"] for drops in find(count)]
        best = min(best, time.perf_counter() - started)
        assert found == [f"s{number}" for number in range(count)]
    return count / best


SERVER = stations
CONTENDERS = {
    PEER: one_by_one,
    "lazy(), gevent": lazy,
    "lazy(), eventlet": lazy,
    "lazy(), threads": lazy,
}
TARGETS = [Target(name, PEER, at_least=15) for name in CONTENDERS if name != PEER]
