"""A long get or put lets other green threads run: what is measured is the hub's work between two turns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.records import (
    BytesPayloadType,
    Channel,
    Key,
    PayloadType,
    Record,
    RecordBatch,
    StructPayloadType,
)

pytestmark = pytest.mark.needs("green", "there is no hub here")

COUNT = 300_000
ALL = Key.min(), Key.max()
LONGEST = 0.04
"""Seconds of the hub's own time, at most, between two turns of another green thread: 20 ms, and as much again
because a busy machine shares its caches. `benchmarks records_fairness` has the figures of a quiet one."""


class Reversed(PayloadType[bytes]):
    """A payload type of a caller's own: no columns."""

    def to_bytes(self, value: bytes) -> bytes:
        return value[::-1]

    def from_bytes(self, buffer: bytes) -> bytes | None:
        return buffer[::-1]


@contextmanager
def serving(sizes: str) -> Iterator[int]:
    """The port of a server in another process, so that only the client's work is measured."""
    command = [sys.executable, str(Path(__file__).with_name("bulk.py")), str(COUNT), sizes]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()


class Heartbeat:
    """A green thread that wants to run all the time. It notes how long the hub was held by others."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.over = False

    def beat(self) -> None:
        before = time.thread_time()
        while not self.over:
            detect().sleep(0.001)
            now = time.thread_time()  # of this OS thread, so a busy machine does not count
            self.gaps.append(now - before)
            before = now

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = detect().spawn(self.beat)
        detect().sleep(0.01)
        try:
            yield
        finally:
            self.over = True
            detect().get(thread, 10)


def longest(work: Callable[[], object]) -> float:
    """The longest time that the hub was held during some work, the best of a few tries."""
    tries = []
    for _ in range(3):
        heart = Heartbeat()
        with heart.running():
            work()
        tries.append(max(heart.gaps))
    return min(tries)


CASES: list[tuple[str, PayloadType[Any], str]] = [
    ("columns", StructPayloadType("<d"), "8"),
    ("bytes of different sizes", BytesPayloadType(), "7,8,9"),
    ("a type of one's own", Reversed(), "8"),
]


@pytest.mark.parametrize(("name", "payload_type", "sizes"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("call", ["get", "get_stream", "get_iter"])
def test_a_long_get(name: str, payload_type: PayloadType[Any], sizes: str, call: str) -> None:
    counts: list[int] = []

    def work() -> None:
        if call == "get":
            answer = channel.get(*ALL)
            counts.append(len(answer.data))
        elif call == "get_stream":
            channel.memory_limit = 1 << 20
            counts.append(0)
            answer = channel.get_stream(*ALL, lambda records: counts.append(counts.pop() + len(records)))
        else:
            counts.append(sum(1 for _ in channel.get_iter(*ALL)) - 1)

    with serving(sizes) as port, Channel("127.0.0.1", port, payload_type, 60.0, strict=True) as channel:
        held = longest(work)
    assert counts == [COUNT] * 3
    assert held < LONGEST


@pytest.mark.parametrize("what", ["columns", "records", "records of a type of one's own", "many cids"])
def test_a_long_put(what: str) -> None:
    batch = RecordBatch(1, range(COUNT), 2, 3, payload=np.zeros(COUNT), payload_type=StructPayloadType("<d"))
    payload_type: PayloadType[Any] = StructPayloadType("<d")
    data: Any = batch
    if what == "records of a type of one's own":
        payload_type, data = Reversed(), [Record(record.key, b"12345678") for record in batch]
    elif what == "records":
        data = list(batch)
    elif what == "many cids":
        data = [Record(record.key._replace(cid=record.key.mid % 100), record.value) for record in batch]
    with serving("8") as port, Channel("127.0.0.1", port, payload_type, 60.0, strict=True) as channel:
        held = longest(lambda: channel.put(data))
    assert held < LONGEST
