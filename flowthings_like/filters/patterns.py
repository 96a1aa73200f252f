"""Regular expressions: checks and normalises their patterns, and runs them on Google's re2.

re2 takes time linear in the text. Therefore it has no look-around and no back-references, and a pattern with
one is refused: engines that take such patterns may run for ever on a few characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..errors import ConfigurationError, InvalidInput
from .operands import check_text, refuse

MAX_PATTERN = 4_096
"""The longest regular expression, in characters."""

_PATTERN_PIECE = re.compile(r"\\(.)|([\n\r\0])|(\\$)", re.DOTALL)
_VISIBLE = {"\n": r"\n", "\r": r"\r", "\0": r"\x00", "/": "/"}


def normal_pattern(pattern: str) -> str:
    r"""The same pattern in the spelling of the tree: `/` for `\/`, and `\n` or `\r` for a raw line break."""

    def piece(found: re.Match[str]) -> str:
        if found[3]:
            refuse("a pattern that does not end in a lone backslash", repr(pattern))
        return _VISIBLE.get(found[1] or found[2], found[0])

    if not isinstance(pattern, str):
        refuse("a pattern as a string", type(pattern).__name__)
    if len(pattern) > MAX_PATTERN:
        refuse(f"a pattern of at most {MAX_PATTERN} characters", len(pattern))
    check_text(pattern, "a pattern")
    return _PATTERN_PIECE.sub(piece, pattern)


def check_flags(flags: str) -> None:
    """Raise InvalidInput unless the flags are among g i m s, each at most once."""
    if not isinstance(flags, str) or not set(flags) <= set("gims") or len(set(flags)) != len(flags):
        refuse("flags among g i m s, each once", repr(flags))


@lru_cache(maxsize=256)
def searcher(pattern: str, flags: str) -> Callable[[str], object]:
    """A function that searches a text for the pattern and returns a match or None.

    Raises:
        InvalidInput: re2 refuses the pattern.
        ConfigurationError: re2 is not installed.
    """
    try:
        import re2
    except ImportError:
        raise ConfigurationError(
            "regular expressions run on google-re2, which is not installed: "
            'pip install "flowthings_like[embedded]"'
        ) from None
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # captures cost time at every character, and no filter uses them
    options.max_mem = 1 << 20  # limits the automaton of patterns such as (a{1000}){9}
    inline = "".join(flag for flag in flags if flag != "g")
    try:
        compiled = re2.compile(f"(?{inline}){pattern}" if inline else pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise InvalidInput(
            "expected a pattern in re2's syntax, which has no look-around and no back-references, "
            f"not /{pattern}/: {reason}"
        ) from None
    search: Callable[[str], Any] = compiled.search
    return search
