r"""The platform's filter language: `render` writes it, `parse` reads it, and `parse(render(f)) == f`.

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

Strings stand in single or double quotes; they and backquoted names share one set of escapes:
\\ \' \" \` \/ \b \f \n \r \t \uXXXX. Blanks are free between any two tokens.
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
    """The filter that `text` says; None for an empty or blank text, which filters nothing.

    Raises FilterSyntaxError with line, column, what was expected and what was found. The text may have up to
    64 KiB, parentheses and NOT may nest 100 deep.
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
    """What nearly every look-up is, read by one pattern in a third of the time; None for anything else."""
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
    except InvalidInput:  # the parser says where
        return None


@lru_cache(maxsize=1024)
def _bare_member(path: str) -> Member | None:
    """The member that names without backquotes mean; None if the parser has to look at them."""
    parts = tuple(path.split("."))
    return Member(parts) if len(parts) <= MAX_PARTS and RESERVED.isdisjoint(parts) else None


_COMPARISON = re.compile(
    r"""\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*(==|!=|<=|>=|<|>)\s*"""
    r"""(?:"([^"\\]*)"|'([^'\\]*)'|(-?[0-9]{1,15}))\s*""",
    re.ASCII,
)


def render(node: Filter) -> str:
    """A filter as text, at most 64 KiB of it; InvalidInput if it is longer."""
    text = write(node)
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"expected a filter of at most {MAX_LENGTH} characters, not {len(text)}")
    return text


# The nodes stand below this module and cannot import it, so `str(filter)` is defined from here. The package
# imports this module whichever of its modules is asked for, so no filter is ever without it.
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
    """A filter as text of any length: one read from 64 KiB without blanks is longer when written."""
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
