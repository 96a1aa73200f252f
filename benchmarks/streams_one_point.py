"""Inserts of one point each, every one durable before it is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._streams import START, embedded, genuine, new_stream, ours

TITLE = "streams: inserts of one point"
UNIT = "inserts/s"
PEER = "btrdb, one after the other"
SERVER = embedded
SECONDS = 3.0
IN_FLIGHT = 64


def in_turn(insert: Callable[[int], Any]) -> float:
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        insert(count)
        count += 1
    return count / (time.perf_counter() - started)


def by_btrdb(folder: Path) -> float:
    stream = new_stream(genuine())
    return in_turn(lambda number: stream.insert([(START + number, 1.0)]))


def one_after_the_other(folder: Path) -> float:
    stream = new_stream(ours())
    return in_turn(lambda number: stream.insert([(START + number, 1.0)]))


def lazily(folder: Path) -> float:
    """64 in flight into one stream: whenever one is acknowledged, the next one is issued."""
    from collections import deque

    client = ours()
    stream = client.lazy().stream_from_uuid(new_stream(client).uuid)
    waiting: deque[Any] = deque()

    def insert(number: int) -> None:
        waiting.append(stream.insert([(START + number, 1.0)]))
        if len(waiting) >= IN_FLIGHT:
            int(waiting.popleft())

    return in_turn(insert)


def callers(folder: Path) -> float:
    """64 streams with one caller each."""
    from flowthings_like.green.backends.choice import detect

    client = ours()
    streams = [new_stream(client) for _ in range(IN_FLIGHT)]

    def run(stream: Any) -> float:
        return in_turn(lambda number: stream.insert([(START + number, 1.0)]))

    threads = [detect().spawn(run, stream) for stream in streams]
    return float(sum(thread.get() for thread in threads))


CONTENDERS = {
    PEER: by_btrdb,
    "one after the other, threads": one_after_the_other,
    "64 in flight, lazy, threads": lazily,
    "64 in flight, lazy, gevent": lazily,
    "64 in flight, lazy, eventlet": lazily,
    "64 streams, a caller each, threads": callers,
    "64 streams, a caller each, gevent": callers,
    "64 streams, a caller each, eventlet": callers,
}
TARGETS = [
    Target("64 in flight, lazy, threads", at_least=10_000),
    Target("64 in flight, lazy, gevent", at_least=10_000),
    Target("64 streams, a caller each, threads", at_least=1_500),
    Target("64 streams, a caller each, gevent", at_least=1_500),
]
