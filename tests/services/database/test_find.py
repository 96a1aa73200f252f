"""find, first and count: rows by a filter, on every driver."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from flowthings_like import AGE, EXISTS, HAS, MATCHES, NOT, mem
from flowthings_like.database import ConnectionPool
from flowthings_like.errors import CannotFilter, InvalidInput

from .targets import Target

ROWS = [
    (1, "yoen", 1.5, "2020-01-01 00:00:00"),
    (2, "YOEN", None, "2020-06-01 12:30:00"),
    (3, "ada", 10.0, None),
    (4, None, -2.0, "2021-01-01 00:00:00"),
]


@dataclass
class User:
    login: str


@pytest.fixture
def users(target: Target) -> Iterator[ConnectionPool]:
    with target.pool(cp_max=3, cp_placeholders=True) as pool:
        pool.run_operation("drop table if exists users")
        moment = "datetime" if target.driver == "pymysql" else "timestamp"
        pool.run_operation(
            f"create table users (id integer primary key, login varchar(20), score double precision, "
            f"seen {moment})"
        )
        for row in ROWS:
            pool.run_operation("insert into users values (?, ?, ?, ?)", row)
        yield pool
        pool.run_operation("drop table users")


def ids(pool: ConnectionPool, *filters: Any, **options: Any) -> list[int]:
    return [row[0] for row in pool.find("users", *filters, columns="id", sort="id", **options)]


def test_rows_are_found_by_a_filter(users: ConnectionPool) -> None:
    assert users.find("users", mem.login == "yoen", columns=("id", "login")) == [(1, "yoen")]
    assert ids(users) == [1, 2, 3, 4]
    assert ids(users, mem.login.IN("ada", "yoen"), mem.score > 2) == [3]
    assert ids(users, "login == 'ada' || score < 0") == [3, 4]
    assert ids(users, None) == [1, 2, 3, 4]


def test_it_means_what_the_predicate_means(users: ConnectionPool) -> None:
    assert ids(users, mem.login != "yoen") == [2, 3, 4]  # NULL is a member that is null
    assert ids(users, NOT(mem.score > 0)) == [2, 4]
    assert ids(users, mem.login == None) == [4]  # noqa: E711
    assert ids(users, EXISTS(mem.login)) == [1, 2, 3, 4]
    assert ids(users, mem.login < "a") == [2]  # by code points
    assert ids(users, mem.login == 0) == []
    assert ids(users, mem.id == "1") == []
    assert ids(users, mem.id % 2 == 1) == [1, 3]
    assert ids(users, mem.login.re("^y")) == [1]
    assert ids(users, mem.login.re("EN$")) == [2]
    assert ids(users, mem.score == 10) == [3]


def test_dates_compare_with_dates(users: ConnectionPool, target: Target) -> None:
    after = mem.seen > datetime(2020, 3, 1, tzinfo=timezone.utc)
    if target.driver == "sqlite3":
        assert ids(users, after) == []  # SQLite has no dates: the column holds texts
        assert ids(users, mem.seen > "2020-03-01") == [2, 4]
        return
    assert ids(users, after) == [2, 4]
    assert ids(users, mem.seen == datetime(2020, 1, 1)) == [1]
    assert ids(users, AGE("seen") > 1000) == [1, 2, 4]
    with pytest.raises(CannotFilter, match="compare with a datetime"):
        ids(users, mem.seen > "2020-03-01")


def test_a_rest_is_tested_here_if_that_is_allowed(users: ConnectionPool) -> None:
    rest = HAS("float") & (mem.id > 1)
    with pytest.raises(CannotFilter, match="partial=True"):
        ids(users, rest)
    assert ids(users, rest, partial=True) == [3, 4]
    assert ids(users, rest, partial=True, limit=1) == [3]
    assert users.find("users", MATCHES("^a"), partial=True, columns="login") == [("ada",)]
    assert users.count("users", rest, partial=True) == 2
    assert users.first("users", rest, partial=True, columns="id", sort="id", order="desc") == (4,)
    explained = users.find("users", rest, partial=True, explain=True)
    assert explained.rest == "HAS float"
    assert "HAS" not in explained.requests[0]


def test_sort_limit_count_and_first(users: ConnectionPool) -> None:
    assert users.find("users", columns="login", sort="login") == [(None,), ("YOEN",), ("ada",), ("yoen",)]
    assert users.find("users", columns="login", sort="login", order="desc", limit=2) == [("yoen",), ("ada",)]
    assert users.find("users", sort=["score", "id"], columns=["id"], limit=0) == []
    assert users.count("users") == 4
    assert users.count("users", mem.score >= 1.5) == 2
    assert users.first("users", mem.id > 2, sort="id", columns=["id"]) == (3,)
    assert users.first("users", mem.id > 9) is None


def test_rows_become_what_was_asked_for(users: ConnectionPool) -> None:
    assert users.find("users", mem.id == 1, columns="login", rows_as=User) == [User("yoen")]
    assert users.find("users", mem.id == 1, columns=("id", "login"), rows_as=dict) == [
        {"id": 1, "login": "yoen"}
    ]
    assert users.first("users", mem.id == 3, HAS("float"), columns="login", rows_as=User, partial=True) == (
        User("ada")
    )


def test_values_are_not_in_the_statement(users: ConnectionPool) -> None:
    secret = (mem.login == "s3cret") & (mem.id == 77)
    explained = users.find("users", secret, sort="id", limit=5, explain=True)
    assert "s3cret" not in str(explained)
    assert "77" not in str(explained)
    assert re.match(r"dbapi: SELECT \* FROM .users. WHERE .* ORDER BY .*id.* LIMIT 5$", str(explained))
    assert pickle.loads(pickle.dumps(explained)) == explained


def test_in_parallel(users: ConnectionPool) -> None:
    lazy = users.lazy()
    found = [lazy.find("users", mem.id == number, columns="login") for number in (1, 3)]
    assert [rows[0][0] for rows in found] == ["yoen", "ada"]
    calls = users.async_()
    calls.count("users", mem.id > 1)
    calls.first("users", mem.id == lazy.count("users"), columns="id")
    assert calls.results() == [3, (4,)]


def test_the_types_of_columns_are_asked_for_again_after_an_error(users: ConnectionPool) -> None:
    assert ids(users, mem.login == "ada") == [3]
    users.run_operation("drop table users")
    users.run_operation("create table users (id integer, login integer)")
    users.run_operation("insert into users values (7, 5)")
    with suppress(Exception):  # some databases convert the text, others raise their own error
        ids(users, mem.login == "x")
    with suppress(Exception):
        ids(users, mem.login == 5)
    with pytest.raises(Exception, match=r"(?i)zzz"):
        users.find("users", mem.zzz == 5)
    assert ids(users, mem.login == 5) == [7]


def test_arguments_are_checked(users: ConnectionPool) -> None:
    for wrong in (
        {"limit": -1},
        {"limit": True},
        {"order": "up"},
        {"columns": []},
        {"sort": 5},
        {"columns": [1]},
    ):
        with pytest.raises(InvalidInput):
            users.find("users", **wrong)  # type: ignore[call-overload]
    for table in ("", "a\0b", "a.b.c.d", 5):
        with pytest.raises(InvalidInput):
            users.find(table)  # type: ignore[call-overload]
    with pytest.raises(CannotFilter, match="no members within a column"):
        users.find("users", mem.login.first == "x")


def test_a_name_with_other_capitals_is_no_other_column(users: ConnectionPool, target: Target) -> None:
    expected = target.driver not in ("psycopg", "psycopg2", "pg8000.dbapi")  # there it is unknown
    with pytest.raises(InvalidInput if expected else Exception, match=r"write login|does not exist"):
        users.find("users", mem.Login == "x")


def test_names_with_quotes(target: Target) -> None:
    with target.pool(cp_placeholders=True) as pool:
        mark = "`" if target.driver in ("sqlite3", "pymysql") else '"'
        odd = f"a{2 * mark}b %s ? :x"
        pool.run_operation(f"drop table if exists {mark}{odd}{mark}")
        pool.run_operation(f"create table {mark}{odd}{mark} ({mark}{odd}{mark} integer)")
        name = odd.replace(2 * mark, mark)
        quoted = "`" + name.replace("`", "\\`") + "`"
        assert pool.find(quoted, mem[quoted] == 5, sort=name) == []
        assert pool.count(quoted, mem[quoted] != 5) == 0
        pool.run_operation(f"drop table {mark}{odd}{mark}")
