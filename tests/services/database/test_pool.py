"""The pool as a program uses it, on SQLite."""

from __future__ import annotations

import logging
import sqlite3
import threading
from _queue import SimpleQueue  # the plain one: it is used in the drivers' OS threads
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest

from flowthings_like import API, Token, force
from flowthings_like.database import (
    ConfigurationError,
    ConnectionPool,
    DeadlineExceeded,
    InvalidInput,
    Transaction,
)
from flowthings_like.green.backends.choice import detect

from .support import until

USERS = [("esteban", "Garcia Marquez"), ("mohamed", "Al Ghâlib"), ("yoen", "Van der Veld")]


@dataclass
class User:
    login: str
    name: str


class UserDict(TypedDict):
    login: str
    name: str


def fill(cursor: Transaction) -> int:
    cursor.execute("create table users (login text unique, name text)")
    cursor.executemany("insert into users values (?, ?)", USERS)
    return int(cursor.rowcount)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ConnectionPool]:
    with ConnectionPool("sqlite3", str(tmp_path / "users.db")) as pool:
        assert pool.run_interaction(fill) == len(USERS)
        yield pool


def count(pool: ConnectionPool) -> int:
    return int(pool.run_query("select count(*) from users")[0][0])


def test_rows_come_as_tuples_or_as_what_is_asked_for(pool: ConnectionPool) -> None:
    statement = "select login, name from users where login <> ? order by login"
    assert pool.run_query(statement, ("yoen",)) == USERS[:2]
    assert pool.run_query(statement, ("yoen",), rows_as=dict)[0] == {
        "login": "esteban",
        "name": "Garcia Marquez",
    }
    assert pool.run_query(statement, ("yoen",), rows_as=User) == [User(*row) for row in USERS[:2]]
    assert pool.run_query(statement, ("yoen",), rows_as=UserDict)[1]["name"] == "Al Ghâlib"
    with pytest.raises(InvalidInput):
        pool.run_query(statement, ("yoen",), rows_as="dict")


def test_operations_are_committed_and_return_nothing(pool: ConnectionPool) -> None:
    assert pool.run_operation("delete from users where login = ?", ("yoen",)) is None  # type: ignore[func-returns-value]
    assert count(pool) == 2


def test_adbapis_names(pool: ConnectionPool) -> None:
    pool.runOperation("insert into users values ('ada', 'Lovelace')")
    assert pool.runQuery("select name from users where login = 'ada'") == [("Lovelace",)]
    assert pool.runInteraction(lambda cursor, login: cursor.execute(
        "select name from users where login = ?", (login,)).fetchone(), "ada") == ("Lovelace",)  # fmt: skip
    assert pool.runWithConnection(lambda connection: connection.cursor().execute(
        "select count(*) from users").fetchone()[0]) == 4  # fmt: skip


def test_an_interaction_that_raises_leaves_nothing(pool: ConnectionPool) -> None:
    def fail(cursor: Transaction) -> None:
        cursor.execute("delete from users")
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        pool.run_interaction(fail)
    assert count(pool) == 3
    assert pool.stats().discarded == 0  # it was rolled back, and is in order


def test_a_block_commits_at_its_end_and_rolls_back_after_an_error(pool: ConnectionPool) -> None:
    with pool.transaction(rows_as=dict) as cursor:
        cursor.execute("delete from users where login = 'yoen'")
        assert cursor.execute("select login from users order by login").fetchall()[0] == {"login": "esteban"}

    def fail() -> None:
        with pool.transaction() as cursor:
            cursor.execute("delete from users where login = 'mohamed'")
            cursor.execute("insert into users values ('esteban', 'again')")

    with pytest.raises(sqlite3.IntegrityError):
        fail()
    assert pool.run_query("select login from users order by login") == [("esteban",), ("mohamed",)]


