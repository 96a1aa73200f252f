"""JSON: values of this library to text and back, with integers of any size, and errors that name the place.

orjson reads an integer that does not fit 64 bits as a float, which is another number. Such texts are rare, so
they are looked for in one pass of C code, and read again by the standard library's slower parser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Protocol

import orjson

from ...errors import InvalidInput
from ...filters.nodes import Filter
from ...green.backends.fairness import LARGE
from ...wire.gc_paused import parse_with_gc_paused
from ...wire.numpy_values import is_missing, scalar
from ..outgoing_values import find_fault, milliseconds, resolve

__all__ = ["Encoder", "JSONEncoder", "describe_fault", "parse"]

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# Every digit becomes 0, and what may stand before a number becomes a colon.
_SHAPE = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else byte for byte in range(256)).translate(
    bytes(ord(":") if byte in b":,[ \t\r\n" else byte for byte in range(256))
)
# 2**64 has 20 digits, -2**63 - 1 has 19 and a sign.
_LONG, _LONG_NEGATIVE = b":" + 20 * b"0", b":-" + 19 * b"0"
_DIGITS = 19 * b"0"
_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")


class Encoder(Protocol):
    """What `encoder=` takes. Exceptions of its methods are raised as they are."""

    def loads(self, text: Any, /) -> Any:
        """The value that `text` stands for."""

    def dumps(self, value: Any, /) -> Any:
        """The text for a value."""


class JSONEncoder:
    """The built-in encoder.

    GreenThunks are waited for, Modify objects give their whole model, filters their text, datetimes and
    dates become milliseconds since 1970 (UTC unless they name a time zone), bytes are taken as UTF-8, numpy's
    scalars are taken as the plain values that they are, exactly.

    Args:
        missing_as_null: write NaN, NaT and pandas' NA, which stand for no value, as null. Otherwise they
            are refused.
    """

    def __init__(self, *, missing_as_null: bool = False) -> None:
        self._nulls = missing_as_null
        self._other = partial(_other, nulls=missing_as_null)

    def loads(self, text: bytes | str) -> Any:
        """Parse JSON. Integers arrive exactly, whatever their size.

        Raises:
            ValueError: it is none.
        """
        return parse(text)

    def dumps(self, value: Any) -> bytes:
        """Write JSON as UTF-8 bytes.

        Raises:
            InvalidInput: NaN, NaT, NA, an infinity, an integer beyond 64 bits, a key that is no str, a set,
                or any other value without a form in JSON; the message says where it stands.
        """
        try:
            encoded = orjson.dumps(value, default=self._other, option=_OPTIONS)
        except orjson.JSONEncodeError as error:
            cause = error.__cause__
            if cause is not None and not isinstance(cause, TypeError | UnicodeDecodeError):
                # A value on its way failed, or the wait for it was interrupted: orjson wraps even that.
                raise cause from None
            raise InvalidInput(self._fault(value) or f"data cannot be written as JSON: {error}") from None
        # orjson writes NaN and the infinities as null; only data with a null in it can hide one.
        if b"null" in encoded and (fault := self._fault(value)):
            raise InvalidInput(fault)
        return encoded

    def _fault(self, value: Any) -> str | None:
        return find_fault(value, nulls=self._nulls)


def _other(value: Any, *, nulls: bool) -> Any:
    found = scalar(resolve(value))
    if found is not value:
        return found
    if is_missing(value):
        if nulls:
            return None
        raise TypeError
    if isinstance(value, float):
        return float(value)
    if isinstance(value, date):
        return milliseconds(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Filter):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def parse(text: bytes | str) -> Any:
    """The value that a JSON text stands for; integers of any size arrive exactly.

    Raises:
        ValueError: it is no JSON, or holds an integer of more digits than Python reads.
    """
    large = len(text) >= LARGE
    value = parse_with_gc_paused(orjson.loads, text) if large else orjson.loads(text)
    if _has_long_integers(text):
        return parse_with_gc_paused(_parse_exactly, text) if large else _parse_exactly(text)
    return value


def _has_long_integers(text: bytes | str) -> bool:
    """Whether a JSON text may hold an integer beyond 64 bits. Texts that only look so do no harm."""
    data = text.encode() if isinstance(text, str) else text
    shape = data[:_BLOCK].translate(_SHAPE)
    if shape[:1] in b"0-" or _holds_long(shape):
        return True
    # Not the whole text at once, which would be a copy of it.
    for start in range(_BLOCK, len(data), _BLOCK):
        shape = data[start - len(_LONG) : start + _BLOCK].translate(_SHAPE)
        if _holds_long(shape):
            return True
    return False


def _holds_long(shape: bytes) -> bool:
    # Most texts are done with after the first search, which is a hundred times as fast as the other two.
    return _DIGITS in shape and (_LONG in shape or _LONG_NEGATIVE in shape)


def _parse_exactly(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply to read its long integers") from None


def describe_fault(text: bytes | str, error: ValueError) -> str:
    """Why `parse` refused a text, and at which byte.

    Args:
        text: the text.
        error: what `parse` raised.
    """
    if isinstance(text, str):
        try:
            text = text.encode()
        except UnicodeEncodeError as fault:
            start = len(fault.object[: fault.start].encode())
            return f"it holds a lone surrogate, which is no Unicode text, at byte {start}"
    if text.startswith(_BOM):
        return "it begins with a byte order mark, at byte 0; JSON has none"
    try:
        decoded = text.decode()
    except UnicodeDecodeError as fault:
        return f"it is not UTF-8 from byte {fault.start} on"
    if not isinstance(error, json.JSONDecodeError):
        return f"it cannot be read: {error}"
    # Of -Infinity orjson takes the sign for the beginning of a number.
    position = error.pos - (decoded[error.pos - 1 : error.pos] == "-")
    before, rest = decoded[:position], decoded[position:]
    at = f"at byte {len(before.encode())}"
    if word := next((word for word in _NOT_NUMBERS if rest.startswith(word)), None):
        return f"it holds {word}, which is no JSON, {at}"
    if "surrogate" in error.msg:
        return f"it holds a lone surrogate, which is no Unicode text, in the string {at}"
    return f"it is no JSON: {error.msg}, {at}"
