"""Channels and records for the benchmarks of binary records over sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._canned_records import RECORDS, port

FORMAT = "<d"


@contextmanager
def ours(memory_limit: int | None = None) -> Iterator[Any]:
    """A connected channel of ours, for doubles."""
    from flowthings_like.records import Channel, StructPayloadType

    with Channel("127.0.0.1", port(), StructPayloadType(FORMAT), memory_limit=memory_limit) as channel:
        yield channel


def raw() -> socket.socket:
    """A connection without a channel. It sends what it is given at once, in any number of packets."""
    return socket.create_connection(("127.0.0.1", port()))


def columns(count: int = RECORDS) -> Any:
    """Records of one client as columns. No four bytes of theirs are the mark that ends a put."""
    import numpy as np

    from flowthings_like.records import RecordBatch, StructPayloadType

    numbers = np.arange(count, dtype="i8")
    zeros = np.zeros(count, "i4")
    of = StructPayloadType(FORMAT)
    return RecordBatch(zeros + 7, numbers, zeros, numbers * 1_000, numbers, numbers / 8, payload_type=of)


def objects(count: int = RECORDS) -> list[Any]:
    """The same records as objects."""
    from flowthings_like.records import Key, Record

    return [Record(Key(7, number, 0, number * 1_000, number), number / 8) for number in range(count)]
