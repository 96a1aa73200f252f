"""The writer alone: single drops from 64 threads through group commit, three tracks to look at for each."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from benchmarks._store import open_store
from benchmarks._weather import drops
from benchmarks.creates import CALLERS, PEER, straight_into_sqlite

TITLE = "store: single creates, acknowledged = committed"
UNIT = "drops/s"
DROPS = 20_000


def through_the_store(folder: Path) -> float:
    from flowthings_like.green.backends import choice as backend
    from flowthings_like.platform.resources.drops import verbs as noun

    models = drops()[:DROPS]
    store, caller, flow = open_store(folder)

    def write(first: int) -> None:
        for model in models[first::CALLERS]:
            noun.create(store, caller, flow, model)

    library = backend.detect()
    with store:
        started = time.perf_counter()
        threads = [library.spawn(write, first) for first in range(CALLERS)]
        for thread in threads:
            library.get(thread)
        return DROPS / (time.perf_counter() - started)


CONTENDERS = {
    PEER: partial(straight_into_sqlite, count=DROPS),
    "64 callers, gevent": through_the_store,
    "64 callers, eventlet": through_the_store,
    "64 callers, threads": through_the_store,
}
