"""Aligned windows of 100 streams with a million points each, at once through a stream set.

The figure is how much of both cores is used: the processor time of client and store together, over twice the
time that the call takes. Neither is bound to a core. STREAMS_COUNT and STREAMS_EACH are other sizes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._streams import RATE, START, STORE, loaded, ours, seconds

TITLE = "streams: aligned windows of 100 streams of 1,000,000 points"
UNIT = "% of both cores"
PEER = "lazy, threads"
STREAMS = int(os.environ.get("STREAMS_COUNT", 100))
EACH = int(os.environ.get("STREAMS_EACH", 1_000_000))
WIDTH = 30
REPEATED = 5


@contextmanager
def filled(folder: Path) -> Iterator[str]:
    """A store with the streams in it, as "host port key pid"."""
    store, _ = loaded(folder / "platform", EACH, STREAMS)
    store.close()
    command = [sys.executable, "-c", STORE, str(folder / "platform")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"{process.stdout.readline().strip()} {process.pid}"
        finally:
            process.stdin.close()


SERVER = filled


def processor_time(pid: int) -> float:
    """Seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def reading(read: Callable[[Any, int, int], Any]) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        *where, pid = os.environ["BENCHMARK_SERVER"].split()
        os.environ["BENCHMARK_SERVER"] = " ".join(where)
        client = ours()
        found = client.streams_in_collection("bench")
        end = START + EACH * 1_000_000_000 // RATE
        read(found, START, end)  # connections, and what the store reads of each stream at first
        before = time.process_time() + processor_time(int(pid))
        taken = seconds(lambda: [read(found, START, end) for _ in range(REPEATED)])
        used = time.process_time() + processor_time(int(pid)) - before
        print(f"{STREAMS * REPEATED / taken:,.0f} streams/s", file=sys.stderr)
        return used / taken / 2 * 100

    return measure


def through_set(found: Any, start: int, end: int) -> None:
    windows = found.aligned_windows(start, end, WIDTH)
    assert len(windows) == STREAMS


CONTENDERS = {
    PEER: reading(through_set),
    "lazy, gevent": reading(through_set),
}
TARGETS = [Target(PEER, at_least=80), Target("lazy, gevent", at_least=80)]
