"""JSON text to values: integers exactly as they are written, and words for what is no JSON.

orjson reads an integer that does not fit 64 bits as a float, which is another number. Such texts are rare, so
they are looked for in one pass of C code, and read again by the standard library's slower parser.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from ...green.backends.turnstile import is_large
from ...wire.uncollected import parse_uncollected

__all__ = ["describe_fault", "parse"]

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


def parse(text: bytes | str) -> Any:
    """The value that a JSON text stands for; integers of any size arrive exactly.

    Raises:
        ValueError: it is no JSON, or holds an integer of more digits than Python reads.
    """
    large = is_large(text)
    value = parse_uncollected(orjson.loads, text) if large else orjson.loads(text)
    if _has_long_integers(text):
        return parse_uncollected(_parse_exactly, text) if large else _parse_exactly(text)
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
