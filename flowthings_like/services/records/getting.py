"""Turns the records of an answer into what callers get: a RecordBatch, or a list of Records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...green.backends.fairness import SLICE, fair_yield
from ...wire.gc_paused import with_gc_paused
from ...wire.tstorage.record import FIELDS, Record
from ...wire.tstorage.scan import numpy_or_none
from .record_batch import RecordBatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.tstorage.block import RecordBlock
    from .payload_types import PayloadType

__all__ = ["Parsed", "parse"]

TOGETHER = 4096
"""Records that are made together. It takes a few milliseconds."""

_new_record = partial(tuple.__new__, Record)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Records of an answer.

    Attributes:
        data: the records, up to the first that cannot be read.
        problem: why that one cannot be read; "" if there is none.
    """

    data: RecordBatch[Any] | list[Record[Any]]
    problem: str


def parse(block: RecordBlock, payload_type: PayloadType[Any]) -> Parsed:
    """The records of a block: as columns if that is possible, and no records as no columns."""
    size = block.payload_size if len(block) else payload_type.size
    if size is not None and numpy_or_none() is not None:
        dtype = payload_type.column_dtype(size)
        if dtype is not None:
            rows = block.rows(dtype)
            columns = [rows[name] for name in (*FIELDS, "payload")]
            return Parsed(RecordBatch._of(columns, payload_type), "")
    return _parse_objects(block, payload_type)


def _parse_objects(block: RecordBlock, payload_type: PayloadType[Any]) -> Parsed:
    found: list[Record[Any]] = []
    for part in _slices(block):
        records, problem = with_gc_paused(_records, part, payload_type)
        found += records
        if problem:
            return Parsed(found, f"record {len(found)}: {problem}")
    return Parsed(found, "")


def _slices(block: RecordBlock) -> Iterator[RecordBlock]:
    """The parts of a block. Other threads run between them."""
    until = monotonic() + SLICE
    for start in range(0, len(block), TOGETHER):
        yield block[start : start + TOGETHER]
        if monotonic() > until:
            fair_yield()
            until = monotonic() + SLICE


def _records(block: RecordBlock, payload_type: PayloadType[Any]) -> tuple[list[Record[Any]], str]:
    keys, payloads = block.keys(), block.payloads()
    values = list(map(payload_type.from_bytes, payloads))
    problem = ""
    place = next((place for place, value in enumerate(values) if value is None), None)
    if place is not None:
        size = len(payloads[place])
        problem = f"its payload of {size} bytes does not stand for a value of {payload_type!r}"
        keys, values = keys[:place], values[:place]
    return list(map(_new_record, zip(keys, values, strict=True))), problem
