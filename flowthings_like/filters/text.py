r"""The platform's filter language: `render` writes a filter, `parse` reads one, and `parse(render(f)) == f`.

    filter  := and ('||' and)*                    NOT binds tightest, then &&, then ||
    and     := unary ('&&' unary)*
    unary   := 'NOT' unary | '(' filter ')' | rule
    rule    := 'EXISTS' member | 'HAS' type | 'MATCHES' regex
             | 'AGE' ['(' (string | member) ')'] cmp number
             | member cmp value
             | member '%' number ('==' | '!=') number
             | member '=~' regex
             | member ('IN' | 'CONTAINS') '[' [value (',' value)*] ']'
             | member 'WITHIN' number unit 'OF' '[' (number ',' number | 'ZIP' '=' word) ']'
             | member 'WITHIN' '[' point (',' point)* ']'
    value   := string | number | 'true' | 'false' | 'null' | type '(' (number | string) ')'
             | JSON list or map | member
    member  := part ('.' part)*
    part    := identifier | digits | '`' name '`'

Strings stand in single or double quotes. Strings and names in backquotes share one set of escapes:
\\ \' \" \` \/ \b \f \n \r \t \uXXXX. Blanks may stand between any two tokens.
"""

from __future__ import annotations

import re
from functools import lru_cache

import six

from ..errors import InvalidInput
from .nodes import (
    MAX_LENGTH,
    Age,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Has,
    In,
    Inside,
    Json,
    Matches,
    Member,
    Modulo,
    Not,
    Operand,
    Or,
    Point,
    Regex,
    Typed,
    Within,
)
from .operands import MAX_PARTS
from .parser import Parser
from .quoting import RESERVED, quote

__all__ = ["parse", "render", "write"]


def parse(text: str | bytes) -> Filter | None:
    """The filter that a text describes. None for an empty or blank text, which is no filter.

    Raises:
        FilterSyntaxError: it does not parse, is longer than MAX_LENGTH, or nests deeper than MAX_DEPTH. The
            error has the line, the column, what was expected and what was found.
        InvalidInput: it is neither a str nor UTF-8.
    """
    if not isinstance(text, (str, bytes)):
        raise InvalidInput(f"expected a filter's text, not {type(text).__name__}")
    try:
        text = six.ensure_str(text)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"expected a filter in UTF-8: {error}") from None
    if not text.strip():
        return None
    found = _one_comparison(text)
    return Parser(text).whole() if found is None else found


def _one_comparison(text: str) -> Filter | None:
    """Parse a single comparison by one regular expression; None for anything else.

    Nearly every look-up is a single comparison, and the parser takes three times as long for it.
    """
    found = _COMPARISON.fullmatch(text)
    if found is None or len(text) > MAX_LENGTH:
        return None
    path, op, double, single, digits = found.groups()
    member = _bare_member(path)
    if member is None:
        return None
    value = int(digits) if digits is not None else single if double is None else double
    try:
        return Compare(member, op, value)
    except InvalidInput:  # let the parser report the position
        return None


@lru_cache(maxsize=1024)
def _bare_member(path: str) -> Member | None:
    """The member of a path without backquotes; None if the parser has to read the path."""
    parts = tuple(path.split("."))
    return Member(parts) if len(parts) <= MAX_PARTS and RESERVED.isdisjoint(parts) else None


_COMPARISON = re.compile(
    r"""\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*(==|!=|<=|>=|<|>)\s*"""
    r"""(?:"([^"\\]*)"|'([^'\\]*)'|(-?[0-9]{1,15}))\s*""",
    re.ASCII,
)


def render(node: Filter) -> str:
    """The text of a filter, which it remembers. InvalidInput if it is longer than MAX_LENGTH."""
    known: str | None = getattr(node, "_text", None)
    if known is not None:
        return known
    text = write(node)
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"expected a filter of at most {MAX_LENGTH} characters, not {len(text)}")
    object.__setattr__(node, "_text", text)
    return text


# nodes.py stands below this module and cannot import it, so this module defines str(filter). The package's
# __init__ imports this module, so every filter has the method, whichever module was imported first.
Filter.__str__ = render  # type: ignore[assignment]


def _regex(pattern: str, flags: str) -> str:
    return "/" + pattern.replace("/", "\\/") + "/" + flags


def _point(point: Point) -> str:
    return f"[{point[0]!r},{point[1]!r}]"


def _operand(value: Operand) -> str:
    if isinstance(value, str):
        return quote(value, "'")
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Member):
        return str(value)
    if isinstance(value, Typed):
        return f"{value.name}({_operand(value.value)})"
    return value.text if isinstance(value, Json) else repr(value)


def write(node: Filter) -> str:
    """The text of a filter, however long: it may be longer than the text that was parsed, by its blanks."""
    match node:
        case Compare(left, op, value):
            return f"{left} {op} {_operand(value)}"
        case And() | Or():
            return f" {node.sign} ".join(f"({write(one)})" for one in node.filters)
        case Not(one):
            return f"NOT ({write(one)})" if isinstance(one, (And, Or)) else f"NOT {write(one)}"
        case Exists(member):
            return f"EXISTS {member}"
        case In(left, items):
            return f"{left} IN [{','.join(map(_operand, items))}]"
        case Contains(left, items):
            return f"{left} CONTAINS [{','.join(map(_operand, items))}]"
        case Regex(left, pattern, flags):
            return f"{left} =~ {_regex(pattern, flags)}"
        case Matches(pattern, flags):
            return f"MATCHES {_regex(pattern, flags)}"
        case Modulo(left, divisor, op, remainder):
            return f"{left} % {divisor!r} {op} {remainder!r}"
        case Age(None, op, ms):
            return f"AGE {op} {ms!r}"
        case Age(field, op, ms):
            return f"AGE({quote(str(field), chr(39))}) {op} {ms!r}"
        case Within(left, distance, unit, point, zip_code):
            place = _point(point) if point else f"[ZIP={zip_code}]"
            return f"{left} WITHIN {distance!r} {unit} OF {place}"
        case Inside(left, polygon):
            return f"{left} WITHIN [{','.join(map(_point, polygon))}]"
        case Has(name):
            return f"HAS {name}"
    raise InvalidInput(f"expected a filter, not {type(node).__name__}")
