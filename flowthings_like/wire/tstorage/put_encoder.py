"""Encodes puts: the whole request, from its header to the end mark, in slices.

The records of a slice are sent in batches by cid: the cids in the order in which they first appear, and the
records of each in the order in which they were given.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice, repeat, starmap
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import InvalidInput
from .columns import VariablePayloads
from .framing import fill_rows, frame, slices
from .layout import BATCH, HEADER, I32, MAX_BATCH, MAX_PAYLOAD, SLICE, Form, row_dtype
from .record import InvalidRecord, Key, find_invalid_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .columns import RecordColumns

__all__ = ["KeysAndPayloads", "encode_columns", "encode_records"]


_END = I32.pack(-1)
_ROWS_AT_ONCE = 256


class KeysAndPayloads(NamedTuple):
    """Some records that are to be put. Both sequences have one item for each.

    Attributes:
        keys: tuples of cid, mid, moid, cap and acq.
        payloads: bytes-like objects; with a format, values for it.
        format: if each payload is one number, its character for `struct`, without a byte order, for example
            "d". It is packed with the key then, little-endian, which is faster than to do it before.
    """

    keys: Sequence[Key]
    payloads: Sequence[Any]
    format: str | None = None


def encode_records(
    form: Form,
    pieces: Iterable[KeysAndPayloads],
    *,
    max_batch_size: int = MAX_BATCH,
    slice_size: int = SLICE,
) -> Iterator[bytes]:
    """The buffers that put records, to be sent one after the other. Does not need numpy.

    A small put is one buffer, with the header and the end mark. To know that all records are valid before
    one is sent, collect the buffers first.

    Args:
        form: Form.PUT, which does not send acq, or Form.PUTA.
        pieces: the records, some hundred or thousand in a piece; each piece is encoded when it is asked for.
            A small put is one piece.
        max_batch_size: bytes of a batch without its head. A record that is larger has a batch of its own.
        slice_size: bytes of a buffer, about.

    Raises:
        InvalidRecord: at the piece with a record whose key or payload cannot be sent. Its index counts from
            the first record of all pieces.
        InvalidInput: max_batch_size is not between 1 and MAX_BATCH. It is raised at the first buffer.
    """
    _check_batch_size(max_batch_size)
    parts = [HEADER.pack(form.command, 0)]
    size = done = 0
    for piece in pieces:
        for part in _encode_piece(form, piece, min(max_batch_size, slice_size), done):
            parts.append(part)
            size += len(part)
            if size >= slice_size:
                yield b"".join(parts)
                parts, size = [], 0
        done += len(piece.keys)
    parts.append(_END)
    yield b"".join(parts)


def encode_columns(
    form: Form, columns: RecordColumns, *, max_batch_size: int = MAX_BATCH, slice_size: int = SLICE
) -> Iterator[memoryview]:
    """The buffers that put columns, to be sent one after the other. Needs numpy.

    The columns are checked before the first buffer is made. See `encode_records` for the rest.
    """
    _check_batch_size(max_batch_size)
    _check_columns(columns)
    payload, count = columns.payload, len(columns)
    if not count or isinstance(payload, VariablePayloads):
        for buffer in encode_records(
            form, _as_pieces(form, columns, slice_size), max_batch_size=max_batch_size, slice_size=slice_size
        ):
            yield memoryview(buffer)
        return
    lead = HEADER.pack(form.command, 0)
    for start, stop in slices(form, payload, slice_size):
        tail = _END if stop == count else b""
        yield _encode_slice(form, columns[start:stop], payload.dtype.itemsize, max_batch_size, lead, tail)
        lead = b""


def _check_batch_size(max_batch_size: int) -> None:
    if not 1 <= max_batch_size <= MAX_BATCH:
        raise InvalidInput(f"max_batch_size must be 1 to {MAX_BATCH}, but is {max_batch_size}")


# Records


def _encode_piece(form: Form, piece: KeysAndPayloads, max_batch_size: int, done: int) -> Iterator[bytes]:
    """The batches of some records: heads and records in turn."""
    keys, payloads = piece.keys, piece.payloads
    if not len(keys):
        return
    try:
        cids, *fields = zip(*keys, strict=True)
        columns = [*fields[: len(form.key_fields)], payloads if piece.format else _as_bytes(payloads)]
        distinct = set(cids)
        if min(distinct) < 0:
            raise struct.error("a cid is negative")
        if len(distinct) == 1:
            yield from _encode_batches(form, cids[0], columns, piece.format, max_batch_size)
            return
        groups: dict[int, list[int]] = defaultdict(list)
        for place, cid in enumerate(cids):
            groups[cid].append(place)
        for cid, places in groups.items():
            chosen = [[column[place] for place in places] for column in columns]
            yield from _encode_batches(form, cid, chosen, piece.format, max_batch_size)
    except (struct.error, TypeError) as error:
        found = find_invalid_key(keys, with_acq=form is Form.PUTA, first=done)
        found = found or _find_too_large(payloads, done)
        raise found or InvalidRecord(f"a payload that cannot be put: {error}") from None


def _as_bytes(payloads: Sequence[Any]) -> Sequence[bytes | bytearray]:
    """The payloads, with each other bytes-like object as bytes."""
    if set(map(type, payloads)) <= {bytes, bytearray}:
        return payloads
    return [bytes(memoryview(payload)) for payload in payloads]


def _encode_batches(
    form: Form, cid: int, columns: Sequence[Sequence[Any]], format: str | None, max_batch_size: int
) -> Iterator[bytes]:
    """The batches of records of one cid.

    Args:
        columns: the fields that each record has of its key, and the payloads.
    """
    payloads, count = columns[-1], len(columns[-1])
    head = 4 + form.key_size
    sizes = {struct.calcsize(f"<{format}")} if format else set(map(len, payloads))
    if max(sizes) > MAX_PAYLOAD:
        raise struct.error("a payload is too large")
    if len(sizes) == 1:
        size = sizes.pop()
        row_format = f"i{form.key_format}{format or f'{size}s'}"
        step = max(1, max_batch_size // (head + size))
        for start in range(0, count, step):
            chosen = columns if step >= count else [column[start : start + step] for column in columns]
            yield BATCH.pack(cid, len(chosen[-1]) * (head + size))
            yield _pack_uniform(row_format, form.key_size + size, chosen)
        return
    start = batch = 0
    for place, payload_size in enumerate([*map(len, payloads), max_batch_size]):  # the last one ends a batch
        if batch and batch + head + payload_size > max_batch_size:
            yield BATCH.pack(cid, batch)
            yield _pack_variable(form, [column[start:place] for column in columns])
            start, batch = place, 0
        batch += head + payload_size


def _pack_uniform(row_format: str, size: int, columns: Sequence[Sequence[Any]]) -> bytes:
    """Records of one size.

    Args:
        row_format: of a record, for `struct`.
        size: what is written as the size of each.
    """
    rows = zip(repeat(size), *columns, strict=False)
    count = len(columns[-1]) // _ROWS_AT_ONCE
    packed: list[bytes] = []
    if count:
        pack = _struct(row_format, _ROWS_AT_ONCE).pack
        packed += (pack(*chain.from_iterable(islice(rows, _ROWS_AT_ONCE))) for _ in range(count))
    packed += starmap(_struct(row_format, 1).pack, rows)
    return b"".join(packed)


def _pack_variable(form: Form, columns: Sequence[Sequence[Any]]) -> bytes:
    """Records of any sizes."""
    *fields, payloads = columns
    rows = zip((form.key_size + len(payload) for payload in payloads), *fields, strict=True)
    heads = starmap(_struct(f"i{form.key_format}", 1).pack, rows)
    return b"".join(chain.from_iterable(zip(heads, payloads, strict=True)))


@lru_cache(maxsize=32)
def _struct(row_format: str, count: int) -> struct.Struct:
    return struct.Struct("<" + row_format * count)


def _find_too_large(payloads: Sequence[Any], first: int) -> InvalidRecord | None:
    for index, payload in enumerate(payloads, first):
        with suppress(TypeError):  # it is no bytes-like object
            size = memoryview(payload).nbytes
            if size > MAX_PAYLOAD:
                return _payload_too_large(size, index)
    return None


# Columns


def _check_columns(columns: RecordColumns) -> None:
    payload = columns.payload
    if len(columns) and int(columns.cid.min()) < 0:
        index = int((columns.cid < 0).argmax())
        raise InvalidRecord(f"record {index} cannot be put: its cid is negative", index)
    if not isinstance(payload, VariablePayloads) and payload.dtype.itemsize > MAX_PAYLOAD:
        raise _payload_too_large(payload.dtype.itemsize, 0)


def _payload_too_large(size: int, index: int) -> InvalidRecord:
    return InvalidRecord(
        f"record {index} cannot be put: its payload has {size} bytes; at most {MAX_PAYLOAD} are stored", index
    )


def _encode_slice(
    form: Form, columns: RecordColumns, payload_size: int, max_batch_size: int, lead: bytes, tail: bytes
) -> memoryview:
    """The batches of a slice, between a lead and a tail."""
    import numpy as np

    dtype = row_dtype(form, payload_size)
    step = max(1, max_batch_size // dtype.itemsize)
    cid, count = columns.cid, len(columns)
    is_one = bool((cid == cid[0]).all())
    if is_one and count <= step:  # write it in place
        head = lead + BATCH.pack(cid[0], count * dtype.itemsize)
        buffer = np.empty(len(head) + count * dtype.itemsize + len(tail), "u1")
        buffer[: len(head)] = bytearray(head)
        buffer[len(buffer) - len(tail) :] = bytearray(tail)
        fill_rows(np.ndarray(count, dtype, buffer, len(head)), columns)
        return buffer.data
    bounds = [(0, count)]
    if not is_one:
        order, bounds = _group(cid)
        columns = columns[order]
    records = frame(form, columns)
    parts: list[bytes | memoryview] = [lead]
    for start, stop in bounds:
        for at in range(start, stop, step):
            batch = records[at * dtype.itemsize : min(at + step, stop) * dtype.itemsize]
            parts += (BATCH.pack(columns.cid[at], len(batch)), batch)
    return memoryview(b"".join([*parts, tail]))


def _group(cid: NDArray[np.int32]) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """The order that sorts by cid, and the start and stop of each cid in it, by first appearance."""
    import numpy as np

    lowest = int(cid.min())
    near = int(cid.max()) - lowest < 1 << 16
    order = np.argsort((cid - lowest).astype("u2") if near else cid, kind="stable")  # 16 bits: by radix
    starts = np.flatnonzero(np.diff(cid[order], prepend=-1))
    stops = np.append(starts[1:], len(cid))
    by_appearance = np.argsort(order[starts])
    pairs = zip(starts[by_appearance].tolist(), stops[by_appearance].tolist(), strict=True)
    return order, list(pairs)


def _as_pieces(form: Form, columns: RecordColumns, slice_size: int) -> Iterator[KeysAndPayloads]:
    """Columns with payloads of different sizes, as pieces of records."""
    acq = columns.field("acq" if form is Form.PUTA else "cap")  # PUT does not send it
    for start, stop in slices(form, columns.payload, slice_size):
        piece = columns[start:stop]
        fields = piece.cid, piece.mid, piece.moid, piece.cap, acq[start:stop]
        keys = list(map(Key._make, zip(*(field.tolist() for field in fields), strict=True)))
        yield KeysAndPayloads(keys, list(map(bytes, piece.payload.tolist())))
