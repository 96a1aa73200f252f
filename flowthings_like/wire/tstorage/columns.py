"""Records as columns of numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RecordColumns", "VariablePayloads"]


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

    def find_invalid(self) -> int | None:
        """The place of the first record with a negative cid, which cannot be put; None if there is none."""
        raise NotImplementedError
