r"""Names and strings as text: three kinds of quotes (' " and ` for names), one set of escapes.

\\ \' \" \` \/ \b \f \n \r \t \uXXXX (JSON's, so that what JSON.stringify
writes reads back, and two more quotes).
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
"""Words that cannot stand bare as the name of a member; backquotes make a name of them."""

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
    """The text in quotes, nothing in it able to end them."""
    return mark + value.translate(_ESCAPES).replace(mark, "\\" + mark) + mark


def unquote(quoted: str) -> str:
    """What a quoted text stands for; InvalidInput for an escape that is none of ours."""
    text = quoted[1:-1]
    plain = _ESCAPE.sub(_unescape, text) if "\\" in text else text
    if not plain.isascii():
        try:  # JavaScript writes an astral character as two escapes
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
    """A member's names as text: plain ones bare, others in backquotes."""
    return ".".join(_name(part, first=index == 0) for index, part in enumerate(parts))


def _name(part: str, first: bool) -> str:
    bare = _PLAIN.fullmatch(part) and part not in RESERVED
    return part if bare or (not first and _DIGITS.fullmatch(part)) else quote(part, "`")


def split_path(path: str) -> tuple[str, ...]:
    """The names in a dotted path; one in backquotes may hold dots. InvalidInput for an empty name."""
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
