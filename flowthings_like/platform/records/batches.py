"""Received records as the columns of the tables that will have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...wire.tstorage.columns import VariablePayloads
from ...wire.tstorage.record import FIELDS
from .tables import LONG, LONGEST_IN_WORDS, WORD, Table, table_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ...wire.tstorage.columns import RecordColumns

    Payload = NDArray[Any] | VariablePayloads

__all__ = ["Batch", "divide"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one table.

    Attributes:
        table: the table.
        columns: {name: array} of the table's columns, without `position`, and without `acq` in a PUT.
        payload: the payloads of the table `long`, one after the other; otherwise empty.
    """

    table: Table
    columns: dict[str, NDArray[Any]]
    payload: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.columns["cid"])

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return len(self.payload) + sum(column.nbytes for column in self.columns.values())


def divide(records: RecordColumns) -> Iterator[Batch]:
    """Divide records by the tables for them. Those that could never be read are left out.

    A record could never be read if a number of its key is the highest of its field, because the upper bound
    of a range is not in it.
    """
    key: dict[str, NDArray[Any]] = {
        name: array for name in FIELDS if (array := getattr(records, name)) is not None
    }
    payload = records.payload
    unreadable = np.zeros(len(records), bool)
    for name, array in key.items():
        unreadable |= array == FIELDS[name][1]
    if unreadable.any():
        kept = np.flatnonzero(~unreadable)
        key, payload = _chosen(key, kept), _chosen_payloads(payload, kept)
    if isinstance(payload, VariablePayloads):
        yield from _divide_variable(key, payload)
    elif len(payload):
        yield _fixed(key, payload)


def _fixed(key: dict[str, NDArray[Any]], payload: NDArray[Any]) -> Batch:
    size, count = payload.dtype.itemsize, len(payload)
    table = table_for(size)
    flat = np.ascontiguousarray(payload).view(np.uint8) if size else np.empty(0, np.uint8)
    sizes = np.full(count, size, _size_type(table))
    if table is LONG:
        return _batch(table, key, sizes, {}, flat)
    return _batch(table, key, sizes, _words(table, flat.reshape(count, size)))


def _divide_variable(key: dict[str, NDArray[Any]], payloads: VariablePayloads) -> Iterator[Batch]:
    data = np.frombuffer(payloads.data, np.uint8)
    starts, sizes = payloads.offsets[:-1], np.diff(payloads.offsets)
    words = np.where(sizes > LONGEST_IN_WORDS, LONGEST_IN_WORDS // WORD + 1, -(-sizes // WORD))
    for count in np.unique(words):
        chosen = np.flatnonzero(words == count)
        its_sizes = sizes[chosen]
        table = table_for(int(its_sizes[0]))
        its_key = key if len(chosen) == len(sizes) else _chosen(key, chosen)
        stored = its_sizes.astype(_size_type(table))
        if table is LONG:
            yield _batch(table, its_key, stored, {}, _gathered(data, starts[chosen], its_sizes))
        else:
            yield _batch(table, its_key, stored, _words(table, _rows(data, starts[chosen], its_sizes)))


def _batch(
    table: Table,
    key: dict[str, NDArray[Any]],
    sizes: NDArray[Any],
    words: dict[str, NDArray[Any]],
    payload: NDArray[np.uint8] | None = None,
) -> Batch:
    columns = {name: np.ascontiguousarray(array) for name, array in key.items()}
    columns |= {"size": sizes, **words}
    return Batch(table, columns, np.empty(0, np.uint8) if payload is None else payload)


def _words(table: Table, rows: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """The columns for payloads: one in each row, padded or not."""
    assert table.words is not None
    count, size = rows.shape
    whole = table.words * WORD
    if size < whole:
        padded = np.zeros((count, whole), np.uint8)
        padded[:, :size] = rows
        rows = padded
    numbers = rows.view("<u8") if whole else rows
    return {f"w{number}": np.ascontiguousarray(numbers[:, number]) for number in range(table.words)}


def _rows(data: NDArray[np.uint8], starts: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.uint8]:
    """Payloads in rows of the longest one's size, padded with zeros."""
    places = np.arange(int(sizes.max()))
    if not len(places):
        return np.empty((len(sizes), 0), np.uint8)
    within = places < sizes[:, None]
    found = data[np.where(within, starts[:, None] + places, 0)]
    found[~within] = 0
    return found


def _gathered(data: NDArray[np.uint8], starts: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.uint8]:
    """Payloads one after the other. They stand in this order in `data`, with others between them."""
    if int(sizes.sum()) == len(data):
        return data
    return np.concatenate(
        [data[start : start + size] for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    )


def _size_type(table: Table) -> type[Any]:
    return np.int32 if table is LONG else np.uint8


def _chosen(key: dict[str, NDArray[Any]], chosen: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {name: array[chosen] for name, array in key.items()}


def _chosen_payloads(payload: Payload, chosen: NDArray[np.int64]) -> Payload:
    if not isinstance(payload, VariablePayloads):
        return payload[chosen]
    data = np.frombuffer(payload.data, np.uint8)
    sizes = np.diff(payload.offsets)[chosen]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    kept = [
        data[:0],
        *(
            data[start : start + size]
            for start, size in zip(payload.offsets[chosen].tolist(), sizes.tolist(), strict=True)
        ),
    ]
    return VariablePayloads(np.concatenate(kept).data, offsets)
