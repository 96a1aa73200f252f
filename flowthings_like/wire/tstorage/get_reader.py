"""Reads the reply to a GET on a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layout import MAX_PAYLOAD

if TYPE_CHECKING:
    from .block import RecordBlock
    from .outcome import Outcome

__all__ = ["GetReader"]


class GetReader:
    """Reads the reply to one GET, from bytes that come in pieces of any size.

    The bytes are gathered in one buffer that grows with them, until `take` hands out the whole records. So a
    reply that is taken once, at its end, is one block, and one that is taken after each piece needs the
    memory of a piece.

        while reader.outcome is None:
            reader.feed(view[: socket.recv_into(view)])
        block = reader.take()

    Attributes:
        outcome: how the reply has ended; None until then. After it, `take` still gives the records before.
        received: bytes that came.
        pending_record: bytes, with its size field, of the record that has begun and is not whole; 0 if there
            is none, or if its size has not come.
        excess: bytes that came after the end of the reply. If there are any, the connection must be closed.
    """

    outcome: Outcome | None
    received: int
    pending_record: int
    excess: int

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        raise NotImplementedError

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that have come; they are copied."""
        raise NotImplementedError

    def __len__(self) -> int:
        """How many whole records have come since the last `take`."""
        raise NotImplementedError

    def take(self) -> RecordBlock:
        """The whole records that have come since the last `take`; may be none."""
        raise NotImplementedError
