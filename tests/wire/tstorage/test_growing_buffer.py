"""The buffer that the reply to a GET is gathered in, and how much memory it takes."""

from __future__ import annotations

import mmap
import random
import subprocess
import sys

import numpy as np
import pytest

from flowthings_like.wire.tstorage import growing_buffer
from flowthings_like.wire.tstorage.growing_buffer import GrowingBuffer

pytestmark = pytest.mark.once

LIMIT = 1 << 20
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="a mapping is used on Linux only")


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("first", [b"", b"abc", bytes(LIMIT), b"x" * (LIMIT + 5)])
def test_what_was_added_is_there(system: str, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "linux" and sys.platform != "linux":
        pytest.skip("a mapping is used on Linux only")
    monkeypatch.setattr(sys, "platform", system)
    chance = random.Random(7)
    buffer, expected = GrowingBuffer(first), bytearray(first)
    while len(expected) < 12 * LIMIT:
        data = chance.randbytes(chance.choice((0, 1, 100, 65_536, LIMIT - 1, LIMIT)))
        buffer.append(memoryview(data))
        expected += data
        assert buffer.size == len(expected)
    assert buffer.data[: buffer.size] == expected
    assert isinstance(buffer.data, mmap.mmap if system == "linux" else bytearray)


@needs_linux
def test_a_mapping_that_is_full_to_the_last_byte() -> None:
    buffer = GrowingBuffer()
    buffer.append(b"x" * (2 * LIMIT))
    assert len(buffer.data) == 2 * LIMIT
    buffer.append(b"y")
    assert buffer.data[2 * LIMIT - 1 : buffer.size] == b"xy"


@needs_linux
def test_a_view_is_never_left_without_its_memory() -> None:
    buffer = GrowingBuffer()
    buffer.append(b"x" * (2 * LIMIT))
    view = np.frombuffer(buffer.data, "u1", buffer.size)
    with pytest.raises(BufferError):
        buffer.append(bytes(8 * LIMIT))
    assert buffer.size == 2 * LIMIT
    assert (view == ord("x")).all()
    del view
    buffer.append(bytes(8 * LIMIT))
    kept = np.frombuffer(buffer.data, "u1", 5)
    del buffer
    assert bytes(kept) == b"xxxxx"


@needs_linux
def test_a_system_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        MAP_PRIVATE = MAP_ANONYMOUS = 0

        @staticmethod
        def mmap(*_arguments: object, **_options: object) -> None:
            raise OSError(12, "Cannot allocate memory")

    buffer = GrowingBuffer(b"abc")
    monkeypatch.setattr(growing_buffer, "mmap", Full)
    with pytest.raises(MemoryError, match="no memory for 2097155 bytes"):
        buffer.append(bytes(2 * LIMIT))
    assert (buffer.size, bytes(buffer.data)) == (3, b"abc")


MEASURE = """
from pathlib import Path
import numpy as np
from flowthings_like.wire.tstorage.get_reader import GetReader
from flowthings_like.wire.tstorage.layout import Form, row_dtype
from flowthings_like.wire.tstorage.replies import ACCEPTED, end_of_records

def peak():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))

for mebibytes in (8, 16, 31, 40):
    bytes(mebibytes << 20)  # from now on the C library copies blocks of this size when they grow
rows = np.zeros(5957, row_dtype(Form.GET, 8))
rows["_size"] = 40
piece = memoryview(rows.tobytes())
reader = GetReader()
reader.feed(ACCEPTED)
reader.feed(piece)
Path("/proc/self/clear_refs").write_text("5")
before = peak()
for _ in range(167):
    reader.feed(piece)
reader.feed(end_of_records(1))
columns = reader.take().columns()
assert len(columns) == 168 * 5957
print((peak() - before) / reader.received)
"""


@needs_linux
def test_the_memory_of_a_million_records_in_columns() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert 0.9 < float(done.stdout) < 1.2
