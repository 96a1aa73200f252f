"""Turns what a caller puts into the buffers of a request. All records are checked before one is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...green.backends.fairness import SLICE, fair_yield
from ...transport.outgoing_values import resolve
from ...wire.tstorage.columns import RecordColumns
from ...wire.tstorage.layout import MAX_PAYLOAD, Form
from ...wire.tstorage.put_encoder import KeysAndPayloads, encode_columns, encode_records
from ...wire.tstorage.record import FIELDS, InvalidRecord, Key, Record
from .record_batch import RecordBatch

if TYPE_CHECKING:
    from .payload_types import PayloadType

__all__ = ["Request", "encode"]

PIECE = 2000
"""Records that are converted together. It takes about a millisecond."""


@dataclass(frozen=True, slots=True)
class Request:
    """A put that is ready to be sent.

    Attributes:
        buffers: its bytes, in parts.
        skipped: how many records are left out because they are invalid.
    """

    buffers: Iterable[bytes | memoryview]
    skipped: int


def encode(
    form: Form, data: Any, payload_type: PayloadType[Any], max_batch_size: int, *, skip_invalid: bool
) -> Request:
    """Encode a put.

    Args:
        form: with acq or without.
        data: a RecordBatch; a structured array, a dict of arrays or a table; or an iterable of Records.
        payload_type: what the payloads are.
        max_batch_size: bytes of a batch.
        skip_invalid: leave out the records that cannot be sent.

    Raises:
        InvalidRecord: a record cannot be sent, and `skip_invalid` is not set.
        InvalidInput: `data` or `max_batch_size` cannot be used.
        Exception: what the payload type raises for a value that it cannot convert, unless that is skipped.
    """
    data = resolve(data)
    if isinstance(data, Mapping) or getattr(getattr(data, "dtype", None), "names", None):
        data = RecordBatch.from_numpy(data, payload_type)
    elif hasattr(data, "__arrow_c_stream__") and not isinstance(data, RecordBatch):
        data = RecordBatch.from_arrow(data, payload_type)
    if isinstance(data, RecordBatch):
        return _of_columns(form, data, payload_type, max_batch_size, skip_invalid)
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        raise InvalidInput(f"put takes Records or a RecordBatch, not {type(data).__name__}")
    records = data if isinstance(data, list | tuple) else list(data)
    pieces = _Pieces(records, payload_type, is_with_acq=form is Form.PUTA, skips=skip_invalid)
    if len(records) <= PIECE:
        buffers = list(encode_records(form, [pieces.piece(0)], max_batch_size=max_batch_size))
    else:
        buffers = list(_fairly(encode_records(form, pieces, max_batch_size=max_batch_size)))
    return Request(buffers, pieces.skipped)


def _of_columns(
    form: Form, batch: RecordBatch[Any], payload_type: PayloadType[Any], max_batch_size: int, skips: bool
) -> Request:
    from .columns import payload_column  # it needs numpy, as the batch does

    if batch.payload_type is not payload_type:
        payload = payload_column(payload_type, batch.payload)
        batch = RecordBatch._of([*(getattr(batch, name) for name in FIELDS), payload], payload_type)
    valid = batch.cid >= 0
    skipped = len(batch) - int(valid.sum())
    if skipped and not skips:
        first = int(valid.argmin())
        raise InvalidRecord(f"record {first}: {batch[first].key.problem()}", first)
    if skipped:
        batch = batch[valid]
    columns = RecordColumns(
        batch.cid, batch.mid, batch.moid, batch.cap, batch.acq if form is Form.PUTA else None, batch.payload
    )
    buffers = encode_columns(form, columns, max_batch_size=max_batch_size)
    first_one = next(buffers)  # all is checked before it is made
    return Request(chain([first_one], buffers), skipped)


def _fairly(buffers: Iterable[Any]) -> Iterator[Any]:
    until = monotonic() + SLICE
    for buffer in buffers:
        yield buffer
        if monotonic() > until:
            fair_yield()
            until = monotonic() + SLICE


class _Pieces:
    """Records in pieces of keys and payloads. Other threads run between two pieces.

    Attributes:
        skipped: how many records were left out.
    """

    def __init__(
        self,
        records: Sequence[Record[Any]],
        payload_type: PayloadType[Any],
        *,
        is_with_acq: bool,
        skips: bool,
    ) -> None:
        self._records = records
        self._payload_type = payload_type
        self._is_with_acq = is_with_acq
        self._skips = skips
        self.skipped = 0

    def __iter__(self) -> Iterator[KeysAndPayloads]:
        pieces = (self.piece(start) for start in range(0, len(self._records), PIECE))
        return _fairly(pieces)

    def piece(self, start: int) -> KeysAndPayloads:
        """The records from there on, as many as are converted together."""
        records = self._records[start : start + PIECE]
        if self._skips:
            return self._valid_ones(records)
        try:
            keys = [record[0] for record in records]
            values = [record[1] for record in records]
        except (TypeError, IndexError, KeyError):
            raise InvalidInput("put takes Records, such as Record(Key(cid=0, …), value)") from None
        return KeysAndPayloads(keys, self._payload_type.payloads(values))

    def _valid_ones(self, records: Sequence[Record[Any]]) -> KeysAndPayloads:
        to_bytes = self._payload_type.to_bytes
        keys, payloads = [], []
        for record in records:
            try:
                key, payload = Key(*record[0]), to_bytes(record[1])
                fits = len(payload) <= MAX_PAYLOAD
            except Exception:
                fits = False
            if fits and not (key if self._is_with_acq else key._replace(acq=0)).problem():
                keys.append(key)
                payloads.append(payload)
            else:
                self.skipped += 1
        return KeysAndPayloads(keys, payloads)
