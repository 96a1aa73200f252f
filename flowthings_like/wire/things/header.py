"""Reads, checks and writes the header of a ThingsDB package.

It has 8 bytes:

    bytes 0-3   length of the body, little endian
    bytes 4-5   id: chosen by the client and repeated in the answer; EVENT_ID in events
    byte  6     kind
    byte  7     the kind with all bits inverted: the only check
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["HEADER", "Header", "ProtocolError", "read_header", "write_header"]

HEADER = 8
"""Bytes of a header."""

_HEADER = struct.Struct("<IHBB")
_CHECK = 0xFF


class ProtocolError(Exception):
    """The other end does not speak ThingsDB's protocol, or sends more than is allowed."""


class Header(NamedTuple):
    """A header.

    Attributes:
        size: bytes of the body.
        id: of the request, or of the request that is answered; 0 to 65535.
        kind: a Kind, or another number.
    """

    size: int
    id: int
    kind: int


def read_header(data: bytes, at: int = 0) -> Header:
    """Read the header at this offset.

    Raises:
        ProtocolError: its check byte is wrong.
    """
    size, id, kind, check = _HEADER.unpack_from(data, at)
    if kind ^ check != _CHECK:
        raise ProtocolError(f"no package begins here: kind {kind} with check byte {check}")
    return Header(size, id, kind)


def write_header(size: int, id: int, kind: int) -> bytes:
    """Return a header's 8 bytes."""
    return _HEADER.pack(size, id, kind, kind ^ _CHECK)
