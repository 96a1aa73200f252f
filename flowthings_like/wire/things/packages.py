"""ThingsDB's packages: to bytes, and from bytes that come in pieces.

A package is a header and a body, one MessagePack value or nothing. Answers come in any order, so the id alone
says what they answer; and only the kind tells an event from an answer, as EVENT_ID is an id like others.
"""

from __future__ import annotations

from enum import IntEnum
from io import BytesIO
from typing import NamedTuple

from . import errors as things_errors
from .header import HEADER, ProtocolError, read_header, write_header

__all__ = [
    "EVENT_ID",
    "MAX_BODY",
    "Kind",
    "Package",
    "PackageParser",
    "check_size",
    "package",
]

EVENT_ID = 65_535
"""The id of packages that answer nothing. A request may have it too."""

MAX_BODY = 1 << 30
"""Bytes of a body. A node hangs up on a header that promises more."""


class Kind(IntEnum):
    """What a package is."""

    # From a node, unasked
    NODE_STATUS = 0
    WARNING = 5
    ROOM_JOIN = 6
    ROOM_LEAVE = 7
    ROOM_EMIT = 8
    ROOM_DELETE = 9
    # Its answers
    PONG = 16
    OK = 17
    DATA = 18
    ERROR = 19
    # Requests
    PING = 32
    AUTH = 33
    QUERY = 34
    RUN = 37
    JOIN = 38
    LEAVE = 39
    EMIT = 40
    EMIT_PEER = 41


class Package(NamedTuple):
    """A package as it came, its body still packed.

    Attributes:
        kind: a Kind, or a number that this library does not know.
        id: which request it is or answers, 0 to 65535.
        body: MessagePack, or empty.
    """

    kind: int
    id: int
    body: bytes


def package(kind: int, id: int, body: bytes = b"") -> bytes:
    """The bytes of a package.

    Raises:
        things_errors.ValueError: the body is larger than MAX_BODY.
    """
    check_size(body)
    return write_header(len(body), id, kind) + body


def check_size(body: bytes) -> None:
    """Whether a package can have this body.

    Raises:
        things_errors.ValueError: it is larger than MAX_BODY.
    """
    if len(body) > MAX_BODY:
        raise things_errors.ValueError(f"a request of {len(body)} bytes; a node takes {MAX_BODY} at most")


class PackageParser:
    """Takes what a stream brings, in pieces of any size, and gives the packages in it.

    It holds what is here of one body, so a sender that promises much and sends little costs little.

    Args:
        max_body: bytes of a body, at most.
    """

    __slots__ = ("_body", "_dead", "_head", "_id", "_kind", "_max_body", "_missing")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._head = b""  # of a package of which not even the header is here
        self._body: BytesIO | None = None  # of a package of which the header is here
        self._missing = self._kind = self._id = 0
        self._dead = ""

    @property
    def buffered(self) -> int:
        """Bytes that wait here for the rest of their package, without its header."""
        return len(self._head) + (0 if self._body is None else self._body.tell())

    def feed(self, data: bytes) -> list[Package]:
        """The packages that `data` completes, in their order; what is left over waits for the next call.

        Raises:
            ProtocolError: a header's check byte is wrong, or it promises more than `max_body`. The stream is
                lost then: each further call raises the same.
        """
        if self._dead:
            raise ProtocolError(self._dead)
        packages: list[Package] = []
        start, end = 0, len(data)
        if self._body is not None:
            start = self._missing
            if end < start:
                self._body.write(data)
                self._missing -= end
                return packages
            self._body.write(data[:start])
            packages.append(Package(self._kind, self._id, self._body.getvalue()))
            self._body = None
        elif self._head:
            data = self._head + data
            self._head = b""
            end = len(data)
        while end - start >= HEADER:
            try:
                size, id, kind = read_header(data, start)
            except ProtocolError as error:
                raise self._die(str(error)) from None
            if size > self._max_body:
                raise self._die(f"a package with a body of {size} bytes; at most {self._max_body} are taken")
            start += HEADER
            stop = start + size
            if stop > end:
                self._body = BytesIO()
                self._body.write(data[start:])
                self._missing, self._kind, self._id = stop - end, kind, id
                return packages
            packages.append(Package(kind, id, data[start:stop]))
            start = stop
        self._head = data[start:]
        return packages

    def _die(self, reason: str) -> ProtocolError:
        self._dead = reason
        self._head = b""
        return ProtocolError(reason)