def test_a_drivers_error_comes_back_as_it_is_and_the_connection_serves_on(pool: ConnectionPool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        pool.run_query("select * from missing")
    assert count(pool) == 3
    assert pool.stats().opened == 1


def test_calls_run_in_parallel(pool: ConnectionPool) -> None:
    lazy = pool.lazy()
    thunks = [lazy.run_query("select name from users where login = ?", (login,)) for login, _ in USERS]
    assert [rows[0][0] for rows in thunks] == [name for _, name in USERS]
    calls = pool.async_()
    for login, _ in USERS:
        calls.runQuery("select name from users where login = ?", (login,))
    assert calls.results() == [[(name,)] for _, name in USERS]
    # A thunk is a parameter like any other value.
    first = lazy.run_query("select min(login) from users")[0][0]
    assert pool.run_query("select name from users where login = ?", (first,)) == [(USERS[0][1],)]
    assert force(lazy.run_query("select 1")) == [(1,)]


def test_lazy_queries_travel_together_and_each_has_its_own_result(pool: ConnectionPool) -> None:
    lazy = pool.lazy()
    good = [lazy.run_query("select ?", (number,)) for number in range(1000)]
    bad = lazy.run_query("select * from missing")
    odd = lazy.run_query("select 1, 2", rows_as=User)
    more = [lazy.run_query("select ? as n", (number,), rows_as=dict) for number in range(1000)]
    assert [rows[0][0] for rows in good] == list(range(1000))
    assert [rows[0]["n"] for rows in more] == list(range(1000))
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        force(bad)
    with pytest.raises(InvalidInput, match="login"):
        force(odd)
    stats = pool.stats()
    assert stats.opened <= stats.size
    assert (stats.discarded, stats.holders) == (0, ())


def test_a_slow_lazy_query_holds_up_no_other_one(tmp_path: Path) -> None:
    tokens: SimpleQueue[int] = SimpleQueue()

    def prepare(connection: Any) -> None:
        connection.create_function("take", 0, lambda: tokens.get(timeout=20))
        connection.create_function("give", 0, lambda: tokens.put(7))

    with ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_openfun=prepare) as pool:
        lazy = pool.lazy()
        waits, others = lazy.run_query("select take()"), [lazy.run_query("select 1") for _ in range(50)]
        lazy.run_query("select give()")
        assert waits[0] == (7,)
        assert others[49][0] == (1,)


def test_a_thunk_within_the_parameters_is_waited_for(pool: ConnectionPool) -> None:
    login = pool.lazy().call(lambda: "yoen")
    assert pool.run_query("select name from users where login = ?", (login,)) == [("Van der Veld",)]
    assert pool.run_query("select name from users where login = :login", {"login": login}) == [
        ("Van der Veld",)
    ]


def test_rows_are_iterated_a_few_at_a_time(pool: ConnectionPool) -> None:
    pool.run_interaction(lambda cursor: cursor.executemany(
        "insert into users values (?, '')", [(f"user {n:04}",) for n in range(1000)]))  # fmt: skip
    rows = pool.iterate("select login from users where name = ? order by login", ("",), size=64, rows_as=dict)
    assert [row["login"] for row in rows] == [f"user {n:04}" for n in range(1000)]
    for row in pool.iterate("select login from users order by login", size=10):
        assert row == ("esteban",)
        break
    assert pool.stats().holders == ()
    assert count(pool) == 1003


def test_a_full_pool_says_who_waits_and_what_holds_it(tmp_path: Path) -> None:
    pool = ConnectionPool(
        "sqlite3", str(tmp_path / "a.db"), cp_min=0, cp_max=1, cp_timeout=0.05, cp_name="mine"
    )
    with pool.transaction() as cursor:
        cursor.execute("select 1")
        with pytest.raises(DeadlineExceeded) as caught:
            pool.run_query("select 2")
        (holder,) = pool.stats().holders
    assert holder.what == "transaction"
    assert holder.where.startswith("test_pool.py:")
    said = str(caught.value)
    assert said.startswith(
        "mine: none of 1 was free in time (1 waiting). In use by: transaction at test_pool.py"
    )
    assert "cp_max" in said
    assert pool.run_query("select 2") == [(2,)]
    pool.close()


def test_the_number_of_connections_is_kept_and_those_beyond_the_minimum_go(tmp_path: Path) -> None:
    pool = ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_min=1, cp_max=3, cp_idle=0.0)
    seen = []

    def look(cursor: Transaction) -> None:
        cursor.execute("select 1")
        detect().sleep(0.01)
        seen.append(pool.stats().open)

    calls = pool.async_()
    for _ in range(12):
        calls.run_interaction(look)
    calls.results()
    assert max(seen) == 3
    pool.run_query("select 1")
    until(lambda: pool.stats().open == 1)  # an OS thread closes the others, and they count until then
    pool.close()
    assert pool.stats().open == 0


def test_a_connection_has_a_lifetime(tmp_path: Path) -> None:
    pool = ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_lifetime=0.0)
    pool.run_query("select 1")
    pool.run_query("select 1")
    assert (pool.stats().opened, pool.stats().expired) == (2, 1)
    pool.close()


def test_memory_is_one_database_for_all_connections() -> None:
    with ConnectionPool("sqlite3", ":memory:") as pool:
        pool.run_interaction(fill)
        with pool.transaction() as one, pool.transaction() as other:
            assert one.execute("select count(*) from users").fetchone() == (3,)
            assert other.execute("select count(*) from users").fetchone() == (3,)
        assert pool.stats().opened == 2
    with ConnectionPool("sqlite3", ":memory:") as another, pytest.raises(sqlite3.OperationalError):
        another.run_query("select * from users")


def test_each_connection_is_prepared(tmp_path: Path) -> None:
    def prepare(connection: Any) -> None:
        connection.execute("pragma foreign_keys = on")

    with ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_openfun=prepare) as pool:
        assert pool.run_query("pragma foreign_keys") == [(1,)]


