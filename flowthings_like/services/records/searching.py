"""The exchanges of a search: a GET for each of its ranges, one after the other on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ...transport.call_scope import limit_seconds
from ...wire.tstorage.get_reader import GetReader
from ...wire.tstorage.record import FIELDS
from ...wire.tstorage.requests import acq_request, get_request
from .exchanges import ask_acq, get_parts
from .getting import parse
from .record_batch import RecordBatch
from .responses import ResponseAcq, ResponseGet, ResponseStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...transport.records.connection import RecordsConnection
    from ...wire.tstorage.record import Record
    from .payload_types import PayloadType
    from .search import Search

__all__ = ["search_all", "search_parts"]

T = TypeVar("T")

TESTED_AT_ONCE = 4 << 20
"""Bytes of records that are tested with a filter together."""


def search_parts(
    connection: RecordsConnection,
    search: Search,
    payload_type: PayloadType[T],
    limit: int | None,
    at_once: int,
    part: int | None,
    timeout: float | None,
) -> Iterator[RecordBatch[T] | list[Record[T]] | ResponseAcq]:
    """Get the records that a search wants in parts, none of which is empty. The last item is the answer.

    Its acq is the least of those of all ranges.

    Args:
        limit, at_once, part: as for `get_parts`.
        timeout: seconds for each step.

    Raises:
        ConnectionLostError: nothing came for a range. DeadlineExceeded: nothing came in time.
    """
    acq = FIELDS["acq"][1]
    for number, wanted in enumerate(search.ranges):
        if number:
            connection.begin(limit_seconds(timeout))
        request = get_request(wanted.low, wanted.high)
        for found in get_parts(connection, request, payload_type, limit, at_once, part):
            if not isinstance(found, ResponseAcq):
                matching = search.matching(found)
                if len(matching):
                    yield matching
            elif found:
                acq = min(acq, found.acq)
            else:
                yield found
                return
    if search.ranges:
        yield ResponseAcq(ResponseStatus.OK, acq)
    else:  # no record can match, so the server is asked for the acq alone
        yield ask_acq(connection, acq_request(search.whole.low, search.whole.high))


def search_all(
    connection: RecordsConnection,
    search: Search,
    payload_type: PayloadType[T],
    limit: int | None,
    at_once: int,
    timeout: float | None,
) -> ResponseGet[T]:
    """Get all records that a search wants.

    Args:
        limit: bytes that the records may have, not counting those that do not match; None for any number.

    Raises:
        ConnectionLostError: nothing came for a range. DeadlineExceeded: nothing came in time.
    """
    part = TESTED_AT_ONCE if limit is None else min(limit, TESTED_AT_ONCE)
    parts: list[RecordBatch[T] | list[Record[T]]] = []
    size = 0
    for found in search_parts(connection, search, payload_type, limit, at_once, part, timeout):
        if isinstance(found, ResponseAcq):
            return ResponseGet(found.status, found.acq, _together(parts, payload_type), reason=found.reason)
        parts.append(found)
        if limit is not None:
            size += _size(found, payload_type)
            if size > limit:
                reason = f"the records that match have more than {limit} bytes, the channel's memory_limit"
                del parts[-1]
                return ResponseGet(
                    ResponseStatus.NO_MEMORY, data=_together(parts, payload_type), reason=reason
                )
    raise AssertionError


def _size(records: RecordBatch[Any] | list[Record[Any]], payload_type: PayloadType[Any]) -> int:
    """The bytes that some records have in an answer."""
    head = 4 + 32  # the size of the payload, and the key
    if isinstance(records, RecordBatch):
        return len(records) * (head + records.payload.dtype.itemsize)
    return sum(head + len(payload_type.to_bytes(record.value)) for record in records)


def _together(
    parts: Sequence[RecordBatch[T] | list[Record[T]]], payload_type: PayloadType[T]
) -> RecordBatch[T] | list[Record[T]]:
    """The records of all parts: columns if all parts have such with equal payloads, else a list."""
    if not parts:
        return parse(GetReader().take(), payload_type).data
    if len(parts) == 1:
        return parts[0]
    batches = [part for part in parts if isinstance(part, RecordBatch)]
    if len(batches) < len(parts) or len({part.payload.dtype for part in batches}) > 1:
        return [record for part in parts for record in part]
    import numpy as np

    columns = [np.concatenate([getattr(part, name) for part in batches]) for name in (*FIELDS, "payload")]
    return RecordBatch._of(columns, payload_type)
