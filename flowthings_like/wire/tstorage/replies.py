"""Replies: a client's reader of those without records, and a server's replies as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .layout import SLICE

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

    @classmethod
    def for_put(cls) -> ReplyReader:
        """For the reply to a PUT or PUTA: 28 bytes, or an error of 12."""
        raise NotImplementedError

    @classmethod
    def for_acq(cls) -> ReplyReader:
        """For the reply to a GETACQ: 20 bytes, or an error of 12."""
        raise NotImplementedError

    outcome: Outcome | None
    excess: int

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that have come."""
        raise NotImplementedError


def end_of_records(acq: int) -> bytes:
    """The end of the reply to a GET: 24 bytes, after ACCEPTED and the records."""
    raise NotImplementedError


def acq_reply(acq: int) -> bytes:
    """The reply to a GETACQ: 20 bytes."""
    raise NotImplementedError


def put_reply(acq_min: int, acq_max: int) -> bytes:
    """The reply to a PUT or PUTA: 28 bytes. For a PUTA both numbers are -1."""
    raise NotImplementedError


def encode_reply_records(columns: RecordColumns, *, slice_size: int = SLICE) -> Iterator[memoryview]:
    """The records of the reply to a GET, in buffers of about `slice_size`. Needs numpy, and acq."""
    raise NotImplementedError