def test_placeholders_are_translated_if_asked(tmp_path: Path) -> None:
    with ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_placeholders=True) as pool:
        assert pool.run_query("select :a || '?:b', :b", {"a": "x", "b": 2}) == [("x?:b", 2)]
        with pytest.raises(InvalidInput):
            pool.run_query("select ?", ())
        assert pool.stats().opened == 1  # nothing was sent, nothing is broken


def test_a_closed_pool_refuses_and_starts_again(pool: ConnectionPool) -> None:
    assert pool.running
    pool.close()
    pool.close()
    assert not pool.running
    with pytest.raises(ConfigurationError, match=r"closed; start\(\) opens it again"):
        pool.run_query("select 1")
    pool.start()
    assert count(pool) == 3


def test_close_waits_for_what_is_under_way(tmp_path: Path) -> None:
    pool = ConnectionPool("sqlite3", str(tmp_path / "a.db"))

    def slow(cursor: Transaction) -> None:
        cursor.execute("create table t (a)")
        began.set()
        detect().sleep(0.05)
        cursor.execute("insert into t values (1)")

    began = threading.Event()
    call = pool.async_().run_interaction(slow)
    assert began.wait(10)
    pool.close()
    call.get()
    pool.start()
    assert pool.run_query("select * from t") == [(1,)]
    pool.close()


def test_statements_are_logged_without_parameters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_noisy=True) as pool,
        caplog.at_level(logging.INFO),
    ):
        pool.run_query("select ?", ("secret",))
    assert "select ?" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cp_max": 0}, "cp_max is 0"),
        ({"cp_max": True}, "cp_max is True"),
        ({"cp_min": 6, "cp_max": 5}, "cp_min is 6 and cp_max is 5"),
        ({"cp_timeout": -1}, "cp_timeout"),
        ({"cp_openfun": 3}, "cp_openfun"),
        ({"cp_reactor": None}, "unknown cp_reactor; the options are cp_min"),
    ],
)
def test_options_are_checked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        ConnectionPool("sqlite3", "x.db", **options)


@pytest.mark.parametrize(
    ("options", "least", "most"),
    [({}, 3, 5), ({"cp_max": 2}, 2, 2), ({"cp_max": 1}, 1, 1), ({"cp_max": 9}, 3, 9), ({"cp_min": 0}, 0, 5)],
)
def test_the_minimum_is_no_larger_than_the_maximum(options: dict[str, Any], least: int, most: int) -> None:
    pool = ConnectionPool("sqlite3", "x.db", **options)
    assert (pool.min, pool.max) == (least, most)


@pytest.mark.parametrize("dbapi", ["no_such_driver", "json"])
def test_a_driver_must_be_one(dbapi: str) -> None:
    with pytest.raises(ConfigurationError, match=dbapi):
        ConnectionPool(dbapi)


def test_a_module_names_the_driver_too(tmp_path: Path) -> None:
    with ConnectionPool(sqlite3, str(tmp_path / "a.db")) as pool:
        assert repr(pool) == "<ConnectionPool of sqlite3, at most 5>"
        assert pool.run_query("select 1") == [(1,)]


def test_a_pool_from_a_url(tmp_path: Path) -> None:
    with ConnectionPool.from_url(f"sqlite:///{tmp_path / 'a.db'}?cp_max=2", cp_idle=1) as pool:
        pool.run_operation("create table t (a)")
        assert (pool.min, pool.max) == (2, 2)
    assert (tmp_path / "a.db").exists()


def test_an_embedded_api_has_a_database_of_the_users_own(tmp_path: Path) -> None:
    with API.embedded(tmp_path / "data") as api:
        api.db.run_operation("create table t (a)")
        api.db.run_operation("insert into t values (?)", (7,))
        assert api.lazy().db.run_query("select a from t")[0][0] == 7
        assert api.async_().db.run_query("select a from t").get() == [(7,)]
        pool = api.db
    assert not pool.running
    assert (tmp_path / "data" / "db.sqlite").exists()
    with API.embedded(tmp_path / "data") as api:
        assert api.db.run_query("select a from t") == [(7,)]


def test_an_api_takes_its_database_from_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with API(Token("acme", "secret"), host="flows.example.com", db=f"sqlite:///{tmp_path / 'a.db'}") as api:
        assert api.db.run_query("select 1") == [(1,)]
    monkeypatch.setenv("FLOWTHINGS_DB", "sqlite://")
    with API.connect(account="acme", token="secret") as api:
        assert api.db.run_query("select 2") == [(2,)]
    monkeypatch.delenv("FLOWTHINGS_DB")
    with (
        API(Token("acme", "secret"), host="flows.example.com") as api,
        pytest.raises(ConfigurationError) as caught,
    ):
        api.db  # noqa: B018
    assert "API(…, db=" in str(caught.value)
