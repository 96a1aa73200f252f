"""The memory that getting a million records takes, at most, over the bytes that are received."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._canned_records import PAYLOAD, RECORDS, canned
from benchmarks._record_channels import ours

TITLE = "binary records: peak memory of a get of 1,000,000 records by a channel"
UNIT = "percent of the bytes received"
PEER = "columns, threads"
SERVER = canned()
RECEIVED = RECORDS * (36 + PAYLOAD) + 36


def peak() -> int:
    """The most memory that this process has had, in bytes, since `reset_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process had")


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def getting(get: Callable[[Any], Any]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like.records import Key

        with ours(memory_limit=1 << 20) as channel:
            channel.get(Key.min(), Key.max())  # is too large, and leaves behind what a first call does
            channel.memory_limit = None
            channel.connect().raise_for_status()
            gc.collect()
            reset_peak()
            before = peak()
            kept = get(channel)
            assert len(kept) == RECORDS
            return 100 * (peak() - before) / RECEIVED

    return measure


def as_columns(channel: Any) -> Any:
    from flowthings_like.records import Key

    return channel.get(Key.min(), Key.max()).raise_for_status().data


CONTENDERS = {
    "columns, threads": getting(as_columns),
    "columns, gevent": getting(as_columns),
    "columns, eventlet": getting(as_columns),
    "Records, threads": getting(lambda channel: list(as_columns(channel))),
}
TARGETS = [Target("columns, threads", at_most=120), Target("columns, gevent", at_most=120)]
