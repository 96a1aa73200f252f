r"""Quotes and unquotes strings (' or ") and names (`) in a filter's text.

All three kinds of quotes share one set of escapes: \\ \' \" \` \/ \b \f \n \r \t \uXXXX. They are JSON's
escapes and two for quotes, so the output of JSON.stringify can be read.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import InvalidInput

RESERVED = frozenset(
    {
        *("AGE", "CONTAINS", "EXISTS", "HAS", "IN", "MATCHES", "NOT", "OF", "WITHIN", "ZIP"),
        *("true", "false", "null", "nan", "NaN", "inf", "Infinity"),
    }
)
"""Words that are a member's name only in backquotes."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DIGITS = re.compile(r"[0-9]+")
_INVISIBLE = [*range(0x20), 0x7F, 0x85, 0x2028, 0x2029]
_ESCAPES: dict[int, str] = {
    **{code: f"\\u{code:04x}" for code in _INVISIBLE},
    **{ord(raw): "\\" + name for raw, name in zip("\b\f\n\r\t\\", "bfnrt\\", strict=True)},
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {char: char for char in "\\'\"`/"}
_SEGMENT = re.compile(r"(?:`((?:[^`\\]|\\.)*)`|([^.`][^.]*))(\.|$)", re.DOTALL)


def quote(value: str, mark: str) -> str:
    """The text in quotes, escaped so that nothing in it can end the quotes."""
    if value.isprintable() and "\\" not in value and mark not in value:  # nothing to escape
        return mark + value + mark
    return mark + value.translate(_ESCAPES).replace(mark, "\\" + mark) + mark


def unquote(quoted: str) -> str:
    """The string that a quoted text stands for. Raises InvalidInput for an unknown escape."""
    text = quoted[1:-1]
    plain = _ESCAPE.sub(_unescape, text) if "\\" in text else text
    if not plain.isascii():
        try:  # JavaScript writes a character beyond U+FFFF as two escapes
            plain = plain.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise InvalidInput("expected Unicode text, not half a surrogate pair") from None
    return plain


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    if code not in _UNESCAPED:
        raise InvalidInput(rf"expected an escape (\\ \' \" \` \/ \b \f \n \r \t \uXXXX), not \{code}")
    return _UNESCAPED[code]


@lru_cache(maxsize=1024)
def join_path(parts: tuple[str, ...]) -> str:
    """The text of a member: its names joined by dots, in backquotes where necessary."""
    return ".".join(_name(part, first=index == 0) for index, part in enumerate(parts))


def _name(part: str, first: bool) -> str:
    bare = _PLAIN.fullmatch(part) and part not in RESERVED
    return part if bare or (not first and _DIGITS.fullmatch(part)) else quote(part, "`")


def split_path(path: str) -> tuple[str, ...]:
    """The names in a dotted path. A name in backquotes may hold dots. InvalidInput for an empty name."""
    parts: list[str] = []
    at = 0
    while found := _SEGMENT.match(path, at):
        parts.append(found[2] if found[1] is None else unquote(f"`{found[1]}`"))
        at = found.end()
        if not found[3]:
            if at == len(path):
                return tuple(parts)
            break
    raise InvalidInput(
        f"expected names with single dots between them (backquotes around odd ones), not {path!r}"
    )
