"""What the benchmarks of binary records share: a million records, and their work in a second."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np

from flowthings_like.wire.tstorage.columns import RecordColumns
from flowthings_like.wire.tstorage.put_encoder import KeysAndPayloads
from flowthings_like.wire.tstorage.record import Key, Record
from flowthings_like.wire.tstorage.replies import ACCEPTED, encode_reply_records, end_of_records

COUNT = 1_000_000
ROUNDS = 5
"""The best of the rounds counts: the others have a neighbour's share of the caches in them."""
PIECE = 4096
RECEIVED = 1 << 18


def columns(cids: int = 1, payload: str = "<f8") -> RecordColumns:
    """A million records."""
    number = np.arange(COUNT)
    return RecordColumns(
        cid=(number % cids).astype("i4"),
        mid=number // 1000,
        moid=(number % 1000).astype("i4"),
        cap=number * 1_000_000_000,
        acq=number + 7,
        payload=number / 7 if payload == "<f8" else np.zeros(COUNT, payload),
    )


def reply(records: RecordColumns) -> bytes:
    """The reply to a GET of these records."""
    return ACCEPTED + b"".join(encode_reply_records(records)) + end_of_records(5)


def objects(make_key: Callable[..., Any] = Key, make_record: Callable[[Any, Any], Any] = Record) -> list[Any]:
    """A million records as objects, with a float each."""
    data = columns()
    fields = (field.tolist() for field in (data.cid, data.mid, data.moid, data.cap, data.acq))
    keys = map(make_key, *fields)
    return list(map(make_record, keys, data.payload.tolist()))


def floats(records: list[Record[float]]) -> Iterator[KeysAndPayloads]:
    """Records with a float each, as pieces to be put."""
    for start in range(0, len(records), PIECE):
        keys, values = zip(*records[start : start + PIECE], strict=True)
        yield KeysAndPayloads(keys, values, "d")


def as_records(keys: list[Key], values: Iterable[Any]) -> list[Record[Any]]:
    """Records of keys and values."""
    return list(map(tuple.__new__, repeat(Record), zip(keys, values, strict=True)))


def received(stream: bytes) -> Iterator[memoryview]:
    """A stream as it is received, some 100 KiB at a time."""
    view = memoryview(stream)
    for start in range(0, len(view), RECEIVED):
        yield view[start : start + RECEIVED]


def rate(work: Callable[[], Any]) -> float:
    """How many records are worked on in a second of CPU time."""
    found = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        done = work()
        found.append(time.process_time() - started)
        del done
    return COUNT / min(found)
