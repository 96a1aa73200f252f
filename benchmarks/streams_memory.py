"""The memory that a million points hold once they were read."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._streams import embedded, genuine, new_stream, ours, points

TITLE = "streams: memory held by 4,000,000 points that were read"
UNIT = "bytes/point"
PEER = "btrdb.values"
SERVER = embedded
COUNT = 4_000_000


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process holds")


def holding(is_genuine: bool) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        written = new_stream(ours())
        times, values = points(COUNT)
        written.insert((times, values))
        start, end = int(times[0]), int(times[-1]) + 1
        stream: Any = (genuine() if is_genuine else ours()).stream_from_uuid(written.uuid)
        del times, values, written
        gc.collect()
        stream.values(start, start + 1_000_000_000)  # what a first call leaves behind
        before = resident()
        found = stream.values(start, end)
        gc.collect()
        held = resident() - before
        assert len(found) == COUNT
        return held / COUNT

    return measure


CONTENDERS = {PEER: holding(True), "arrays, threads": holding(False), "arrays, gevent": holding(False)}
TARGETS = [Target("arrays, threads", at_most=17)]
