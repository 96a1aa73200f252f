"""Translates statements with `?` or `:name` into the paramstyle of the driver (PEP 249).

    select * from users where login = ?            parameters ("yoen",)
    select * from users where login = :login       parameters {"login": "yoen"}

With a sequence of parameters `?` is the placeholder, and `:name` is plain text. With a mapping it is the
other way round. `??` is a single `?` that is no placeholder, such as PostgreSQL's operator for jsonb. Its
operators ?|, ?& and @? need no second ?. A colon before a digit or a blank is no placeholder: `a[1 : n]` is a
slice.

Drivers with the paramstyles format and pyformat want every other `%` doubled, within literals, too. This is
done here: `like '%x'` is written as it is. pg8000 is the exception, which reads literals by itself, and
mysql.connector, which leaves `%%` as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...errors import InvalidInput
from .sql_lexer import Kind, dialect_of, tokens

__all__ = ["translate", "translate_many"]

_STYLES = ("qmark", "numeric", "named", "format", "pyformat")
_CACHED_LENGTH = 10_000


def translate(sql: str, params: Any, paramstyle: str, driver: str = "") -> tuple[str, Any]:
    """The statement and its parameters in the driver's paramstyle.

    Args:
        params: a sequence for a statement with `?`, a mapping for one with `:name`, None for neither.
        paramstyle: the DB-API module's `paramstyle`.
        driver: the DB-API module's name, which says how literals and comments are read.

    Returns:
        The statement and what `execute` takes as parameters. If these are None, `execute` takes the statement
        alone: drivers then do not look for placeholders.

    Raises:
        InvalidInput: parameters are missing, or are not used, or the statement cannot be read.
    """
    statement = _find(sql, params, paramstyle, driver)
    return statement.text, statement.bind(params)


def translate_many(sql: str, rows: Iterable[Any], paramstyle: str, driver: str = "") -> tuple[str, list[Any]]:
    """The statement and its rows of parameters, for `executemany`. All rows are of one kind. See `translate`.

    Raises:
        InvalidInput: see `translate`; also if the statement has no placeholder.
    """
    found = list(rows)
    statement = _find(sql, found[0] if found else None, paramstyle, driver)
    if found and not statement.order:
        raise InvalidInput("executemany needs a statement with placeholders, and this one has none")
    return statement.text, [statement.bind(params) for params in found]


def _find(sql: str, params: Any, paramstyle: str, driver: str) -> _Statement:
    if not isinstance(sql, str):
        raise InvalidInput(
            f"the statement is a {type(sql).__name__}; its placeholders can be translated in a str"
        )
    prepare = _prepare if len(sql) <= _CACHED_LENGTH else _prepare.__wrapped__
    return prepare(sql, isinstance(params, Mapping), paramstyle, driver.partition(".")[0].lower())


@dataclass(frozen=True)
class _Statement:
    """A translated statement.

    Attributes:
        text: the statement for the driver.
        order: the placeholders in order, by name; "p1", "p2" and so on if they were written as `?`.
        named: whether they were written as `:name`.
        style: the paramstyle.
        hint: what to add to an error about the number of parameters.
    """

    text: str
    order: tuple[str, ...]
    named: bool
    style: str
    hint: str

    def bind(self, params: Any) -> Any:
        """The driver's parameters. Raises InvalidInput if some are missing, or not used."""
        values = self._by_name(params) if self.named else self._by_position(params)
        if not self.order:
            return None
        if self.style in ("named", "pyformat"):
            return {name: values[name] for name in self.order}
        order = dict.fromkeys(self.order) if self.style == "numeric" else self.order
        return tuple([values[name] for name in order])

    def _by_name(self, params: Any) -> Mapping[str, Any]:
        if not isinstance(params, Mapping):
            raise InvalidInput(f"the first parameters are a mapping, and these are a {type(params).__name__}")
        missing = [name for name in dict.fromkeys(self.order) if name not in params]
        if missing:
            raise InvalidInput(f"the statement needs a parameter {', '.join(missing)}")
        unused = [str(name) for name in params if name not in self.order]
        if unused:
            known = ", ".join(dict.fromkeys(self.order)) or "none"
            raise InvalidInput(
                f"the statement has no placeholder for {', '.join(unused)}; its names are {known}{self.hint}"
            )
        return params

    def _by_position(self, params: Any) -> Mapping[str, Any]:
        if params is None:
            params = ()
        elif isinstance(params, str | bytes | bytearray) or not isinstance(params, Sequence):
            raise InvalidInput(
                f"parameters are a {type(params).__name__}; give a tuple or a list for ?, a dict for :name"
            )
        if len(params) != len(self.order):
            raise InvalidInput(
                f"the statement has {len(self.order)} placeholders (?), and {len(params)} parameters "
                f"are given{self.hint}"
            )
        return dict(zip(self.order, params, strict=True))


