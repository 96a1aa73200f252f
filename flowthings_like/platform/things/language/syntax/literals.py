"""Literals: their text to values."""

from __future__ import annotations

from .....wire.things import errors

__all__ = ["checked_flags", "parse_int", "unescaped", "unquoted"]


def unquoted(text: str) -> str:
    """A string without its quotes; the quote itself is written twice within."""
    return text[1:-1].replace(text[0] * 2, text[0])


def parse_int(digits: str) -> int:
    """A whole number: decimal, 0b…, 0o… or 0x…. Raises OverflowError if it is far too long for 64 bits."""
    if len(digits) > 80:  # 64 bits in binary, and some zeros
        raise errors.OverflowError("integer overflow: expected a number of 64 bits")
    return int(digits, {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10))


def unescaped(text: str) -> str:
    """The text between the `{…}` of a template string: backquotes and braces are written twice."""
    return text.replace("``", "`").replace("{{", "{").replace("}}", "}")


def checked_flags(regex: str) -> str:
    """The source of a regular expression, if its flags are any of i, s and m. Raises ValueError else."""
    for flag in regex.rpartition("/")[2]:
        if flag not in "ism":
            raise errors.ValueError(f"unsupported regular expression flag: `{flag}`")
    return regex
