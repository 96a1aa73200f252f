"""Binary records: the memory that a get takes, at most and while it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._records import columns, reply
from benchmarks._records_one_by_one import Float, decode_records
from flowthings_like.wire.tstorage.get_reader import GetReader

TITLE = "binary records: peak memory of a get of 1,000,000 records with 8 bytes"
UNIT = "percent of the bytes received"
PEER = "one by one"


def peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not say how much memory a process has held")


def growth(folder: Path, decode: Callable[[Path], object]) -> float:
    """How much memory is taken to decode a reply, which is in a file so that it takes none itself."""
    path = folder / "reply"
    path.write_bytes(stream := reply(columns()))
    size = len(stream)
    del stream
    small = folder / "small"
    small.write_bytes(path.read_bytes()[: 12 + 44 * 1000] + path.read_bytes()[-24:])
    decode(small)  # what a first call leaves behind
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    decoded = decode(path)
    grown = 100 * (peak() - before) / size
    del decoded
    return grown


def to_columns(path: Path) -> object:
    reader = GetReader()
    buffer = memoryview(bytearray(1 << 18))
    with path.open("rb", buffering=0) as file:
        while reader.outcome is None:
            reader.feed(buffer[: file.readinto(buffer)])
    return reader.take().columns()


def one_by_one(path: Path) -> object:
    with path.open("rb", buffering=0) as file:
        return decode_records(file.readinto, Float())


CONTENDERS = {
    PEER: lambda folder: growth(folder, one_by_one),
    "columns": lambda folder: growth(folder, to_columns),
}
TARGETS = [Target("columns", at_most=120)]
