"""Adapters of the law for SQL: a table on each kind of database, with a column of each type."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from flowthings_like.filters import Filter, nodes
from flowthings_like.filters.columns import DIALECTS, Column, Kind
from flowthings_like.filters.dbapi import FUNCTION, Where, filter_row, to_where
from flowthings_like.filters.values import ELEMENTS
from flowthings_like.services.database.placeholders import translate
from flowthings_like.services.database.row_documents import row_document
from flowthings_like.services.database.table_columns import read_columns
from flowthings_like.transport.database.drivers.find import find_driver
from tests.services.database.support import plain_args

from . import strategies
from .adapter import Adapter, Document
from .strategies import NOW

__all__ = ["DuckDBTable", "MariadbTable", "PostgresTable", "SQLiteTable", "Table"]

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1)
SMALL = st.integers(-3, 3)
WHOLE = SMALL | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
REAL = st.sampled_from([0.0, 0.5, -1.5, 2.0, 3.0, 2.0**53, 1e22, 5e-324, 0.1]) | st.floats(
    allow_nan=False, allow_infinity=False
)
DECIMAL = st.integers(-5000, 5000).map(lambda n: Decimal(n).scaleb(-3)) | st.sampled_from(
    [Decimal("0.1"), Decimal("2.5"), Decimal("3"), Decimal("123456789012345.678")]
)
TEXT = st.sampled_from(
    [text for text in strategies.STRINGS if "\0" not in text] + ["temp ", "TEMP", "Ä", "a\n"]
)
MOMENT = st.integers(-2_000_000, 2_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
DAY = st.integers(-2, 2).map(lambda days: (EPOCH + timedelta(days=days)).date())
ZONED = MOMENT.map(lambda moment: moment.replace(tzinfo=timezone.utc))

_values = (
    strategies.few
    | strategies.scalars
    | TEXT
    | SMALL
    | st.sampled_from([0.1, 2.5, 86_400_000, -86_400_000, 1000, -1, 0.5])
    | st.builds(nodes.Typed, st.just("Date"), st.integers(-2000, 2000))
)
_orders = strategies.numbers | TEXT | SMALL | st.integers(-2000, 2000) | st.floats(-2000, 2000)
_patterns = st.sampled_from(
    [*strategies.PATTERNS, "^temp$", r"\.", "TEMP", "emp", "^ba", "b$", "a\\\\k", "(?s)^.$"]
)


def _rules(names: list[str]) -> st.SearchStrategy[Filter]:
    members = st.sampled_from(
        [(name,) for name in names]
        + [(ELEMENTS, name) for name in names]
        + [(name, "value") for name in names]
    ).map(nodes.Member)
    return st.one_of(
        st.builds(nodes.Compare, members, strategies.equalities, _values | members),
        st.builds(nodes.Compare, members, strategies.orders, _orders | members),
        st.builds(nodes.In, members, st.lists(_values | members, max_size=4).map(tuple)),
        st.builds(nodes.Exists, members),
        st.builds(
            nodes.Modulo,
            members,
            SMALL.filter(bool) | strategies.numbers.filter(bool),
            strategies.equalities,
            SMALL | strategies.numbers,
        ),
        st.builds(nodes.Regex, members, _patterns, strategies.flags),
        st.builds(nodes.Age, members, strategies.orders | strategies.equalities, strategies.ages),
        st.builds(nodes.Contains, members, strategies.short),
        st.builds(nodes.Has, st.sampled_from(["string", "integer", "float", "null"])),
        st.builds(nodes.Matches, _patterns, strategies.flags),
    )


def _filters(names: list[str]) -> st.SearchStrategy[Filter]:
    return st.recursive(
        _rules(names),
        lambda inner: st.one_of(
            st.builds(nodes.Not, inner),
            st.builds(nodes.And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(nodes.Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=8,
    )


class _Columns(dict[str, Column]):
    """Columns, and one of texts of every other name."""

    def __init__(self, found: dict[str, Column], kind: Kind) -> None:
        super().__init__(found)
        self._kind = kind

    def __missing__(self, name: str) -> Column:
        return Column(self._kind)


class Table(Adapter):
    """A table in one database.

    Attributes:
        types: the type of each column, in SQL, and the strategy for its values.
    """

    types: ClassVar[dict[str, tuple[str, st.SearchStrategy[Any]]]]
    dialect: ClassVar[str]
    mark: ClassVar[str] = "CAST(? AS text)"

    def __init__(self, driver: str, *args: Any, **kwargs: Any) -> None:
        self.driver = find_driver(driver)
        self.connection = self.driver.connect(args, kwargs)
        self.sql = DIALECTS[self.dialect]
        self.cursor = self.driver.cursor(self.connection)
        self.create("t", {name: kind for name, (kind, _) in self.types.items()})
        found = read_columns(self.driver, self.connection, self.sql.quote("t"), self.types)
        self.columns = _Columns(found, Kind.ANY if self.dialect == "sqlite" else Kind.TEXT)
        self.last: list[Row] = []
        self.hostile_name = ""
        if self.dialect == "sqlite":
            self.connection.create_function(FUNCTION, -1, filter_row, deterministic=True)

    def create(self, table: str, types: dict[str, str]) -> None:
        listed = ", ".join(f"{self.sql.quote(name)} {kind}" for name, kind in types.items())
        self.execute(f"drop table if exists {self.sql.quote(table)}")
        self.execute(f"create table {self.sql.quote(table)} (number integer, {listed})")

    def execute(self, text: str, values: tuple[Any, ...] = ()) -> None:
        translated, parameters = translate(text, values, self.driver.paramstyle, self.driver.name)
        self.cursor.execute(*((translated,) if parameters is None else (translated, parameters)))

    def store(self, table: str, rows: list[Row]) -> None:
        self.execute(f"delete from {self.sql.quote(table)}")
        for number, row in enumerate(rows):
            names = ", ".join(map(self.sql.quote, row))
            marks = ", ".join("?" * (1 + len(row)))
            self.execute(
                f"insert into {self.sql.quote(table)} (number, {names}) values ({marks})",
                (number, *row.values()),
            )

    def ask(self, table: str, count: int, where: Where) -> list[bool]:
        self.execute(f"select number from {self.sql.quote(table)} where {where.text}", where.parameters)
        found = {row[0] for row in self.cursor.fetchall()}
        return [number in found for number in range(count)]

    # -- what the law asks for

    @cached_property
    def rows(self) -> st.SearchStrategy[Row]:
        return st.fixed_dictionaries({name: st.none() | values for name, (_, values) in self.types.items()})

    @cached_property
    def documents(self) -> st.SearchStrategy[list[Document]]:
        return st.lists(self.rows, min_size=1, max_size=4).map(self.remembered)

    def remembered(self, rows: list[Row]) -> list[Document]:
        self.last = rows
        return [dict(row_document(row, row.values())) for row in rows]

    @cached_property
    def filters(self) -> st.SearchStrategy[Filter]:
        return _filters(list(self.types))

    def write(self, node: Filter) -> Where:
        return to_where(node, self.columns, self.sql, NOW)

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        if self.hostile_name:
            return self.find_hostile(documents, node)
        self.store("t", self.last)
        return self.ask("t", len(documents), self.write(node))

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        self.hostile_name = name = self.possible(name)
        value = value.replace("\0", "\1") if self.dialect == "postgresql" else value
        documents = [{name: value}, {name: value + "'"}, {name: None}]
        return documents, nodes.Compare(nodes.Member((ELEMENTS, name)), "==", value)

    def possible(self, name: str) -> str:
        """A hostile name that a column can have."""
        return name.replace("\0", "\1")

    def find_hostile(self, documents: list[Document], node: Filter) -> list[bool]:
        """Ask for documents of one column of texts, without a table of their own."""
        name = self.sql.quote(self.hostile_name)
        rows = [f"SELECT {number} AS nr, {self.mark} AS {name}" for number in range(len(documents))]
        values = [document[self.hostile_name] for document in documents]
        where = self.write(node)
        self.hostile_name = ""
        self.execute(
            f"SELECT nr FROM ({' UNION ALL '.join(rows)}) t WHERE {where.text}", (*values, *where.parameters)
        )
        found = {row[0] for row in self.cursor.fetchall()}
        return [number in found for number in range(len(documents))]

    def close(self) -> None:
        self.connection.close()


class SQLiteTable(Table):
    """Columns of every affinity and collation, with indexes, in which there are values of every type."""

    dialect = "sqlite"
    _any = (
        strategies.few.filter(lambda value: not isinstance(value, bool))
        | WHOLE
        | REAL
        | TEXT
        | st.sampled_from(["1", "1.0", "a\0b", " 1", "1e0", b"a", b""])
    )
    types: ClassVar[dict[str, tuple[str, st.SearchStrategy[Any]]]] = {
        "untyped": ("", _any),
        "whole": ("integer", _any),
        "real": ("real", _any),
        "numeric": ("numeric", _any),
        "text": ("text", _any),
        "nocase": ("text collate nocase", _any),
        "rtrim": ("varchar(10) collate rtrim", _any),
        "blob": ("blob", _any),
    }

    def possible(self, name: str) -> str:
        # SQLite takes `true` for a value where it is the alias of a column, and not a column's own name.
        return f"{name}_" if name.lower() in ("true", "false") else super().possible(name)

    def __init__(self) -> None:
        super().__init__("sqlite3", ":memory:", isolation_level=None)
        for name in self.types:
            self.execute(f"create index of_{name} on t ({name})")

    @cached_property
    def documents(self) -> st.SearchStrategy[list[Document]]:
        return st.lists(self.rows, min_size=1, max_size=4).map(self.converted)

    def converted(self, rows: list[Row]) -> list[Document]:
        """The documents as SQLite returns them: a column converts what it can."""
        self.store("t", rows)
        self.execute(f"select {', '.join(self.types)} from t order by number")
        return self.remembered([dict(zip(self.types, row, strict=True)) for row in self.cursor.fetchall()])


class DuckDBTable(Table):
    dialect = "duckdb"
    types: ClassVar[dict[str, tuple[str, st.SearchStrategy[Any]]]] = {
        "whole": ("bigint", WHOLE),
        "tiny": ("utinyint", st.integers(0, 5)),
        "other": ("integer", SMALL),
        "real": ("double", REAL | st.sampled_from([float("inf"), float("nan")])),
        "single": ("float", st.sampled_from([0.5, 2.0, -1.5, 3.0])),
        "dec": ("decimal(18, 3)", DECIMAL),
        "text": ("varchar", TEXT),
        "nocase": ("varchar collate nocase", TEXT),
        "flag": ("boolean", st.booleans()),
        "day": ("date", DAY),
        "at": ("timestamp", MOMENT),
        "zoned": ("timestamptz", ZONED),
    }

    mark = "CAST(? AS varchar)"

    def __init__(self) -> None:
        super().__init__("duckdb", ":memory:")


class PostgresTable(Table):
    dialect = "postgresql"
    types: ClassVar[dict[str, tuple[str, st.SearchStrategy[Any]]]] = {
        "whole": ("bigint", WHOLE),
        "small": ("smallint", SMALL),
        "other": ("integer", SMALL),
        "real": ("double precision", REAL | st.sampled_from([float("inf"), float("nan")])),
        "dec": ("numeric(18, 3)", DECIMAL),
        "wide": (
            "numeric(30, 0)",
            SMALL.map(Decimal) | st.sampled_from([Decimal(2**53 + 1), Decimal(10**25)]),
        ),
        "free": ("numeric", DECIMAL | st.sampled_from([Decimal("0.10000000000000000001"), Decimal("NaN")])),
        "text": ("text", TEXT),
        "varied": ("varchar(20)", TEXT),
        "nocase": ('text collate "anycase"', TEXT),
        "flag": ("boolean", st.booleans()),
        "day": ("date", DAY),
        "at": ("timestamp", MOMENT),
        "zoned": ("timestamptz", ZONED),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("psycopg", autocommit=True, **kwargs)

    @classmethod
    def open(cls, request: pytest.FixtureRequest) -> Adapter:
        return cls(**plain_args("psycopg", request.getfixturevalue("postgres").new_database()))

    def possible(self, name: str) -> str:
        return super().possible(name).encode()[:60].decode(errors="ignore")

    def create(self, table: str, types: dict[str, str]) -> None:
        self.execute(
            "create collation if not exists anycase "
            "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
        super().create(table, types)


class MariadbTable(Table):
    dialect = "mysql"
    types: ClassVar[dict[str, tuple[str, st.SearchStrategy[Any]]]] = {
        "whole": ("bigint", WHOLE),
        "unsigned": (
            "bigint unsigned",
            st.integers(0, 3) | st.sampled_from([2**53 + 1, 2**63 - 1, 2**64 - 1]),
        ),
        "other": ("int", SMALL),
        "real": ("double", REAL),
        "dec": ("decimal(18, 3)", DECIMAL),
        "text": ("text", TEXT),
        "latin": ("varchar(20) character set latin1", st.sampled_from(["", "a", "A", "é", "temp", "temp "])),
        "nocase": ("varchar(20) collate utf8mb4_unicode_ci", TEXT),
        "day": ("date", DAY),
        "at": ("datetime(6)", MOMENT),
    }

    mark = "CAST(? AS char character set utf8mb4)"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("pymysql", autocommit=True, **kwargs)

    @classmethod
    def open(cls, request: pytest.FixtureRequest) -> Adapter:
        return cls(**plain_args("pymysql", request.getfixturevalue("mariadb").new_database()))

    def possible(self, name: str) -> str:
        kept = "".join(char for char in super().possible(name) if char <= "\uffff")
        return f"x{kept[:60]}".rstrip()  # MariaDB leaves out blanks before the alias of a column
