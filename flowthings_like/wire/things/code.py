"""Strips ThingsDB code before it is sent."""

from __future__ import annotations

import re

__all__ = ["strip_code"]

_LEADING = re.compile(r"\s*(?://.*)?\s*")


def strip_code(code: str) -> str:
    """Remove the whitespace around code, and one line comment at its start.

    A second comment, a block comment and anything inside stay. The lines and columns in a node's syntax
    errors refer to the stripped code.
    """
    if code[:1] != "/" and not code[:1].isspace() and not code[-1:].isspace():
        return code
    leading = _LEADING.match(code)
    return code[leading.end() :].rstrip() if leading else code
