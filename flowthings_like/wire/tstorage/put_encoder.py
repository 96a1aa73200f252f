"""Encodes puts: the whole request, from its header to the end mark, in slices.

The records of a slice are sent in batches by cid: the cids in the order in which they first appear, and the
records of each in the order in which they were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .layout import MAX_BATCH, SLICE, Form

if TYPE_CHECKING:
    from .columns import RecordColumns
    from .record import Key

__all__ = ["KeysAndPayloads", "encode_columns", "encode_records"]


class KeysAndPayloads(NamedTuple):
    """Some records that are to be put. Both sequences have one item for each.

    Attributes:
        keys: tuples of cid, mid, moid, cap and acq.
        payloads: bytes or bytearrays.
    """

    keys: Sequence[Key]
    payloads: Sequence[bytes | bytearray]


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
    raise NotImplementedError


def encode_columns(
    form: Form, columns: RecordColumns, *, max_batch_size: int = MAX_BATCH, slice_size: int = SLICE
) -> Iterator[memoryview]:
    """The buffers that put columns, to be sent one after the other. Needs numpy.

    The columns are checked before the first buffer is made. See `encode_records` for the rest.
    """
    raise NotImplementedError
