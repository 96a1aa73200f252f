"""What a filter has to know of a database's columns, and of the database's dialect of SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NoReturn

from ..errors import InvalidInput
from .column_bounds import INT64
from .operands import check_text
from .quoting import split_path

__all__ = ["DIALECTS", "Column", "Dialect", "Kind", "Literal", "literal_pattern", "quote_table"]


class Kind(Enum):
    """What the values of a column are in a filter."""

    ANY = "values of any type, as in SQLite"
    WHOLE = "whole numbers"
    REAL = "doubles"
    DECIMAL = "decimals"
    NUMBER = "numbers"
    """Numbers of a driver that is not known here: they are compared as the database compares them."""
    TEXT = "texts"
    BOOLEAN = "booleans"
    DATE = "dates"
    MOMENT = "dates with times"
    ZONED_MOMENT = "dates with times and time zones"
    UUID = "UUIDs"
    OTHER = "values of a type that filters do not know"
    """Filters can test them for null."""
    NESTED = "JSON"
    """Filters cannot even test them for null, because JSON has a null of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        kind: what its values are.
        scale: for decimals how many digits they have after the point; None if that is not known.
        takes_unicode: for texts whether the database compares the column with any text. MySQL refuses to
            compare a column in Latin-1 with what Latin-1 does not have.
    """

    kind: Kind
    scale: int | None = None
    takes_unicode: bool = True


class Dialect:
    """Standard SQL. A subclass says what one database does in another way.

    Attributes:
        name: what errors call the database.
        mark: how it quotes names.
        longest: the most bytes of a name. Some databases cut a longer one, and find another column.
        has_booleans: whether TRUE is something else than 1.
        orders_text: whether `text` orders by code points.
        holds_nul: whether a text may hold U+0000.
        fetches: whether the standard's FETCH FIRST limits the rows, in place of LIMIT.
        whole: the whole numbers that it may be sent.
    """

    name = "the database"
    mark = '"'
    longest = 128
    has_booleans = True
    orders_text = False
    holds_nul = True
    fetches = True
    whole = range(-(1 << 63), 1 << 64)

    def quote(self, name: str) -> str:
        """A name of a column or table in quotes. InvalidInput for one that no database has."""
        return _quoted(self, name)

    def quote_anew(self, name: str) -> str:
        """What `quote` remembers."""
        if not name or "\0" in name:
            _refuse(name, "at least one character, and none of them U+0000")
        check_text(name, "a name")
        if len(name.encode()) > self.longest:
            _refuse(name, f"at most {self.longest} bytes")
        return self.mark + name.replace(self.mark, 2 * self.mark) + self.mark

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"

    def text(self, column: str) -> str:
        """A column of texts, or a parameter, as what compares by code points."""
        return column

    def text_value(self, value: str) -> Any:
        """A value to be compared with `text`."""
        return value

    def number(self, column: str, op: str, kind: Kind) -> str:
        """A comparison of numbers. No comparison may be true for what is not a number."""
        return f"{column} {op} ?"

    def search(self, column: str, pattern: str, flags: str) -> tuple[str, tuple[Any, ...]] | None:
        """The condition that a pattern matches in a text, and its values; None if that cannot be said."""
        return None

    def nulls(self, is_descending: bool) -> str:
        """What ORDER BY says behind a column, so that null counts as the least value."""
        return " NULLS LAST" if is_descending else " NULLS FIRST"


@lru_cache(maxsize=1024)
def _quoted(dialect: Dialect, name: str) -> str:
    return dialect.quote_anew(name)


def _refuse(name: str, expected: str) -> NoReturn:
    shown = name if len(name) <= 80 else name[:79] + "…"
    raise InvalidInput(f"expected a name of {expected}, not {shown!r}")


class _SQLite(Dialect):
    name = "SQLite"
    mark = "`"  # a name in "" that no column has would be a text
    longest = 1 << 20
    has_booleans = False
    orders_text = True
    fetches = False

    def text(self, column: str) -> str:
        return f"{column} COLLATE BINARY"

    def nulls(self, is_descending: bool) -> str:
        return ""


class _PostgreSQL(Dialect):
    name = "PostgreSQL"
    longest = 63
    orders_text = True
    holds_nul = False
    fetches = False
    whole = INT64

    def text(self, column: str) -> str:
        return f'{column} COLLATE "C"'

    def number(self, column: str, op: str, kind: Kind) -> str:
        condition = f"{column} {op} ?"
        if op[0] != ">" or kind is Kind.WHOLE:
            return condition
        return f"({condition} AND {column} <> 'NaN')"  # which is greater than all numbers there

    def search(self, column: str, pattern: str, flags: str) -> tuple[str, tuple[Any, ...]] | None:
        found = literal_pattern(pattern, flags)
        if found is None:
            return None
        column = self.text(column)
        if found.starts:
            return f"left({column}, {len(found.text)}) = ?", (found.text,)
        if found.ends:
            return f"right({column}, {len(found.text)}) = ?", (found.text,)
        return f"strpos({column}, ?) > 0", (found.text,)


class _MySQL(Dialect):
    name = "MySQL"
    mark = "`"
    longest = 256
    has_booleans = False
    orders_text = True
    fetches = False

    def quote_anew(self, name: str) -> str:
        if any(char > "\uffff" for char in name) or name.endswith(" "):
            _refuse(name, "characters up to U+FFFF, without a space at its end")
        return super().quote_anew(name)

    def text(self, column: str) -> str:
        # Bytes of UTF-8 compare by code points. Every collation of texts ignores something.
        return f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)"

    def text_value(self, value: str) -> bytes:
        return value.encode()

    def search(self, column: str, pattern: str, flags: str) -> tuple[str, tuple[Any, ...]] | None:
        found = literal_pattern(pattern, flags)
        if found is None:
            return None
        column, part = self.text(column), found.text.encode()
        if found.starts:
            return f"LEFT({column}, {len(part)}) = ?", (part,)
        if found.ends:
            return f"RIGHT({column}, {len(part)}) = ?", (part,)
        return f"LOCATE(?, {column}) > 0", (part,)

    def nulls(self, is_descending: bool) -> str:
        return ""


class _DuckDB(Dialect):
    name = "DuckDB"
    longest = 1 << 20
    orders_text = True
    fetches = False

    def text(self, column: str) -> str:
        return f"encode({column})"

    def text_value(self, value: str) -> bytes:
        return value.encode()

    def number(self, column: str, op: str, kind: Kind) -> str:
        condition = f"{column} {op} ?"
        if op[0] != ">" or kind is not Kind.REAL:
            return condition
        return f"({condition} AND NOT isnan({column}))"  # which is greater than all numbers there

    def search(self, column: str, pattern: str, flags: str) -> tuple[str, tuple[Any, ...]] | None:
        # DuckDB's expressions are RE2's, as those of the predicate. Which characters are letters, and what
        # ignores case, depends on RE2's version beyond ASCII.
        if "i" in flags or not pattern.isascii() or _BY_VERSION.search(pattern):
            return None
        inline = "".join(flag for flag in flags if flag in "ms")
        return f"regexp_matches({column}, ?)", (f"(?{inline}){pattern}" if inline else pattern,)


_BY_VERSION = re.compile(r"\\[pPCQ]|\(\?[a-zA-Z]*i|\[\[:")

DIALECTS: dict[str, Dialect] = {
    "sqlite": _SQLite(),
    "postgresql": _PostgreSQL(),
    "mysql": _MySQL(),
    "duckdb": _DuckDB(),
    "standard": Dialect(),
}
"""The dialects of SQL, by name."""


@lru_cache(maxsize=1024)
def quote_table(dialect: Dialect, name: str) -> str:
    """The name of a table in quotes, with its schema and catalog if it has them.

    Args:
        name: "users", "schema.users" or "catalog.schema.users". A name with dots stands in backquotes.
    """
    parts = split_path(name)
    if not 0 < len(parts) <= 3:
        raise InvalidInput(
            f"expected a table, a schema.table or a catalog.schema.table, not {len(parts)} names"
        )
    return ".".join(map(dialect.quote, parts))


@dataclass(frozen=True, slots=True)
class Literal:
    """What a regular expression without special characters looks for.

    Attributes:
        text: the text. It is not empty.
        starts, ends: whether it has to be at the start or the end. At most one of them is true.
    """

    text: str
    starts: bool
    ends: bool


_LITERAL = re.compile(r"(\^?)((?:[^\\.^$|?*+()\[\]{}\x00]|\\[!-/:-@\[-`{-~])+)(\$?)")


def literal_pattern(pattern: str, flags: str) -> Literal | None:
    """The text that a pattern looks for; None if it looks for more than one text."""
    found = _LITERAL.fullmatch(pattern)
    if found is None or "i" in flags:
        return None
    starts, ends = bool(found[1]), bool(found[3])
    if (starts and ends) or ("m" in flags and (starts or ends)):
        return None
    return Literal(re.sub(r"\\(.)", r"\1", found[2]), starts, ends)
