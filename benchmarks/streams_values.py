"""Reading a million points of one stream of the embedded store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._streams import embedded, genuine, new_stream, ours, points, seconds

TITLE = "streams: 1,000,000 points read"
UNIT = "points/s"
PEER = "btrdb.values"
SERVER = embedded
COUNT = 1_000_000


def reading(read: Callable[[Any, int, int], Any], is_genuine: bool = False) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        written = new_stream(ours())
        times, values = points(COUNT)
        written.insert((times, values))
        stream = (genuine() if is_genuine else ours()).stream_from_uuid(written.uuid)
        start, end = int(times[0]), int(times[-1]) + 1
        found: list[Any] = []
        taken = seconds(lambda: found.append(read(stream, start, end)))
        assert len(found[0]) == COUNT
        return COUNT / taken

    return measure


arrays = reading(lambda stream, start, end: stream.values(start, end))
objects = reading(lambda stream, start, end: list(stream.values(start, end)))

CONTENDERS = {
    PEER: reading(lambda stream, start, end: stream.values(start, end), is_genuine=True),
    "btrdb.arrow_values": reading(
        lambda stream, start, end: stream.arrow_values(start, end), is_genuine=True
    ),
    "arrays, threads": arrays,
    "arrays, gevent": arrays,
    "arrays, eventlet": arrays,
    "objects, threads": objects,
    "objects, gevent": objects,
}
TARGETS = [
    Target("arrays, threads", PEER, at_least=20),
    Target("arrays, threads", "btrdb.arrow_values", at_least=1),
    Target("arrays, gevent", PEER, at_least=20),
    Target("objects, threads", PEER, at_least=5),
]
