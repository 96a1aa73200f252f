"""Finds the fields of a protobuf message, without reading what is in them."""

from __future__ import annotations

from ...errors import InvalidResponse

__all__ = ["read_varint", "skip_field"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def read_varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at a place, and the place after it.

    Raises:
        InvalidResponse: it does not end before `end`, or has more than 10 bytes.
    """
    if at < end and body[at] < 0x80:
        return body[at], at + 1
    value = shift = 0
    for place in range(at, min(end, at + _LONGEST_VARINT)):
        byte = body[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    raise InvalidResponse("a number in a message is cut off, or too long")


def skip_field(body: bytes, key: int, at: int, end: int) -> int:
    """The place after a field whose key has been read.

    Raises:
        InvalidResponse: it does not end before `end`, or has a type that does not exist.
    """
    type = key & 7
    if type == _VARINT:
        return read_varint(body, at, end)[1]
    if type == _FIXED64:
        at += 8
    elif type == _FIXED32:
        at += 4
    elif type == _LENGTH:
        length, at = read_varint(body, at, end)
        at += length
    else:
        raise InvalidResponse(f"a message has a field of type {type}, which is not one of protobuf's")
    if at > end or key < 8:
        raise InvalidResponse("a field of a message is cut off, or has the number 0")
    return at
