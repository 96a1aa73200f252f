"""Records as columns of numpy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from .record import FIELDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RecordColumns", "VariablePayloads", "integer_column"]


@dataclass(frozen=True, slots=True)
class VariablePayloads:
    """Payloads of different sizes, one after the other, as in a binary array of Arrow.

    Attributes:
        data: all of them.
        offsets: where each begins, and where the last one ends: one more than there are payloads.
    """

    data: bytes | bytearray | memoryview
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, places: Any) -> VariablePayloads:
        start, stop, step = places.indices(len(self))
        if step != 1:
            raise ValueError("a slice of payloads has no step")
        return VariablePayloads(self.data, self.offsets[start : max(start, stop) + 1])

    def tolist(self) -> list[memoryview]:
        """Each payload, as a view of the data."""
        data = memoryview(self.data)
        return [data[start:end] for start, end in pairwise(self.offsets.tolist())]


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Records as columns of equal lengths. The arrays may be views with any stride.

    Attributes:
        cid: int32, mid: int64, moid: int32, cap: int64.
        acq: int64; None where it is not sent, as in PUT.
        payload: an array of any dtype, whose items are the payloads' bytes; VariablePayloads if their sizes
            differ.
    """

    cid: NDArray[np.int32]
    mid: NDArray[np.int64]
    moid: NDArray[np.int32]
    cap: NDArray[np.int64]
    acq: NDArray[np.int64] | None
    payload: NDArray[Any] | VariablePayloads

    def __len__(self) -> int:
        return len(self.mid)

    def field(self, name: str) -> NDArray[Any]:
        """The column of a key's field.

        Raises:
            InvalidInput: it is acq, and there is none.
        """
        column: NDArray[Any] | None = getattr(self, name)
        if column is None:
            raise InvalidInput(f"these columns have no {name}, which is sent with each record here")
        return column

    def __getitem__(self, places: slice | NDArray[np.int64]) -> RecordColumns:
        """The records at some places. Payloads of different sizes have to be a slice without a step."""
        acq = None if self.acq is None else self.acq[places]
        key = self.cid[places], self.mid[places], self.moid[places], self.cap[places], acq
        return RecordColumns(*key, self.payload[places])


def integer_column(name: str, numbers: Any, length: int | None = None) -> NDArray[Any]:
    """An array of the type of a key's field.

    Args:
        name: of the field, for example "cid".
        numbers: anything that numpy makes an array of integers of; not copied if it is one of this type.
        length: the length that it must have. One number is repeated then.

    Raises:
        InvalidInput: they are no integers, are out of the range of the field, or have another length.
    """
    import numpy as np

    lowest, highest = FIELDS[name]
    array = np.asarray(numbers)
    if array.ndim == 0 and length is not None:
        array = np.broadcast_to(array, length)
    if array.ndim != 1 or (length is not None and len(array) != length):
        wanted = "have one dimension" if length is None else f"have the length {length}"
        raise InvalidInput(f"{name} has the shape {array.shape}; it must {wanted}")
    dtype = np.dtype("<i4" if highest < 2**31 else "<i8")
    if array.dtype == dtype or not len(array):
        return array.astype(dtype, copy=False)
    if array.dtype.kind not in "iu":
        raise InvalidInput(f"{name} has the type {array.dtype}; it must be integers")
    if int(array.min()) < np.iinfo(dtype).min or int(array.max()) > highest:
        wrong = next(number for number in array.tolist() if not np.iinfo(dtype).min <= number <= highest)
        raise InvalidInput(f"{name} has the number {wrong}; it must be {lowest} to {highest}")
    return array.astype(dtype)
