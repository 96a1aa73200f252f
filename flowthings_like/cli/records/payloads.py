"""Payloads on the command line: what `--payload` names, and how values are written as text."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...errors import InvalidInput
from ...services.records.payload_types import (
    BytesPayloadType,
    PayloadType,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
)
from ...services.records.struct_formats import StructFormat

__all__ = ["PayloadText", "parse_payload"]


class PayloadText:
    """A payload type, and the columns of text that its values fill.

    Attributes:
        type: the payload type.
        columns: the names of the columns: `payload`, or `v0`, `v1` and so on, or none.
        members: what the columns hold: int, float, bool or bytes.
    """

    __slots__ = ("_decode", "_encode", "columns", "members", "type")

    def __init__(
        self,
        type: PayloadType[Any],
        columns: tuple[str, ...],
        members: tuple[type, ...],
        encode: Callable[[Any], Any],
        decode: Iterable[Callable[[Any], Any]],
    ) -> None:
        self.type = type
        self.columns = columns
        self.members = members
        self._encode = encode
        self._decode = tuple(decode)

    def row(self, value: Any) -> tuple[Any, ...]:
        """A value as one member for each column."""
        found: tuple[Any, ...] = value if self.is_tuple else (value,)
        return found

    def cells(self, value: Any) -> tuple[Any, ...]:
        """A value as numbers, booleans and text, one for each column.

        Raises:
            ValueError: it cannot be written so.
        """
        return tuple(map(self._encode, self.row(value)))

    def values(self, columns: Sequence[Sequence[Any]]) -> list[Any]:
        """The values that columns of cells stand for, which are text, or what JSON or Parquet has.

        Raises:
            ValueError: one of them stands for nothing.
        """
        decoded = [map(decode, column) for decode, column in zip(self._decode, columns, strict=True)]
        return list(zip(*decoded, strict=True)) if self.is_tuple else list(decoded[0])

    def is_unsigned(self, number: int) -> bool:
        """Whether a column holds integers that are never negative."""
        row = [member() for member in self.members]
        if self.members[number] is not int:
            return False
        row[number] = -1
        try:
            self.type.to_bytes(tuple(row) if self.is_tuple else row[0])
        except struct.error:
            return True
        return False

    @property
    def is_tuple(self) -> bool:
        """Whether values are tuples."""
        return isinstance(self.type, (TuplePayloadType, UnitPayloadType))


def parse_payload(text: str) -> PayloadText:
    """The payloads that a user has named: hex, bytes, text, none, or a format of the module `struct`.

    Raises:
        InvalidInput: it is neither of these.
    """
    if text == "none":
        return PayloadText(UnitPayloadType(), (), (), _as_it_is, ())
    if text in _BINARY:
        encode, decode = _BINARY[text]
        return PayloadText(BytesPayloadType(), ("payload",), (bytes,), encode, (decode,))
    try:
        format = StructFormat(text)
    except InvalidInput as error:
        names = ", ".join((*_BINARY, "none"))
        raise InvalidInput(f"--payload is {names}, or a format such as '<d': {error}") from None
    members = tuple(type(each) for each in format.struct.unpack(bytes(format.size)))
    decode_all = [_DECODE[member] for member in members]
    if len(members) == 1:
        return PayloadText(StructPayloadType(text), ("payload",), members, _encode_member, decode_all)
    names_of_all = tuple(f"v{number}" for number in range(len(members)))
    return PayloadText(TuplePayloadType(text), names_of_all, members, _encode_member, decode_all)


def _as_it_is(value: Any) -> Any:
    return value


def _encode_member(value: Any) -> Any:
    """A member of a struct: JSON has no infinite numbers and no bytes."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _to_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidInput("a payload is not UTF-8; write --payload hex") from None


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_hex(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else bytes.fromhex(_text(cell))


def _from_base64(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        return cell
    try:
        return base64.b64decode(_text(cell), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{cell!r} is not base64: {error}") from None


def _from_text(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else _text(cell).encode()


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise ValueError(f"{cell!r} is not text")
    return cell


def _to_int(cell: Any) -> int:
    if isinstance(cell, str) or type(cell) is int:
        return int(cell)
    raise ValueError(f"{cell!r} is not a whole number")


def _to_float(cell: Any) -> float:
    if isinstance(cell, (str, int, float)) and not isinstance(cell, bool):
        return float(cell)
    raise ValueError(f"{cell!r} is not a number")


def _to_bool(cell: Any) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(cell).lower())
    if found is None:
        raise ValueError(f"{cell!r} is neither true nor false")
    return found


_BINARY: dict[str, tuple[Callable[[bytes], str], Callable[[Any], bytes]]] = {
    "hex": (bytes.hex, _from_hex),
    "bytes": (_to_base64, _from_base64),
    "text": (_to_text, _from_text),
}
"""By the name of a payload: how bytes become text, and text bytes."""

_DECODE: dict[type, Callable[[Any], Any]] = {
    int: _to_int,
    float: _to_float,
    bool: _to_bool,
    bytes: _from_hex,
}
