"""Replies: a client's reader of those without records, and a server's replies as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .framing import frame, slices
from .layout import HEADER, I64, MAX_HEADER_DATA, SLICE, Form
from .outcome import Completed, Failed, Malformed
from .status import ResponseStatus

if TYPE_CHECKING:
    from .columns import RecordColumns
    from .outcome import Outcome

__all__ = [
    "ACCEPTED",
    "ERROR",
    "FAILED_END",
    "ReplyReader",
    "acq_reply",
    "encode_reply_records",
    "end_of_records",
    "put_reply",
]

ACCEPTED = bytes(12)
"""The first 12 bytes of the reply to a GET: records follow."""
ERROR = b"\xff\xff\xff\xff" + bytes(8)
"""The reply to a request that was refused or has failed. The server closes the connection after it."""
FAILED_END = bytes(4) + ERROR
"""The end of the reply to a GET that has failed after ACCEPTED. The server closes the connection after it."""


class ReplyReader:
    """Reads the reply to one put or GETACQ.

    Attributes:
        outcome: how it has ended; None until then.
        excess: bytes that came after its end. If there are any, the connection must be closed.
    """

    __slots__ = ("_data", "_numbers", "excess", "outcome")

    def __init__(self, numbers: int) -> None:
        """`for_put()` or `for_acq()`, with so many numbers of 64 bits."""
        self._numbers = numbers
        self._data = b""
        self.outcome: Outcome | None = None
        self.excess = 0

    @classmethod
    def for_put(cls) -> ReplyReader:
        """For the reply to a PUT or PUTA: 28 bytes, or an error of 12."""
        return cls(2)

    @classmethod
    def for_acq(cls) -> ReplyReader:
        """For the reply to a GETACQ: 20 bytes, or an error of 12."""
        return cls(1)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that have come."""
        if self.outcome is not None:
            self.excess += len(data)
            return
        self._data = received = self._data + data
        if len(received) < HEADER.size:
            return
        code, size = HEADER.unpack_from(received)
        wanted = self._numbers * I64.size
        if code != ResponseStatus.OK:
            self.outcome = Failed(ResponseStatus.ERROR, code)
        elif not wanted <= size <= MAX_HEADER_DATA:
            self.outcome = Malformed(f"a reply announces {size} bytes of data; it has {wanted}")
        elif len(received) >= HEADER.size + size:
            acq = I64.unpack_from(received, HEADER.size)[0]
            acq_max = I64.unpack_from(received, HEADER.size + wanted - I64.size)[0]
            self.excess = len(received) - HEADER.size - size
            self.outcome = Completed(acq, acq_max)


def end_of_records(acq: int) -> bytes:
    """The end of the reply to a GET: 24 bytes, after ACCEPTED and the records."""
    return bytes(4) + acq_reply(acq)


def acq_reply(acq: int) -> bytes:
    """The reply to a GETACQ: 20 bytes."""
    return HEADER.pack(ResponseStatus.OK, I64.size) + I64.pack(acq)


def put_reply(acq_min: int, acq_max: int) -> bytes:
    """The reply to a PUT or PUTA: 28 bytes. For a PUTA both numbers are -1."""
    return HEADER.pack(ResponseStatus.OK, 2 * I64.size) + I64.pack(acq_min) + I64.pack(acq_max)


def encode_reply_records(columns: RecordColumns, *, slice_size: int = SLICE) -> Iterator[memoryview]:
    """The records of the reply to a GET, in buffers of about `slice_size`. Needs numpy, and acq."""
    for start, stop in slices(Form.GET, columns.payload, slice_size):
        yield frame(Form.GET, columns[start:stop])
