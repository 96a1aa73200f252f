"""Parses the filter language by recursive descent. The grammar is in the docstring of `text`."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from ..errors import FilterSyntaxError, InvalidInput
from .nodes import (
    MAX_DEPTH,
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
from .patterns import MAX_PATTERN
from .quoting import RESERVED, split_path, unquote

_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_BACKQUOTED = r"`(?:[^`\\]|\\.)*`"
_WORD = r"[^\W\d][\w$-]*|\$[\w$-]*"
_PART = rf"(?:{_WORD}|[0-9]+|{_BACKQUOTED})"


def _token(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


_BLANK = _token(r"\s*")
STRING = _token(_QUOTED)
PART = _token(_PART)
MEMBER = _token(rf"{_PART}(?:\s*\.\s*{_PART})*")
WORD = _token(_WORD)
KEYWORD = _token(rf"(?:{_WORD})(?![\w$-]|\s*\.)")
TYPED = _token(r"([A-Za-z_]\w*)\s*\(")
NUMBER = _token(r"[-+]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][-+]?[0-9]+)?")
REGEX = _token(r"/((?:[^/\\]|\\.)*)/(\w*)")
COMPARISON = _token(r"==|!=|<=|>=|<(?!=)|>(?!=)")
ZIP = _token(r"ZIP\s*=\s*([\w-]+)")
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
RULE = "a rule: a member, EXISTS, HAS, MATCHES, AGE, NOT or ("


class Parser:
    """Reads one text. Each method reads one rule of the grammar and returns its node, or raises.

    `at` is the position in the text. `fail` raises FilterSyntaxError for this position.
    """

    def __init__(self, text: str, limit: int = MAX_LENGTH) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        if len(text) > limit:
            self.fail(f"at most {limit} characters", f"{len(text)}")

    # -- tokens and errors

    def fail(self, expected: str, found: str | None = None, at: int | None = None) -> NoReturn:
        at = self.at if at is None else at
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        raise FilterSyntaxError(self.text, line, column, expected, self.next() if found is None else found)

    def next(self) -> str:
        rest = self.text[self.at : self.at + 40]
        word = re.match(r"[\w$-]+|[^\w\s]{1,3}", rest)
        return repr((word[0] if word else rest[:1])[:24]) if rest else "the end"

    def blank(self) -> int:
        if not self.text[self.at : self.at + 1].isspace():
            return self.at
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def take(self, token: re.Pattern[str]) -> re.Match[str] | None:
        """Read the token if it comes next, and return its match; else return None."""
        self.blank()
        found = token.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def need(self, token: re.Pattern[str], expected: str) -> re.Match[str]:
        return self.take(token) or self.fail(expected)

    def sign(self, sign: str) -> bool:
        self.blank()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def need_sign(self, sign: str, or_else: str = "") -> None:
        if not self.sign(sign):
            self.fail(f"{sign}{or_else}")

    def keyword(self, *words: str) -> str | None:
        start = self.blank()
        found = self.take(KEYWORD)
        if found and found[0] in words:
            return found[0]
        self.at = start
        return None

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"at most {MAX_DEPTH} levels of parentheses, brackets and NOT", "one more")

    # -- filters

    def whole(self) -> Filter:
        result = self.filter()
        self.blank()
        if self.at < len(self.text):
            self.fail("&&, || or the end")
        return result

    def filter(self) -> Filter:
        either: list[Filter] = []
        both = [self.unary()]
        while True:
            if self.sign("&&"):
                both.append(self.unary())
                continue
            either.append(both[0] if len(both) == 1 else And(tuple(both)))
            if not self.sign("||"):
                return either[0] if len(either) == 1 else Or(tuple(either))
            both = [self.unary()]

    def unary(self) -> Filter:
        if self.keyword("NOT"):
            self.deeper()
            result: Filter = Not(self.unary())
        elif self.sign("("):
            self.deeper()
            result = self.filter()
            self.need_sign(")", ", && or ||")
        else:
            return self.rule()
        self.depth -= 1
        return result

    def rule(self) -> Filter:
        start = self.blank()
        try:
            keyword = self.keyword(*RESERVED)
            return self.member_rule() if keyword is None else self.keyword_rule(keyword)
        except FilterSyntaxError:
            raise
        except InvalidInput as error:  # right syntax, wrong value: a divisor of 0, a latitude of 200
            self.fail(str(error).removeprefix("expected "), "", at=start)

    def keyword_rule(self, keyword: str) -> Filter:
        match keyword:
            case "EXISTS":
                return Exists(self.member())
            case "HAS":
                return Has(self.need(WORD, "a type's name after HAS")[0])
            case "MATCHES":
                return Matches(*self.regex())
            case "AGE":
                return self.age()
        self.at -= len(keyword)
        return self.fail(RULE)

    def member_rule(self) -> Filter:
        left = self.member(RULE)
        if self.sign("=~"):
            return Regex(left, *self.regex())
        if self.sign("%"):
            divisor = self.number()
            op = self.need(COMPARISON, "== or != after a remainder")[0]
            return Modulo(left, divisor, op, self.number())
        match self.keyword("IN", "CONTAINS", "WITHIN"):
            case "IN":
                return In(left, self.items())
            case "CONTAINS":
                return Contains(left, self.items())
            case "WITHIN":
                return self.within(left)
        op = self.need(COMPARISON, "an operator: == != < <= > >= =~ % IN CONTAINS or WITHIN")[0]
        return Compare(left, op, self.value())

    def age(self) -> Filter:
        field = None
        if self.sign("("):
            quoted = self.take(STRING)
            field = Member(split_path(unquote(quoted[0]))) if quoted else self.member()
            self.need_sign(")")
        op = self.need(COMPARISON, "an operator: == != < <= > or >=")[0]
        return Age(field, op, self.number())

    def within(self, left: Member) -> Filter:
        if self.sign("["):
            polygon = [self.point()]
            while self.sign(","):
                polygon.append(self.point())
            self.need_sign("]", " or ,")
            return Inside(left, tuple(polygon))
        distance = self.number("a distance or a polygon")
        unit = self.need(WORD, "KM or MILES")[0].upper()
        if not self.keyword("OF", "of"):
            self.fail("OF")
        at = self.at
        self.need_sign("[")
        if zip_code := self.take(ZIP):
            self.need_sign("]")
            return Within(left, distance, unit, zip=zip_code[1])
        self.at = at
        return Within(left, distance, unit, point=self.point())

    # -- operands

    def member(self, expected: str = "a member") -> Member:
        found = self.need(MEMBER, expected)
        parts = (part[0] for part in PART.finditer(found[0]))
        return Member(tuple(unquote(part) if part[0] == "`" else part for part in parts))

    def number(self, expected: str = "a number") -> int | float:
        found = self.need(NUMBER, expected)
        if found[1] is not None or found[2] or found[3]:
            return float(found[0])
        digits = found[0].lstrip("+-0")
        if len(digits) > 20:  # int() takes long for thousands of digits
            self.fail("a whole number of at most 64 bits (or a real one, such as 1e20)", "", at=found.start())
        return -int(digits or 0) if found[0][0] == "-" else int(digits or 0)

    def regex(self) -> tuple[str, str]:
        found = self.need(REGEX, f"a regular expression, /…/, of at most {MAX_PATTERN} characters")
        return found[1], found[2]

    def point(self) -> Point:
        self.need_sign("[")
        latitude = self.number("a latitude")
        self.need_sign(",")
        longitude = self.number("a longitude")
        self.need_sign("]")
        return latitude, longitude

    def items(self) -> tuple[Operand, ...]:
        self.need_sign("[")
        if self.sign("]"):
            return ()
        items = [self.value()]
        while self.sign(","):
            items.append(self.value())
        self.need_sign("]", " or ,")
        return tuple(items)

    def value(self) -> Operand:
        start = self.at
        if self.sign("[") or self.sign("{"):
            self.at = start
            return Json.of(self.json())
        if (keyword := self.keyword(*RESERVED)) is not None:
            if keyword in _CONSTANTS:
                return _CONSTANTS[keyword]
            self.at -= len(keyword)
            self.fail("a value: a string, number, true, false, null, typed value or member")
        if typed := self.take(TYPED):
            inner = self.take(STRING)
            value = unquote(inner[0]) if inner else self.number("a number or a string")
            self.need_sign(")")
            return Typed(typed[1], value)
        return self.literal() if self.literal_next() else self.member("a value")

    def literal_next(self) -> bool:
        start = self.at
        found = self.take(STRING) or self.take(NUMBER)
        self.at = start
        return found is not None

    def literal(self) -> str | int | float:
        if quoted := self.take(STRING):
            return unquote(quoted[0])
        return self.number("a string, a number, true, false, null, a list or a map")

    def json(self) -> Any:
        if self.sign("["):
            close, read = "]", self.json
        elif self.sign("{"):
            close, read = "}", self.pair
        else:
            keyword = self.keyword(*_CONSTANTS)
            return self.literal() if keyword is None else _CONSTANTS[keyword]
        self.deeper()
        inner: list[Any] = []
        if not self.sign(close):
            inner.append(read())
            while self.sign(","):
                inner.append(read())
            self.need_sign(close, " or ,")
        self.depth -= 1
        return inner if close == "]" else dict(inner)

    def pair(self) -> tuple[str, Any]:
        key = unquote(self.need(STRING, "a key in quotes")[0])
        self.need_sign(":")
        return key, self.json()
