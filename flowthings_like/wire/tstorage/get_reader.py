"""Reads the reply to a GET on a client."""

from __future__ import annotations

from enum import Enum, auto

from .block import RecordBlock
from .growing_buffer import GrowingBuffer
from .layout import HEADER, I32, I64, MAX_HEADER_DATA, MAX_PAYLOAD, Form
from .outcome import Completed, Failed, Malformed, Outcome
from .scan import RecordStarts, count_cids, count_run
from .status import ResponseStatus

__all__ = ["GetReader"]

_KEY = Form.GET.key_size


class _State(Enum):
    """What comes next. The order is that of a reply, and DONE may follow any."""

    ACCEPTED = auto()
    RECORD = auto()
    END = auto()
    DONE = auto()


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

    __slots__ = ("_at", "_buffer", "_max_size", "_starts", "_state", "excess", "outcome", "pending_record",
                 "received")  # fmt: skip

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self.outcome: Outcome | None = None
        self.received = self.pending_record = self.excess = 0
        self._max_size = _KEY + max_payload
        self._state = _State.ACCEPTED
        self._buffer = GrowingBuffer()
        self._at = 0  # what is before it has been read
        self._starts = RecordStarts()

    def __len__(self) -> int:
        """How many whole records have come since the last `take`."""
        return len(self._starts)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that have come; they are copied."""
        self.received += len(data)
        if self._state is _State.DONE:
            self.excess += len(data)
            return
        self._buffer.append(data)
        if self._state is _State.ACCEPTED:
            self._read_accepted()
        if self._state is _State.RECORD:
            self._read_records()
        if self._state is _State.END:
            self._read_end()

    def take(self) -> RecordBlock:
        """The whole records that have come since the last `take`; may be none."""
        buffer = self._buffer
        block = RecordBlock(Form.GET, buffer.data, self._starts)
        if self._starts:
            self._buffer = GrowingBuffer(buffer.data[self._at : buffer.size])
            self._at = 0
            self._starts = RecordStarts()
        return block

    def _read_header(self) -> int | None:
        """Read a header with its data, if both have come. Returns where the data stands."""
        buffer, at = self._buffer, self._at
        if buffer.size < at + HEADER.size:
            return None
        code, size = HEADER.unpack_from(buffer.data, at)
        if code != ResponseStatus.OK:
            refused = self._state is _State.ACCEPTED
            status = ResponseStatus.BAD_REQUEST if refused else ResponseStatus.ERROR
            self._end(Failed(status, code))
        elif size > MAX_HEADER_DATA:
            self._end(
                Malformed(f"a header announces {size} bytes of data; at most {MAX_HEADER_DATA} are read")
            )
        elif self._state is _State.END and size < I64.size:
            self._end(Malformed(f"the end of a reply has {size} bytes of data; it has 8, the acq"))
        elif buffer.size >= at + HEADER.size + size:
            self._at = at + HEADER.size + size
            return at + HEADER.size
        return None

    def _read_accepted(self) -> None:
        if self._read_header() is not None:
            self._state = _State.RECORD

    def _read_records(self) -> None:
        data, end = self._buffer.data, self._buffer.size
        at, starts, most = self._at, self._starts, self._max_size
        self.pending_record = 0
        while at + 4 <= end:
            size = I32.unpack_from(data, at)[0]
            stride = 4 + size
            if not _KEY <= size <= most:
                if size == 0:
                    at += 4
                    self._state = _State.END
                else:
                    self._end(Malformed(f"a record of {size} bytes: it has {_KEY} to {most}, with its key"))
                break
            if at + stride > end:
                self.pending_record = stride
                break
            count = count_run(data, at, end, stride)
            valid = count_cids(data, at, count, stride)
            if valid:
                starts.add(at, valid, stride)
                at += valid * stride
            if valid < count:
                self._end(Malformed("a record has a negative cid"))
                break
        self._at = at

    def _read_end(self) -> None:
        at = self._read_header()
        if at is not None:
            acq = I64.unpack_from(self._buffer.data, at)[0]
            self.excess = self._buffer.size - self._at
            self._end(Completed(acq, acq))

    def _end(self, outcome: Outcome) -> None:
        self._state = _State.DONE
        self.outcome = outcome
