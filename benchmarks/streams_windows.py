"""Aligned windows over a stream of 100,000,000 points, and how large it is on disk.

The contenders make the stream themselves, which takes about a minute. STREAMS_POINTS is another size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._streams import RATE, START, loaded, seconds

TITLE = "streams: about 2,000 aligned windows over a long stream"
UNIT = "microseconds, or bytes/point"
PEER = "1,000,000 points"
COUNT = int(os.environ.get("STREAMS_POINTS", 100_000_000))
WINDOWS = 2_000


def windows(count: int) -> Callable[[Path], float]:
    """The median of 9 calls."""

    def measure(folder: Path) -> float:
        store, (uuid,) = loaded(folder, count)
        span = count * 1_000_000_000 // RATE
        width = (span // WINDOWS).bit_length()
        taken = []
        for _ in range(9):
            found: list[int] = []

            def read(found: list[int] = found) -> None:
                _, parts = store.aligned_windows("acme", uuid, START, START + span + (1 << width), width)
                found.extend(len(part) for part in parts)

            taken.append(seconds(read))
            assert WINDOWS / 2 - 1 <= sum(found) <= WINDOWS
        store.close()
        return sorted(taken)[4] * 1e6

    return measure


def bytes_on_disk(folder: Path) -> float:
    from flowthings_like.platform.streams.database import FILE

    store, _ = loaded(folder, COUNT)
    store.close()
    return (folder / FILE).stat().st_size / COUNT


CONTENDERS = {
    PEER: windows(1_000_000),
    "100,000,000 points": windows(COUNT),
    "on disk": bytes_on_disk,
}
TARGETS = [
    Target("100,000,000 points", at_most=200_000),
    Target("100,000,000 points", PEER, at_most=2),
    Target("on disk", at_most=8),
]
