"""A block of received records, still as the bytes that came."""

from __future__ import annotations

import struct
from array import array
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from .columns import RecordColumns, VariablePayloads
from .layout import I32, Form, row_dtype
from .record import Key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from mmap import mmap

    import numpy as np
    from numpy.typing import NDArray

    from .scan import RecordStarts

__all__ = ["RecordBlock"]


class RecordBlock:
    """Received records. No object is made for a record until one is asked for.

    Attributes:
        form: of the records.
        payload_size: bytes of each payload; None if they differ, or if there is no record.
    """

    __slots__ = ("_cids", "_data", "_places", "form", "payload_size")

    def __init__(
        self, form: Form, data: bytearray | mmap, starts: RecordStarts, cids: int | array[int] | None = None
    ) -> None:
        """A block of records in `data`, which nobody changes any more.

        Args:
            starts: where the records stand.
            cids: of PUT and PUTA, which do not have it in each record: of all, or of each.
        """
        self.form = form
        self.payload_size = starts.stride - 4 - form.key_size if starts.stride > 0 else None
        self._data = data
        self._places = starts.places
        self._cids = cids

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, places: slice) -> RecordBlock:
        """Some of the records, in a block of their own on the same bytes."""
        part = RecordBlock.__new__(RecordBlock)
        part.form, part.payload_size, part._data = self.form, self.payload_size, self._data
        part._places = self._places[places]
        part._cids = self._cids[places] if isinstance(self._cids, array) else self._cids
        return part

    def rows(self, payload: np.dtype[Any] | None = None) -> NDArray[Any]:
        """The records as one structured array, see `layout.row_dtype`.

        Needs numpy, and payloads of one size. If nothing stands between the records, which is so in the reply
        to a GET, it is a view of the received bytes.

        Args:
            payload: the dtype of the payload, of `payload_size` bytes; raw bytes by default.
        """
        import numpy as np

        size = self.payload_size
        if size is None:
            if self:
                raise ValueError("payloads of different sizes are no rows: use columns() or payloads()")
            return np.empty(0, row_dtype(self.form, 0 if payload is None else payload))
        dtype = row_dtype(self.form, size if payload is None else payload)
        places = self._places
        if isinstance(places, range):
            return np.frombuffer(self._data, dtype, len(places), places.start)
        return self._gather(dtype.itemsize).view(dtype)[:, 0]

    def columns(self) -> RecordColumns:
        """The records as columns, whatever the sizes of their payloads. Needs numpy.

        Payloads of one size are an array of raw bytes (`V8`). The columns are views of `rows`. `acq` is None
        in records of PUT.
        """
        import numpy as np

        if self.payload_size is not None or not self:
            rows = self.rows()
            return self._columns(rows, rows["payload"])
        key_size = self.form.key_size
        dtype = row_dtype(self.form, 0)
        rows = self._gather(dtype.itemsize).view(dtype)[:, 0]
        offsets = np.zeros(len(self) + 1, "i8")
        np.cumsum(rows["_size"] - key_size, out=offsets[1:])
        return self._columns(rows, VariablePayloads(b"".join(self._payload_views()), offsets))

    def keys(self) -> list[Key]:
        """The keys. Those of PUT have the acq -1. Does not need numpy."""
        new, places = tuple.__new__, self._places
        fields: Iterable[tuple[int, ...]]
        if isinstance(places, range):
            reader = struct.Struct(f"<4x{self.form.key_format}{self.payload_size or 0}x")
            fields = reader.iter_unpack(memoryview(self._data)[places.start : places.stop])
        else:
            unpack = struct.Struct(f"<4x{self.form.key_format}").unpack_from
            fields = map(unpack, repeat(self._data), places)
        if self.form is not Form.GET:
            cids = repeat(self._cids, len(self)) if isinstance(self._cids, int) else self._cids or ()
            acq = (-1,) if self.form is Form.PUT else ()
            fields = [(cid, *short, *acq) for cid, short in zip(cids, fields, strict=True)]
        return list(map(new, repeat(Key), fields))

    def payloads(self) -> list[bytes]:
        """A copy of each payload. Does not need numpy."""
        places = self._places
        if not isinstance(places, range):
            return list(map(bytes, self._payload_views()))
        if not self.payload_size:
            return [b""] * len(places)
        reader = struct.Struct(f"<{4 + self.form.key_size}x{self.payload_size}s")
        received = memoryview(self._data)[places.start : places.stop]
        return list(chain.from_iterable(reader.iter_unpack(received)))

    def _payload_views(self) -> list[memoryview]:
        received, size_of = memoryview(self._data), I32.unpack_from
        head = 4 + self.form.key_size
        return [received[place + head : place + 4 + size_of(received, place)[0]] for place in self._places]

    def _gather(self, size: int) -> NDArray[np.uint8]:
        """A copy of the first `size` bytes of each record, as a row of bytes."""
        import numpy as np

        data = np.frombuffer(self._data, "u1")
        places = np.asarray(self._places, "i8")
        gathered: NDArray[np.uint8] = np.lib.stride_tricks.sliding_window_view(data, size)[places]
        return gathered

    def _columns(self, rows: NDArray[Any], payload: NDArray[Any] | VariablePayloads) -> RecordColumns:
        import numpy as np

        if self.form is Form.GET:
            cid = rows["cid"]
        elif isinstance(self._cids, array):
            cid = np.frombuffer(self._cids, "i4")
        else:
            cid = np.broadcast_to(np.int32(self._cids or 0), len(rows))
        acq = None if self.form is Form.PUT else rows["acq"]
        return RecordColumns(cid, rows["mid"], rows["moid"], rows["cap"], acq, payload)
