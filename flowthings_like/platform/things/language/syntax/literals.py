"""Converts the text of literals to values."""

from __future__ import annotations

from .....wire.things import errors

__all__ = ["checked_flags", "parse_int", "unescaped", "unquoted"]


def unquoted(text: str) -> str:
    """Return the value of a string literal. Within it, its quote is written twice."""
    return text[1:-1].replace(text[0] * 2, text[0])


def parse_int(digits: str) -> int:
    """Return the value of an integer literal: decimal, 0b…, 0o… or 0x….

    Raises OverflowError if it is far too long for 64 bits.
    """
    if len(digits) > 80:  # 64 bits in binary, and some zeros
        raise errors.OverflowError("integer overflow: expected a number of 64 bits")
    return int(digits, {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10))


def unescaped(text: str) -> str:
    """Return a text between the `{…}` of a template string. Backquotes and braces are written twice there."""
    return text.replace("``", "`").replace("{{", "{").replace("}}", "}")


def checked_flags(regex: str) -> str:
    """Return the source of a regular expression. Raises ValueError if it has flags other than i, s and m."""
    for flag in regex.rpartition("/")[2]:
        if flag not in "ism":
            raise errors.ValueError(f"unsupported regular expression flag: `{flag}`")
    return regex
