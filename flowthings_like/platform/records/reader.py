"""Reads the records of a range, a page at a time, from a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...wire.tstorage.columns import RecordColumns, VariablePayloads
from .ranges import conditions
from .tables import LONG, WORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ...wire.tstorage.record import Key
    from .database import Database
    from .payload_file import PayloadFile
    from .tables import Table

__all__ = ["Snapshot", "read_pages"]

_PAGE = 65_536
"""Records that are read with one query."""

_PAYLOAD_BYTES = 4 << 20
"""Bytes of long payloads that are read at once, unless one is larger."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a request sees, whatever is committed meanwhile.

    Attributes:
        horizon: it sees no record with this acq or a higher one.
        rows: {table: rows}: it sees no later row.
    """

    horizon: int
    rows: Mapping[Table, int]


def read_pages(
    database: Database, payload_file: PayloadFile, snapshot: Snapshot, low: Key, high: Key
) -> Iterator[RecordColumns]:
    """The records between two keys, some ten thousand at a time. No transaction is open between two pages.

    Called in native threads.
    """
    wanted = conditions(low, high, snapshot.horizon)
    for table, rows in snapshot.rows.items():
        first = 0
        while first < rows:
            page = database.columns(
                f"select rowid as row, {', '.join(table.columns)} from {table.name} "
                f"where rowid >= {first} and rowid < {rows} and {wanted} limit {_PAGE}"
            )
            found = len(page["row"])
            if found:
                first = int(page["row"][-1]) + 1
                if table is LONG:
                    yield from _long(payload_file, page)
                else:
                    yield _records(page, _payloads(table, page))
            if found < _PAGE:
                break


def _records(page: dict[str, Any], payload: NDArray[Any] | VariablePayloads) -> RecordColumns:
    return RecordColumns(page["cid"], page["mid"], page["moid"], page["cap"], page["acq"], payload)


def _payloads(table: Table, page: dict[str, Any]) -> NDArray[Any] | VariablePayloads:
    """The payloads, put together from their numbers."""
    assert table.words is not None
    sizes, whole = page["size"], table.words * WORD
    numbers = np.empty((len(sizes), table.words), "<u8")
    for word in range(table.words):
        numbers[:, word] = page[f"w{word}"]
    padded = numbers.view(np.uint8)
    size = int(sizes[0])
    if (sizes == size).all():
        exact = padded if size == whole else np.ascontiguousarray(padded[:, :size])
        return exact.view(f"V{size}").reshape(-1) if size else np.empty(len(sizes), "V0")
    data = padded[np.arange(whole) < sizes[:, None]]
    return VariablePayloads(data.data, _offsets(sizes))


def _long(payload_file: PayloadFile, page: dict[str, Any]) -> Iterator[RecordColumns]:
    """The records of a page, divided so that not too many bytes of payloads are in memory."""
    ends = np.cumsum(page["size"], dtype=np.int64)
    first, count = 0, len(ends)
    while first < count:
        before = int(ends[first - 1]) if first else 0
        until = max(first + 1, int(np.searchsorted(ends, before + _PAYLOAD_BYTES, "right")))
        part = {name: column[first:until] for name, column in page.items()}
        yield _records(part, _read_payloads(payload_file, part["position"], part["size"]))
        first = until


def _read_payloads(
    payload_file: PayloadFile, positions: NDArray[np.int64], sizes: NDArray[np.int32]
) -> NDArray[Any] | VariablePayloads:
    offsets = _offsets(sizes)
    data = np.empty(int(offsets[-1]), np.uint8)
    # Payloads that stand one after the other in the file are read at once.
    breaks = np.flatnonzero(positions[:-1] + sizes[:-1] != positions[1:]) + 1
    starts = np.concatenate([np.zeros(1, np.int64), breaks])
    edges = offsets[np.concatenate([starts, [len(sizes)]])]
    view = data.data
    for position, start, end in zip(
        positions[starts].tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True
    ):
        payload_file.read(position, view[start:end])
    size = int(sizes[0])
    if (sizes == size).all():
        return data.view(f"V{size}")
    return VariablePayloads(view, offsets)


def _offsets(sizes: NDArray[Any]) -> NDArray[np.int64]:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
