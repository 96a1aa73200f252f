"""A box of one record in a hundred: the records of a time, out of one or a hundred million."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._record_store import HOUR, MILLION, connect, embedded, get, put, rows

TITLE = "records: a get of 1 % of what is stored"
UNIT = "us"
PEER = "10,000 of 1,000,000"
SERVER = embedded


def one_percent(millions: int) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        with connect() as sock:
            for number in range(millions):
                put(sock, rows(number), cid=millions)
            span = millions * HOUR // 100
            taken = []
            for part in range(7):
                first = part * 13 * span + span // 3
                started = time.perf_counter()
                get(sock, first, first + span, millions * MILLION // 100, cid=millions)
                taken.append(time.perf_counter() - started)
        return sorted(taken)[3] * 1e6

    return measure


CONTENDERS = {PEER: one_percent(1), "1,000,000 of 100,000,000": one_percent(100)}
TARGETS = [Target("1,000,000 of 100,000,000", at_most=100_000)]
