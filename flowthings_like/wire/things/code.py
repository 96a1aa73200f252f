"""What a client takes away from code before it sends it."""

from __future__ import annotations

import re

__all__ = ["strip_code"]

_LEADING = re.compile(r"\s*(?://.*)?\s*")


def strip_code(code: str) -> str:
    """Code without the blanks around it, and without one line comment at its start.

    A second comment, a block comment and anything inside stay. Lines and columns in the node's syntax errors
    are those of what this returns.
    """
    if code[:1] != "/" and not code[:1].isspace() and not code[-1:].isspace():
        return code
    leading = _LEADING.match(code)
    return code[leading.end() :].rstrip() if leading else code
