"""Refuses bodies with integers that do not fit 64 bits, which no document can hold.

orjson reads such an integer as a float, which is another number, so the text itself is searched. For nearly
every text one search in C for a long run of digits is enough.
"""

from __future__ import annotations

import re

from ...wire.integers import LEAST, MOST
from ..problems import BadRequest

_DIGITS = bytes(ord("0") if chr(byte) in "123456789" else byte for byte in range(256))
_LONG = 19 * b"0"  # the shortest integer that may be too large
_BLOCK = 1 << 20
_NUMBER = rb"(?<![\d.eE+-])(-?\d{19,})([.eE]?)"  # matched from its first digit only
_CANDIDATE = re.compile(_NUMBER)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|' + _NUMBER, re.DOTALL)  # steps over strings as a whole


def check(text: bytes) -> None:
    """Raise BadRequest if a text that is JSON holds a whole number outside of signed 64 bits."""
    if not _may_hold_long(text) or not any(map(_is_too_large, _CANDIDATE.finditer(text))):
        return
    for found in _TOKEN.finditer(text):
        if found[1] is not None and _is_too_large(found):
            shown = found[1].decode() if len(found[1]) <= 40 else f"{found[1][:40].decode()}…"
            raise BadRequest(
                f"the whole number {shown} at byte {found.start()} does not fit 64 bits, "
                f"{LEAST} to {MOST}: send it as a string, or as a real such as 1e20"
            )


def _is_too_large(found: re.Match[bytes]) -> bool:
    digits, rest = found[1], found[2]
    return not rest and (len(digits) > 20 or not LEAST <= int(digits) <= MOST)


def _may_hold_long(text: bytes) -> bool:
    # Not the whole text at once, which would be a copy of it.
    for start in range(0, len(text), _BLOCK):
        if _LONG in text[max(0, start - len(_LONG)) : start + _BLOCK].translate(_DIGITS):
            return True
    return False
