"""Binary records: decoding the reply to a GET of a million records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import Target
from benchmarks._records import COUNT, as_records, columns, rate, received, reply
from benchmarks._records_one_by_one import Float, decode_records
from flowthings_like.wire.gc_paused import with_gc_paused
from flowthings_like.wire.tstorage.get_reader import GetReader

if TYPE_CHECKING:
    from flowthings_like.wire.tstorage.block import RecordBlock

TITLE = "binary records: 1,000,000 records with 8 bytes decoded from the reply to a GET"
UNIT = "records/s of CPU time"
PEER = "one by one"


def read(stream: bytes) -> RecordBlock:
    reader = GetReader()
    for piece in received(stream):
        reader.feed(piece)
    return reader.take()


def to_columns(stream: bytes) -> Any:
    return read(stream).columns()


def to_records(stream: bytes) -> Any:
    block = read(stream)
    return as_records(block.keys(), block.rows(np.dtype("<f8"))["payload"].tolist())


def in_pieces(stream: bytes) -> Any:
    reader, count = GetReader(), 0
    for piece in received(stream):
        reader.feed(piece)
        count += len(reader.take().columns())
    return range(count)


def measured(decode: Callable[[bytes], Any], payload: str = "<f8") -> Callable[[Path], float]:
    def measure(_folder: Path) -> float:
        stream = reply(columns(1, payload))
        assert len(decode(stream)) == COUNT
        return rate(lambda: decode(stream))

    return measure


def one_by_one(_folder: Path) -> float:
    stream = memoryview(reply(columns()))

    def decode() -> Any:
        at = 0

        def receive_into(buffer: memoryview) -> int:
            nonlocal at
            part = stream[at : at + len(buffer)]
            buffer[: len(part)] = part
            at += len(part)
            return len(part)

        return decode_records(receive_into, Float())

    return rate(decode)


CONTENDERS = {
    PEER: one_by_one,
    "columns": measured(to_columns),
    "columns, taken in pieces": measured(in_pieces),
    "columns, 100 bytes": measured(to_columns, "V100"),
    "records": measured(lambda stream: with_gc_paused(to_records, stream)),
}
TARGETS = [
    Target("columns", at_least=40_000_000),
    Target("records", at_least=1_500_000),
]