@lru_cache(maxsize=512)
def _prepare(sql: str, named: bool, style: str, driver: str) -> _Statement:
    if style not in _STYLES:
        raise InvalidInput(f"the driver's paramstyle is {style!r}, which PEP 249 does not have")
    if driver == "pg8000" and style == "pyformat":
        style = "format"  # its pyformat takes %s as well, but no %(name)s behind a %%
    dialect = dialect_of(driver)
    texts: list[str] = [""]
    order: list[str] = []
    at = 0
    has_operators = has_names = False
    for token in tokens(sql, dialect):
        texts[-1] += sql[at : token.start]
        at = token.end
        if token.kind is (Kind.NAMED if named else Kind.QMARK):
            if not named and sql[at : at + 1].isdigit():
                raise InvalidInput(f"?{sql[at]} is a numbered placeholder; write ? or :name")
            order.append(sql[token.start + 1 : at] if named else f"p{len(order) + 1}")
            texts.append("")
            continue
        has_operators |= token.kind is not Kind.NAMED
        has_names |= token.kind is Kind.NAMED
        texts[-1] += "?" if token.kind is Kind.ESCAPED else sql[token.start : at]
    texts[-1] += sql[at:]
    if order and style == "qmark" and has_operators:
        raise InvalidInput("the driver would read the operator ? as a placeholder; write it as a function")
    if order and style == "named" and has_names and not named:
        raise InvalidInput("the statement has ? and :name; write all placeholders in one of these ways")
    return _Statement(
        text=_join(texts, _marks(order, style), style, driver) if order else texts[0],
        order=tuple(order),
        named=named,
        style=style,
        hint=_hint(named, bool(order), has_names, has_operators, dialect.name),
    )


def _hint(named: bool, has_placeholders: bool, has_names: bool, has_operators: bool, dialect: str) -> str:
    if not named and has_names and not has_placeholders:
        return "; for placeholders written as :name give a dict"
    if not named and has_placeholders and dialect == "PostgreSQL":
        return "; write ?? for the operator ?"
    if named and has_operators and not has_placeholders:
        return "; for placeholders written as ? give a tuple"
    return ""


def _marks(order: list[str], style: str) -> list[str]:
    """The driver's placeholders."""
    if style == "numeric":
        number = {name: at for at, name in enumerate(dict.fromkeys(order), start=1)}
        return [f":{number[name]}" for name in order]
    form = {"qmark": "?", "format": "%s", "named": ":{}", "pyformat": "%({})s"}[style]
    return [form.format(name) for name in order]


def _join(texts: list[str], marks: list[str], style: str, driver: str) -> str:
    """The statement, with each `%` in its texts written as the driver needs it."""
    if style in ("format", "pyformat"):
        if driver == "pg8000":
            return _join_for_pg8000(texts)
        if driver != "mysql":  # mysql.connector leaves %% as it is
            texts = [text.replace("%", "%%") for text in texts]
    return "".join([part for pair in zip(texts, [*marks, ""], strict=True) for part in pair])


# What pg8000 takes for literals and comments, in which it leaves a % alone, and every other %. It knows
# neither comments with /* nor tags between dollars, and ends E'…' at the first quote that has no backslash
# before it.
_PG8000_PARTS = re.compile(
    r"""(?<=E)'(?:[^']|(?<=\\)')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"[^"]*(?:"|\Z)"""
    r"""|--[^\n]*|(?<=\$)\$(?:[^$]|(?<!\$)\$)*(?:\$|\Z)|%""",
    re.DOTALL,
)


def _join_for_pg8000(texts: list[str]) -> str:
    starts = set()
    at = 0
    for text in texts[:-1]:
        at += len(text)
        starts.add(at)
        at += len("%s")

    def double(found: re.Match[str]) -> str:
        if found[0] == "%":
            return "%" if found.start() in starts else "%%"
        if any(position in starts for position in range(*found.span())):
            raise InvalidInput(
                "pg8000 would not find a placeholder of this statement, because it reads quotes in comments "
                "and backslashes before quotes in its own way; leave these out"
            )
        return found[0]

    return _PG8000_PARTS.sub(double, "%s".join(texts))
