"""How late a 1 ms heartbeat is at worst while another green thread puts and gets 300,000 records."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_records import canned
from benchmarks._record_channels import columns, objects, ours

TITLE = "binary records: a 1 ms heartbeat beside a put and a get of 300,000 records: latest beat"
UNIT = "ms, less is better"
PEER = "columns, gevent"
COUNT = 300_000
SERVER = canned(COUNT)
ROUNDS = 3


def latest_beat(make: Callable[[int], Any]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like.green import detect
        from flowthings_like.records import Key

        library = detect()
        records = make(COUNT)
        gc.freeze()  # a collection of all these objects would hold the hub, whoever made them
        done = False
        latest = 0.0

        def beat() -> None:
            nonlocal latest
            while not done:
                due = time.perf_counter() + 0.001
                library.sleep(0.001)
                latest = max(latest, time.perf_counter() - due)

        def work() -> None:
            with ours() as channel:
                for _ in range(ROUNDS):
                    channel.put(records).raise_for_status()
                    found = channel.get(Key.min(), Key.max()).raise_for_status().data
                    assert len(found) == COUNT

        heart = library.spawn(beat)
        library.get(library.spawn(work))
        done = True
        library.get(heart)
        return latest * 1e3

    return measure


CONTENDERS = {
    "columns, gevent": latest_beat(columns),
    "columns, eventlet": latest_beat(columns),
    "Records put, columns got, gevent": latest_beat(objects),
    "Records put, columns got, eventlet": latest_beat(objects),
    "columns, threads": latest_beat(columns),
}
TARGETS = [Target("columns, gevent", at_most=20), Target("columns, eventlet", at_most=20)]
