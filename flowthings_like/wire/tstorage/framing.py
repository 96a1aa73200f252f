"""Frames columns as records on the wire. Needs numpy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from .columns import RecordColumns, VariablePayloads
from .layout import Form, row_dtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["fill_rows", "frame", "slices"]


def slices(
    form: Form, payload: NDArray[Any] | VariablePayloads, slice_size: int
) -> Iterator[tuple[int, int]]:
    """Cut records into slices of at most so many bytes, or of one record: pairs of start and stop."""
    import numpy as np

    head, count = 4 + form.key_size, len(payload)
    if not isinstance(payload, VariablePayloads):
        step = max(1, slice_size // (head + payload.dtype.itemsize))
        for start in range(0, count, step):
            yield start, min(start + step, count)
        return
    ends = payload.offsets + np.arange(count + 1) * head
    start = 0
    while start < count:
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] + slice_size, "right")) - 1)
        yield start, stop
        start = stop


def frame(form: Form, columns: RecordColumns) -> memoryview:
    """The records, one after the other."""
    import numpy as np

    payload = columns.payload
    if not isinstance(payload, VariablePayloads):
        rows = np.empty(len(columns), row_dtype(form, payload.dtype.itemsize))
        fill_rows(rows, columns)
        return rows.view("u1").data
    heads = np.empty(len(columns), row_dtype(form, 0))
    fill_rows(heads, columns)
    pieces = zip(heads.view(f"V{heads.itemsize}").tolist(), payload.tolist(), strict=True)
    return memoryview(b"".join(chain.from_iterable(pieces)))


def fill_rows(rows: NDArray[np.void], columns: RecordColumns) -> None:
    """Write the columns to as many rows of `layout.row_dtype`.

    The rows have the payloads as raw bytes, so nothing but the payloads' own bytes is sent. Payloads of
    different sizes are left out; only their sizes are written.
    """
    import numpy as np

    payload, names = columns.payload, rows.dtype.names or ()
    key_size = rows.dtype.fields["payload"][1] - 4  # type: ignore[index]
    if isinstance(payload, VariablePayloads):
        rows["_size"] = key_size + np.diff(payload.offsets)
    else:
        rows["_size"] = key_size + payload.dtype.itemsize
        if payload.dtype.itemsize:
            rows["payload"] = payload.view(f"V{payload.dtype.itemsize}")
    for name in names[1:-1]:
        rows[name] = columns.field(name)
