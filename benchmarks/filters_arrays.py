"""A million points tested with a filter: as masks over columns, and by the predicate one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Target
from flowthings_like import mem
from flowthings_like.filters.arrays import matching
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.rows import rows_of

TITLE = "a filter of three rules on 1,000,000 points"
UNIT = "points/s"
PEER = "the predicate, on documents that are there"
COUNT = 1_000_000
WHERE = (mem.value > 30) & (mem.value <= 70.5) & (mem.time >= COUNT // 2)


def points() -> dict[str, Any]:
    random = np.random.default_rng(5)
    return {"time": np.arange(COUNT), "value": random.random(COUNT) * 100}


def measured(prepare: Callable[[], Callable[[], int]], rounds: int) -> Callable[[Path], float]:
    def run(folder: Path) -> float:
        test = prepare()
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            found = test()
            times.append(time.perf_counter() - started)
        assert 0 < found < COUNT
        return COUNT / min(times)

    return run


def masks() -> Callable[[], int]:
    columns = points()
    return lambda: int(matching(WHERE, columns).sum())


def predicate() -> Callable[[], int]:
    documents = rows_of(points())
    test = compile_predicate(WHERE)
    return lambda: sum(test(document, 0) for document in documents)


def predicate_and_documents() -> Callable[[], int]:
    columns = points()
    test = compile_predicate(WHERE)
    return lambda: sum(test(document, 0) for document in rows_of(columns))


CONTENDERS = {
    PEER: measured(predicate, 3),
    "the predicate, documents included": measured(predicate_and_documents, 2),
    "masks": measured(masks, 20),
}
TARGETS = [Target("masks", PEER, at_least=50)]
