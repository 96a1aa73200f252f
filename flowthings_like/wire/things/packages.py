"""Writes ThingsDB packages, and parses them from a byte stream.

A package is a header and a body, which is one MessagePack value or empty. Answers come in any order: the id
says which request one answers. The kind says whether a package is an answer or an event, because a request
may have the EVENT_ID as well.
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
"""The id of packages that answer no request. A request may have it as well."""

MAX_BODY = 1 << 30
"""Bytes of a body, at most. A node closes the connection at a header that announces more."""


class Kind(IntEnum):
    """The kind of a package."""

    # From a node: events
    NODE_STATUS = 0
    WARNING = 5
    ROOM_JOIN = 6
    ROOM_LEAVE = 7
    ROOM_EMIT = 8
    ROOM_DELETE = 9
    # From a node: answers
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
    """A package with its body still packed.

    Attributes:
        kind: a Kind, or a number that is not in it.
        id: which request it is or answers, 0 to 65535.
        body: MessagePack; may be empty.
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
    """Raise if a body is too large for a package.

    Raises:
        things_errors.ValueError: it is larger than MAX_BODY.
    """
    if len(body) > MAX_BODY:
        raise things_errors.ValueError(f"a request of {len(body)} bytes; a node takes {MAX_BODY} at most")


class PackageParser:
    """Parses packages from bytes that come in pieces of any size.

    It takes memory for the bytes that have come, not for those that a header announces.

    Args:
        max_body: bytes of a body, at most.
    """

    __slots__ = ("_body", "_dead", "_head", "_id", "_kind", "_max_body", "_missing")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._head = b""  # part of a header
        self._body: BytesIO | None = None  # part of a body
        self._missing = self._kind = self._id = 0
        self._dead = ""

    @property
    def buffered(self) -> int:
        """Bytes of an incomplete package: part of its header, or of its body."""
        return len(self._head) + (0 if self._body is None else self._body.tell())

    def feed(self, data: bytes) -> list[Package]:
        """Return the packages that `data` completes, in their order. The rest is kept for the next call.

        Raises:
            ProtocolError: a header's check byte is wrong, or it announces more than `max_body`. All further
                calls raise the same, because where the next package begins is unknown.
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
