"""The clauses for SQLite: they use indexes, and are exact all the same."""

from __future__ import annotations

import sqlite3

import pytest

from flowthings_like import mem
from flowthings_like.filters import Filter
from flowthings_like.filters.columns import DIALECTS, Column, Kind
from flowthings_like.filters.dbapi import to_where

pytestmark = pytest.mark.once

SNOWFLAKE = 2**60 + 1
RULES = [
    mem.n == 5,
    mem.n == SNOWFLAKE,
    mem.n.IN(1, SNOWFLAKE),
    (mem.n > 1) & (mem.n < 5),
    mem.t == "x",
    mem.t.IN("x", "y"),
    mem.t > "x",
    mem.r == 1.5,
    mem.r == SNOWFLAKE,
]


@pytest.fixture
def table() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.execute("create table t (n integer, t text, r real)")
    for name in "ntr":
        made.execute(f"create index of_{name} on t ({name})")
    made.execute("insert into t values (?, 'x', ?)", (SNOWFLAKE, 2.0**60))
    made.execute("insert into t values (?, 'X', ?)", (SNOWFLAKE - 1, 1.5))
    return made


def rows(table: sqlite3.Connection, node: Filter, begin: str = "") -> list[tuple[object, ...]]:
    kinds = {name: Column(Kind.ANY) for name in "ntr"}
    where = to_where(node, kinds, DIALECTS["sqlite"], 0)
    return table.execute(f"{begin} select * from t where {where.text}", where.parameters).fetchall()


@pytest.mark.parametrize("node", RULES, ids=str)
def test_an_index_is_used(table: sqlite3.Connection, node: Filter) -> None:
    assert "SEARCH" in str(rows(table, node, "explain query plan"))


def test_large_whole_numbers_are_exact(table: sqlite3.Connection) -> None:
    assert len(rows(table, mem.n == SNOWFLAKE)) == 1
    assert len(rows(table, mem.n.IN(1, SNOWFLAKE))) == 1
    assert rows(table, mem.r == SNOWFLAKE) == []
    assert len(rows(table, mem.r == SNOWFLAKE - 1)) == 1
    assert len(rows(table, mem.r < SNOWFLAKE)) == 2
