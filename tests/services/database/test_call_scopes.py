"""Statements in the scope of a request: its deadline and its cancellation end them, on the server too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flowthings_like import CallCancelled, force
from flowthings_like.database import ConnectionPool, DeadlineExceeded
from flowthings_like.green.backends.choice import detect
from flowthings_like.testing import FaultProxy
from flowthings_like.transport.call_scope import CallScope
from flowthings_like.transport.database import exchange_limits

from .support import open_pool, until
from .targets import Target

SOON = 0.1  # seconds
LONG = 30.0  # much less than `forever` takes


def scope_until(seconds: float) -> CallScope:
    return CallScope(time.monotonic() + seconds)


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def test_a_statement_is_cancelled_at_the_deadline(target: Target) -> None:
    with target.pool() as pool, ends_within(LONG):
        with pytest.raises(DeadlineExceeded, match="the statement was cancelled"):
            scope_until(SOON).run(pool.run_query, target.forever)
        assert pool.stats().discarded == 1
        if target.driver != "pymysql":  # it cannot ask the server, which notices the end of the socket later
            until(lambda: target.busy() == 0)
        assert pool.run_query("select 1") == [(1,)]


def test_a_statement_is_cancelled_when_its_scope_is(target: Target) -> None:
    scope = CallScope()
    outcomes: list[Any] = []

    def call() -> None:
        try:
            outcomes.append(scope.run(pool.run_query, target.forever))
        except Exception as error:
            outcomes.append(error)

    with target.pool(cp_max=2) as pool, ends_within(LONG):
        caller = detect().spawn(call)
        until(lambda: pool.stats().holders)
        detect().sleep(0.1)
        scope.cancel("the client has gone")
        with pytest.raises(CallCancelled, match="the client has gone"):
            scope.run(pool.run_query, "select 1")
        scope.end()  # which takes its limits from calls that begin now
        assert scope.run(pool.run_query, "select 1") == [(1,)]
        detect().get(caller, LONG)
        (outcome,) = outcomes
        assert isinstance(outcome, CallCancelled)
        assert str(outcome) == "the client has gone"
        assert pool.run_query("select 1") == [(1,)]


def test_a_transaction_does_not_outlive_its_deadline(target: Target) -> None:
    with target.pool() as pool:
        scope = scope_until(SOON)

        def late(cursor: Any) -> None:
            target.insert(cursor, 1, "late")
            until(lambda: scope.left() < 0)

        with pytest.raises(DeadlineExceeded):
            scope.run(pool.run_interaction, late)
        assert pool.run_query("select n from numbers") == []
        assert pool.stats().discarded == 0  # it was rolled back, in order
        until(target.is_free)

        def slow(cursor: Any) -> None:
            target.insert(cursor, 2, "slow")
            cursor.execute(target.forever)

        with ends_within(LONG), pytest.raises(DeadlineExceeded):
            scope_until(SOON).run(pool.run_interaction, slow)
        if target.driver != "pymysql":
            until(target.is_free)
        assert pool.run_query("select n from numbers") == []


@pytest.mark.once
def test_the_wait_for_a_connection_ends_at_the_deadline(target: Target) -> None:
    with target.pool(cp_max=1) as pool, pool.transaction() as held:
        held.execute("select 1")
        with ends_within(LONG), pytest.raises(DeadlineExceeded, match="In use by: transaction"):
            scope_until(SOON).run(pool.run_query, "select 1")


def test_what_is_in_time_costs_no_connection(target: Target) -> None:
    with target.pool(cp_max=2) as pool:
        opened = pool.stats().opened
        scope = scope_until(LONG)
        for _ in range(50):
            assert scope.run(pool.run_query, "select 1") == [(1,)]
        lazy = pool.lazy()
        found = [scope.run(lazy.run_query, "select 1") for _ in range(50)]
        assert [force(rows) for rows in found] == [[(1,)]] * 50
        assert pool.stats().opened <= opened + 1
        assert pool.stats().discarded == 0
        scope.end()
        for watch in pool._connections._watches._watches.values():
            assert not watch._watched


def test_lazy_queries_are_cancelled_at_the_deadline(target: Target) -> None:
    with target.pool(cp_max=2) as pool, ends_within(LONG):
        lazy, scope = pool.lazy(), scope_until(SOON)
        found = [scope.run(lazy.run_query, target.forever) for _ in range(3)]
        for rows in found:
            with pytest.raises(DeadlineExceeded):
                force(rows)
        assert pool.run_query("select 1") == [(1,)]


def test_a_server_that_is_out_of_reach_costs_a_grace(
    postgres_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_limits, "GRACE", 0.2)
    with (
        FaultProxy(f"{postgres_database.host}:{postgres_database.port}") as proxy,
        open_pool("psycopg", postgres_database, proxy.address, cp_min=1, cp_max=1) as pool,
    ):
        assert pool.run_query("select 1") == [(1,)]
        proxy.forget()
        with ends_within(LONG), pytest.raises(DeadlineExceeded):
            scope_until(SOON).run(pool.run_query, "select 1")


def test_an_engine_is_limited_too(postgres_database: Any) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    with open_pool("psycopg", postgres_database) as pool, ends_within(LONG):
        engine = pool.engine()

        def read(statement: str) -> Any:
            with engine.connect() as connection:
                return connection.execute(sqlalchemy.text(statement)).scalar_one()

        with pytest.raises(DeadlineExceeded):
            scope_until(SOON).run(read, "select 1 from pg_sleep(60)")
        late = scope_until(SOON)

        def read_twice() -> None:
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("create table late (n integer)"))
                until(lambda: late.left() < 0)
                connection.execute(sqlalchemy.text("select 1"))

        with pytest.raises(DeadlineExceeded):
            late.run(read_twice)
        assert read("select count(*) from pg_tables where tablename = 'late'") == 0
        assert pool.stats().holders == ()


def test_the_end_of_a_statement_and_its_deadline_may_come_together(tmp_path: Any) -> None:
    """Whichever comes first, no other statement is cancelled, and no connection is used that could be."""
    pool = ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_max=2)
    with pool:
        outcomes = []
        for number in range(200):
            limited = scope_until(0.0005 * (number % 5))
            try:
                outcomes.append(limited.run(pool.run_query, "select ?", (number,)) == [(number,)])
            except DeadlineExceeded:
                outcomes.append(True)
            assert pool.run_query("select 2") == [(2,)]
        assert all(outcomes)
