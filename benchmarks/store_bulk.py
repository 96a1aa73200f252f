"""The writer alone: a thousand drops a call, with hashes and three tracks; first new, then all once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._store import open_store
from benchmarks._weather import drops
from benchmarks.ingest import BATCH, PEER, straight_into_sqlite

TITLE = "store: bulk load, 1,000 drops a call"
UNIT = "drops/s"


def through_the_store(tracks: bool = True, again: bool = False) -> Callable[[Path], float]:
    def load(folder: Path) -> float:
        from flowthings_like.platform.resources.drops import verbs as noun

        models = drops()
        store, caller, flow = open_store(folder, tracks)
        with store:
            for _ in range(1 + again):
                started = time.perf_counter()
                for first in range(0, len(models), BATCH):
                    noun.create_many(store, caller, flow, models[first : first + BATCH])
        return len(models) / (time.perf_counter() - started)

    return load


CONTENDERS = {
    PEER: straight_into_sqlite,
    "three tracks, threads": through_the_store(),
    "three tracks, gevent": through_the_store(),
    "three tracks, eventlet": through_the_store(),
    "no tracks, threads": through_the_store(tracks=False),
    "the same again, threads": through_the_store(again=True),
}
TARGETS = [Target("no tracks, threads", PEER, at_least=0.4)]
