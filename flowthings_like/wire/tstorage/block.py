"""A block of received records, still as the bytes that came."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .columns import RecordColumns
    from .layout import Form
    from .record import Key

__all__ = ["RecordBlock"]


class RecordBlock:
    """Received records. No object is made for a record until one is asked for.

    Attributes:
        form: of the records.
        payload_size: bytes of each payload; None if they differ, or if there is no record.
    """

    __slots__ = ("_cids", "_data", "_end", "_starts", "form", "payload_size")

    def __init__(
        self,
        form: Form,
        data: bytearray,
        starts: range | array[int],
        end: int,
        cids: int | array[int] | None = None,
    ) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def rows(self, payload: np.dtype[Any] | None = None) -> NDArray[Any]:
        """The records as one structured array, a view of the received bytes: see `layout.row_dtype`.

        Needs numpy, and payloads of one size.

        Args:
            payload: the dtype of the payload, of `payload_size` bytes; raw bytes by default.
        """
        raise NotImplementedError

    def columns(self) -> RecordColumns:
        """The records as columns, whatever the sizes of their payloads. Needs numpy.

        Payloads of one size are an array of raw bytes (`V8`), and views of what was received. `acq` is None
        in records of PUT.
        """
        raise NotImplementedError

    def keys(self) -> list[Key]:
        """The keys. Those of PUT have the acq -1. Does not need numpy."""
        raise NotImplementedError

    def payloads(self) -> list[bytes]:
        """A copy of each payload. Does not need numpy."""
        raise NotImplementedError
