"""How long puts and gets of 300,000 records hold the hub: most CPU time between two beats of another thread.

CPU time, because other programs lengthen the time of day.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_records import canned
from benchmarks._record_channels import columns, objects, ours

TITLE = "binary records: longest hold of the hub by puts and gets of 300,000 records"
UNIT = "ms of CPU time"
PEER = "columns, gevent"
COUNT = 300_000
SERVER = canned(COUNT)
ROUNDS = 3


def longest_hold(make: Callable[[int], Any]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like.green import detect
        from flowthings_like.records import Key

        library = detect()
        records = make(COUNT)
        gc.freeze()  # a collection of all these objects would hold the hub, too
        done = False
        longest = 0.0

        def beat() -> None:
            nonlocal longest
            while not done:
                began = time.process_time()
                library.sleep(0.001)
                longest = max(longest, time.process_time() - began)

        def work(rounds: int) -> None:
            with ours() as channel:
                for _ in range(rounds):
                    channel.put(records).raise_for_status()
                    found = channel.get(Key.min(), Key.max()).raise_for_status().data
                    assert len(found) == COUNT

        work(1)  # the first call imports
        heart = library.spawn(beat)
        library.get(library.spawn(work, ROUNDS))
        done = True
        library.get(heart)
        return longest * 1e3

    return measure


CONTENDERS = {
    "columns, gevent": longest_hold(columns),
    "columns, eventlet": longest_hold(columns),
    "Records put, columns got, gevent": longest_hold(objects),
    "Records put, columns got, eventlet": longest_hold(objects),
}
TARGETS = [Target("columns, gevent", at_most=20), Target("columns, eventlet", at_most=20)]
