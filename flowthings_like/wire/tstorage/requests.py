"""Requests: those without records, as bytes; and a server's reader of all."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layout import COMMAND_ACQ, COMMAND_GET, COMMAND_PUT, COMMAND_PUTA, HEADER, MAX_PAYLOAD, Form
from .outcome import Malformed

if TYPE_CHECKING:
    from .block import RecordBlock
from .put_reader import PutReader
from .record import Key

__all__ = ["AcqRequest", "GetRequest", "PutBegun", "PutDone", "PutPiece", "RequestEvent", "RequestReader",
           "acq_request", "get_request"]  # fmt: skip


_KEYS = struct.Struct("<iqiqqiqiqq")
_HEADER_OF_GET, _HEADER_OF_ACQ = (HEADER.pack(command, _KEYS.size) for command in (COMMAND_GET, COMMAND_ACQ))


def get_request(key_min: Key, key_max: Key) -> bytes:
    """A GET of the records between two keys, as 76 bytes.

    Raises:
        InvalidRecord: a number of a key is out of range.
    """
    return _HEADER_OF_GET + key_min.to_bytes() + key_max.to_bytes()


def acq_request(key_min: Key, key_max: Key) -> bytes:
    """A GETACQ for the range between two keys, as 76 bytes.

    Raises:
        InvalidRecord: a number of a key is out of range.
    """
    return _HEADER_OF_ACQ + key_min.to_bytes() + key_max.to_bytes()


@dataclass(frozen=True, slots=True)
class GetRequest:
    """A client asks for records. The keys are as they came, so cid may be negative and the range empty."""

    key_min: Key
    key_max: Key


@dataclass(frozen=True, slots=True)
class AcqRequest:
    """A client asks for the acq up to which records do not change any more. The keys are as they came."""

    key_min: Key
    key_max: Key


@dataclass(frozen=True, slots=True)
class PutBegun:
    """A put has begun: PutPiece events follow, and PutDone at its end.

    Attributes:
        form: Form.PUT or Form.PUTA.
    """

    form: Form


@dataclass(frozen=True, slots=True)
class PutPiece:
    """Some whole records of the put that has begun.

    Attributes:
        block: at least one record.
    """

    block: RecordBlock


@dataclass(frozen=True, slots=True)
class PutDone:
    """The end mark of the put has come, so it may be stored and answered."""


RequestEvent = GetRequest | AcqRequest | PutBegun | PutPiece | PutDone | Malformed


class RequestReader:
    """Reads the requests of one client, from bytes that come in pieces of any size.

    It takes memory for the bytes that have come, not for those that a size announces. After Malformed it
    reads nothing more: the server answers with ERROR and closes the connection.

        for event in reader.feed(data):
            match event: ...
    """

    __slots__ = ("_data", "_is_broken", "_max_payload", "_put")

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._data = bytearray()
        self._put: PutReader | None = None
        self._is_broken = False

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun that is not read to its end, so that the connection may be closed."""
        return self._put is None and not self._data

    @property
    def buffered(self) -> int:
        """Bytes of a header or record that is not whole."""
        return len(self._data)

    def feed(self, data: bytes | bytearray | memoryview) -> list[RequestEvent]:
        """Take bytes that have come. Returns what they complete, in order; they are copied.

        A piece holds all whole records of one put that `data` completes, so feed 256 KiB at a time where much
        comes.
        """
        events: list[RequestEvent] = []
        if self._is_broken:
            return events
        self._data += data
        at = 0
        while not self._is_broken:
            after = self._read_request(at, events) if self._put is None else self._read_put(at, events)
            if after == at:
                break
            at = after
        if self._is_broken:
            self._data = bytearray()
        elif at:
            self._data = self._data[at:]  # not `del`: a block refers to the old one
        return events

    def _read_request(self, at: int, events: list[RequestEvent]) -> int:
        """Read the request at a place, or the header of a put. Returns where it ends."""
        data = self._data
        if len(data) < at + HEADER.size:
            return at
        command, size = HEADER.unpack_from(data, at)
        after = at + HEADER.size
        if command in (COMMAND_PUT, COMMAND_PUTA):
            if size:
                return self._refuse(
                    f"the header of a put announces {size} bytes of data; it has none", events
                )
            form = Form.PUT if command == COMMAND_PUT else Form.PUTA
            self._put = PutReader(form, self._max_payload)
            events.append(PutBegun(form))
            return after
        if command not in (COMMAND_GET, COMMAND_ACQ):
            return self._refuse(f"there is no command {command}", events)
        if size not in (0, _KEYS.size):  # some clients do not count the keys
            return self._refuse(f"a range announces {size} bytes; it has {_KEYS.size}, two keys", events)
        if len(data) < after + _KEYS.size:
            return at
        numbers = _KEYS.unpack_from(data, after)
        request = GetRequest if command == COMMAND_GET else AcqRequest
        events.append(request(Key(*numbers[:5]), Key(*numbers[5:])))
        return after + _KEYS.size

    def _read_put(self, at: int, events: list[RequestEvent]) -> int:
        """Read what there is of a put. Returns where it ends."""
        put = self._put
        assert put is not None
        after = put.read(self._data, at)
        block = put.take(self._data)
        if block is not None:
            events.append(PutPiece(block))
        if put.is_done:
            self._put = None
            events.append(PutDone())
        elif put.problem:
            self._refuse(put.problem, events)
        return after

    def _refuse(self, reason: str, events: list[RequestEvent]) -> int:
        self._is_broken = True
        events.append(Malformed(reason))
        return 0
