"""Requests: those without records, as bytes; and a server's reader of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layout import MAX_PAYLOAD, Form
from .outcome import Malformed

if TYPE_CHECKING:
    from .block import RecordBlock
    from .record import Key

__all__ = ["AcqRequest", "GetRequest", "PutBegun", "PutDone", "PutPiece", "RequestEvent", "RequestReader",
           "acq_request", "get_request"]  # fmt: skip


def get_request(key_min: Key, key_max: Key) -> bytes:
    """A GET of the records between two keys, as 76 bytes.

    Raises:
        InvalidRecord: a number of a key is out of range.
    """
    raise NotImplementedError


def acq_request(key_min: Key, key_max: Key) -> bytes:
    """A GETACQ for the range between two keys, as 76 bytes.

    Raises:
        InvalidRecord: a number of a key is out of range.
    """
    raise NotImplementedError


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

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        raise NotImplementedError

    @property
    def is_idle(self) -> bool:
        """Whether no request has begun that is not read to its end, so that the connection may be closed."""
        raise NotImplementedError

    @property
    def buffered(self) -> int:
        """Bytes of a header or record that is not whole."""
        raise NotImplementedError

    def feed(self, data: bytes | bytearray | memoryview) -> list[RequestEvent]:
        """Take bytes that have come. Returns what they complete, in order; they are copied.

        A piece holds all whole records of one put that `data` completes, so feed 256 KiB at a time where much
        comes.
        """
        raise NotImplementedError
