"""Finds the placeholders of a statement, and nothing that only looks like one.

What is skipped: string literals, quoted names, comments, dollar quotes, `::`, `:=`, and `:` before a digit,
as in the slice `a[1:2]`. Where literals and comments end depends on the database:

    PostgreSQL   'it''s'  E'it\\'s'  "a"  $tag$…$tag$  --  /* /* nested */ */; operators ?| ?& @?
    DuckDB       the same, without the operators, and E counts for one line
    MySQL        'it\\'s'  "it\\'s"  `a`  --␣  #  /* */
    SQLite       'it''s'  "a"  `a`  [a]  --  /* */
    any other    'it''s'  "a"  --  /* */

Servers can be told to read literals otherwise, with standard_conforming_strings, NO_BACKSLASH_ESCAPES and
ANSI_QUOTES. That is not known here. In these modes leave out backslashes before quotes.

There is a lexer here because sqlparams translates within literals and comments, too. sqlglot's lexer does
not, but it takes ?? for an operator, and drops comments, which may be hints for the server.

Every pattern reads a text in linear time: its alternatives begin with different characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ...errors import InvalidInput

__all__ = ["Dialect", "Kind", "Token", "dialect_of", "tokens"]

_LETTER = r"[A-Za-z_\x80-\U0010ffff]"
_PLAIN = r"'[^']*(?:''[^']*)*'(?!')"
_NAME = r'"[^"]*(?:""[^"]*)*"(?!")'
_BACKQUOTED = r"`[^`]*(?:``[^`]*)*`(?!`)"
_BRACKETED = r"\[[^\]]*\]"
_ESCAPED = r"[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!')"
# 'a' and 'b' with a newline between them are one literal in PostgreSQL, and the E counts for both.
_CONTINUED = r"'[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:\s|--[^\r\n]*[\r\n])*'"
_ESCAPED_LINES = rf"[eE]'[^'\\]*(?:(?:\\.|''|{_CONTINUED})[^'\\]*)*'(?!')"
_BACKSLASHED = r"""'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!')|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*"(?!")"""
_DOLLARS = rf"\$(?P<tag>(?:{_LETTER}[A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$"
_LINE = r"--[^\r\n]*"
_LINE_SQLITE = r"--[^\n]*"
_LINE_MYSQL = r"--(?=[\x00-\x20]|\Z)[^\n]*|\#[^\n]*"
_BLOCK = r"/\*.*?\*/"
_BLOCK_TO_END = r"/\*.*?(?:\*/|\Z)"
_COMMENT_MARK = re.compile(r"/\*|\*/")


class Kind(Enum):
    """What a token is. Everything between tokens is plain text."""

    QMARK = "?"
    ESCAPED = "??"
    OPERATOR = "?|"
    NAMED = ":name"


@dataclass(frozen=True)
class Token:
    """A placeholder, or a `?` that is none: `sql[start:end]`."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True)
class Dialect:
    """How a database reads a statement.

    Attributes:
        name: what errors call it.
        pattern: finds what is skipped, and placeholders.
        nested: whether comments are nested.
    """

    name: str
    pattern: re.Pattern[str]
    nested: bool = False


def _dialect(name: str, *skipped: str, opening: str, operators: str = "", nested: bool = False) -> Dialect:
    """A dialect. `skipped` are literals, names and comments; `opening` begins one that has no end."""
    forms = [
        f"(?P<skipped>{'|'.join(skipped)})",
        f"(?P<open>{opening})",
        rf"(?P<word>{_LETTER}[\w$\x80-\U0010ffff]*|[0-9][\w$.]*)",
        r"(?P<colons>::+|:=)",
        r"(?P<named>:[^\W\d]\w*)",
        r"(?P<escaped>\?\?)",
        *([f"(?P<operator>{operators})"] if operators else []),
        r"(?P<qmark>\?)",
    ]
    return Dialect(name, re.compile("|".join(forms), re.DOTALL), nested)


_QUESTION_OPERATORS = r"\?[|&](?![|&])|@\?"  # not ?|| and ?&&, which are a placeholder before || and &&
_OPEN_POSTGRESQL = rf"""[eE]?'|"|/\*|\$(?:{_LETTER}[A-Za-z0-9_\x80-\U0010ffff]*)?\$"""
POSTGRESQL = _dialect(
    "PostgreSQL",
    *(_ESCAPED_LINES, _PLAIN, _NAME, _DOLLARS, _LINE),
    opening=_OPEN_POSTGRESQL,
    operators=_QUESTION_OPERATORS,
    nested=True,
)
DUCKDB = _dialect(
    "DuckDB",
    *(_ESCAPED, _PLAIN, _NAME, _DOLLARS, _LINE),
    opening=_OPEN_POSTGRESQL,
    nested=True,
)
MYSQL = _dialect("MySQL", _BACKSLASHED, _BACKQUOTED, _LINE_MYSQL, _BLOCK, opening=r"""['"`]|/\*""")
SQLITE = _dialect(
    "SQLite", _PLAIN, _NAME, _BACKQUOTED, _BRACKETED, _LINE_SQLITE, _BLOCK_TO_END, opening=r"""['"`\[]"""
)
STANDARD = _dialect("SQL", _PLAIN, _NAME, _LINE, _BLOCK, opening=r"""['"]|/\*""")

_BY_DRIVER = {
    **dict.fromkeys(("psycopg", "psycopg2", "psycopg2cffi", "pg8000", "pgdb"), POSTGRESQL),
    **dict.fromkeys(("pymysql", "mysqldb", "mysql", "mariadb", "cymysql"), MYSQL),
    **dict.fromkeys(("sqlite3", "pysqlite3", "sqlcipher3", "apsw"), SQLITE),
    "duckdb": DUCKDB,
}


def dialect_of(driver: str) -> Dialect:
    """The dialect of a DB-API module's database, by the module's name."""
    return _BY_DRIVER.get(driver.partition(".")[0].lower(), STANDARD)


def tokens(sql: str, dialect: Dialect) -> Iterator[Token]:
    """The placeholders in a statement, and the `?` that are operators.

    Raises:
        InvalidInput: a literal, a quoted name or a comment has no end.
    """
    search = dialect.pattern.search
    at = 0
    while found := search(sql, at):
        at = found.end()
        form = found.lastgroup if found.lastgroup != "tag" else "skipped"
        if form == "open":
            if not dialect.nested or found[0] != "/*":
                raise _unclosed(sql, found.start(), found[0], dialect)
            at = _end_of_comment(sql, found.start(), dialect)
        elif form == "named":
            yield Token(Kind.NAMED, found.start(), at)
        elif form == "qmark":
            yield Token(Kind.QMARK, found.start(), at)
        elif form == "escaped":
            yield Token(Kind.ESCAPED, found.start(), at)
        elif form == "operator":
            yield Token(Kind.OPERATOR, found.start(), at)


def _end_of_comment(sql: str, start: int, dialect: Dialect) -> int:
    depth = 0
    for mark in _COMMENT_MARK.finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise _unclosed(sql, start, "/*", dialect)


def _unclosed(sql: str, start: int, opening: str, dialect: Dialect) -> InvalidInput:
    line = sql.count("\n", 0, start) + 1
    column = start - (sql.rfind("\n", 0, start) + 1) + 1
    return InvalidInput(
        f"the statement opens {opening} in line {line}, column {column}, and does not close it "
        f"as {dialect.name} reads it"
    )
