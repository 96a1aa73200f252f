"""Patterns for PCRE2, the regular expressions of ThingsDB, that match what RE2 matches."""

from __future__ import annotations

import re

__all__ = ["pcre_source"]

_SAME = re.compile(
    r"(?:[^\\.^$|?*+()\[\]{}\x00]|\\[!-/:-@\[-`{-~]|\\[dwnrtf]|\.|\^|\$|\((?:\?:)?|\)|\||[*+?]\??"
    r"|\{[0-9]{1,3}(?:,[0-9]{0,3})?\}\??|\[\^?(?:[^\\\[\]]|\\[!-/:-@\[-`{-~]|\\[dwnrtf])+\])*"
)
"""Patterns that mean the same in RE2, which this library uses, and in PCRE2, which ThingsDB uses."""
_DOLLAR = re.compile(r"(\\.|\[\^?(?:\\.|[^\\\]])+\])|\$")


def pcre_source(pattern: str, flags: str) -> str | None:
    """The pattern in PCRE2's spelling; None if it may match something else there than in RE2."""
    if not _SAME.fullmatch(pattern) or ("m" in flags and re.search(r"[$^]", pattern)):
        return None
    return _DOLLAR.sub(lambda part: part[1] or r"\z", pattern)  # `$` would match before a line end, too
