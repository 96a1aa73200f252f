"""Loading Parquet into a stream, beside pyarrow, which only reads it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._jobs import points_parquet
from benchmarks._streams import embedded, ours

TITLE = "loads: Parquet into a stream"
UNIT = "points/s"
PEER = "pyarrow alone, reading"
SERVER = embedded
COUNT = 4_000_000


def read(folder: Path) -> float:
    from pyarrow import parquet

    points_parquet(folder / "in.parquet", COUNT)
    started = time.perf_counter()
    for batch in parquet.ParquetFile(folder / "in.parquet").iter_batches(50_000):
        for column in batch.columns:
            column.to_numpy(zero_copy_only=False)
    return COUNT / (time.perf_counter() - started)


def load(merge: str, with_checkpoint: bool = True) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like import jobs

        points_parquet(folder / "in.parquet", COUNT)
        sink = jobs.StreamsSink(
            ours(), f"bench/{folder.name}", time="time", values=["value"], create=True, merge=merge
        )
        checkpoint = folder / "checkpoint" if with_checkpoint else None
        return jobs.load(folder / "in.parquet", sink, checkpoint=checkpoint).rate

    return measure


CONTENDERS = {
    PEER: read,
    "load, each point once, threads": load("equal"),
    "load, each point once, gevent": load("equal"),
    "load, each point once, eventlet": load("equal"),
    "load, merge never, threads": load("never", with_checkpoint=False),
}
TARGETS = [Target("load, each point once, threads", at_least=500_000)]
