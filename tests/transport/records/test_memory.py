"""A get of columns takes little more memory than the bytes that come, and a put of columns next to none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowthings_like.records import Channel, Key, RecordBatch, StructPayloadType

from .test_heartbeat import COUNT, serving

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="it reads Linux's figures"),
]


def extra(work: Callable[[], object]) -> int:
    """How many bytes of memory some work needs at its peak."""
    before = _figure("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    work()
    return _figure("VmHWM") - before


def _figure(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def test_columns() -> None:
    payload_type = StructPayloadType[float]("<d")
    kept: list[RecordBatch[float]] = []

    def get() -> None:
        data = channel.get(Key.min(), Key.max()).data
        assert isinstance(data, RecordBatch)
        kept.append(data)

    with serving("8") as port, Channel("127.0.0.1", port, payload_type, 60.0, strict=True) as channel:
        get()  # what is imported at first
        assert extra(get) <= 1.2 * (36 + 44 * COUNT)
        assert extra(lambda: channel.put(kept[0])) < 8 << 20
