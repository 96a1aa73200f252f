"""The header of a ThingsDB package: read, checked and written.

bytes 0-3   length of the body, little endian
bytes 4-5   id: chosen by the client and repeated in the answer; EVENT_ID in what nobody asked for
byte  6     kind
byte  7     the kind with all its bits turned: the only check there is
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
    """What came is not ThingsDB's protocol, or more of it than was allowed."""


class Header(NamedTuple):
    """A header as it came.

    Attributes:
        size: bytes of the body.
        id: which request it is or answers, 0 to 65535.
        kind: what the package is, a Kind in most cases.
    """

    size: int
    id: int
    kind: int


def read_header(data: bytes, at: int = 0) -> Header:
    """The header that begins there.

    Raises:
        ProtocolError: its check byte is wrong: no package begins there.
    """
    size, id, kind, check = _HEADER.unpack_from(data, at)
    if kind ^ check != _CHECK:
        raise ProtocolError(f"no package begins here: kind {kind} with check byte {check}")
    return Header(size, id, kind)


def write_header(size: int, id: int, kind: int) -> bytes:
    """The bytes of a header."""
    return _HEADER.pack(size, id, kind, kind ^ _CHECK)
