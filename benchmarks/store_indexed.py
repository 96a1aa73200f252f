"""What indexes cost who writes: the weather, a thousand drops a call, into flows with and without them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._store import open_store
from benchmarks._weather import drops
from benchmarks.ingest import BATCH

TITLE = "store: bulk load with element indexes, 1,000 drops a call"
UNIT = "drops/s"
PEER = "without an index"


def loading(*elements: str) -> Callable[[Path], float]:
    def load(folder: Path) -> float:
        from flowthings_like.platform.resources.base import verbs as resources
        from flowthings_like.platform.resources.drops import verbs as noun
        from flowthings_like.platform.resources.flows import FLOW

        models: list[dict[str, Any]] = drops()
        for number, model in enumerate(models):
            model["elems"].update(at=model["creationDate"], serial=number * 7919 % 26_113)
        store, caller, _ = open_store(folder, tracks=False)
        with store:
            flow = {"path": "/acme/indexed", "capacity": 100_000, "index": list(elements)}
            resources.create(store, caller, FLOW, flow)
            started = time.perf_counter()
            for first in range(0, len(models), BATCH):
                noun.create_many(store, caller, "/acme/indexed", models[first : first + BATCH])
            return len(models) / (time.perf_counter() - started)

    return load


CONTENDERS = {
    PEER: loading(),
    "a place and a time": loading("elems.airport", "elems.at"),
    "a place and a temperature": loading("elems.airport", "elems.temp"),
    "a place and numbers in no order": loading("elems.airport", "elems.serial"),
}
TARGETS = [Target("a place and a time", PEER, at_least=0.6)]
