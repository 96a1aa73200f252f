"""Inserting a million points into one stream of the embedded store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._streams import embedded, genuine, new_stream, ours, points, seconds

TITLE = "streams: 1,000,000 points inserted"
UNIT = "points/s"
PEER = "btrdb.insert"
SERVER = embedded
COUNT = 1_000_000


def by_btrdb(folder: Path) -> float:
    stream = new_stream(genuine())
    times, values = points(COUNT)
    pairs = list(zip(times.tolist(), values.tolist(), strict=True))
    return COUNT / seconds(lambda: stream.insert(pairs))


def by_btrdb_arrow(folder: Path) -> float:
    import pyarrow as pa

    stream = new_stream(genuine())
    times, values = points(COUNT)
    stamps = pa.array(times.view("datetime64[ns]")).cast(pa.timestamp("ns", tz="UTC"))
    table = pa.table({"time": stamps, "value": pa.array(values)})
    return COUNT / seconds(lambda: stream.arrow_insert(table))


def by_us(as_pairs: bool = False) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        stream = new_stream(ours())
        times, values = points(COUNT)
        data: Any = times, values
        if as_pairs:
            data = list(zip(times.tolist(), values.tolist(), strict=True))
        return COUNT / seconds(lambda: stream.insert(data))

    return measure


CONTENDERS = {
    PEER: by_btrdb,
    "btrdb.arrow_insert": by_btrdb_arrow,
    "arrays, threads": by_us(),
    "arrays, gevent": by_us(),
    "arrays, eventlet": by_us(),
    "tuples, threads": by_us(as_pairs=True),
}
TARGETS = [
    Target("arrays, threads", PEER, at_least=8),
    Target("arrays, threads", "btrdb.arrow_insert", at_least=1.5),
    Target("arrays, gevent", PEER, at_least=8),
    Target("arrays, gevent", "btrdb.arrow_insert", at_least=1.5),
]
