"""Transactions that fail, are interrupted, abandoned or lose their connection."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.database import ConnectionLost, ConnectionPool, InvalidInput, Transaction
from flowthings_like.green.backends.choice import detect

from .interrupts import Interrupt, timeout
from .support import until
from .targets import DuckDB, SQLite, Target

pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")


@pytest.fixture(autouse=True)
def ignore_what_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may raise in the garbage collector. pytest keeps the frames of such exceptions."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


def count(pool: ConnectionPool) -> int:
    return int(pool.run_query("select count(*) from numbers")[0][0])


def interrupt_a_statement(target: Target, cursor: Any, error: BaseException | None = None) -> None:
    """Run a statement that takes long, and interrupt it. The interrupt is swallowed."""
    kind = Interrupt if error is None else type(error)
    seconds = 0.6 if detect().name == "threads" and target.driver in ("sqlite3", "duckdb") else 1.0
    try:
        with timeout(0.05, error):
            cursor.execute(target.rest(seconds))
            cursor.fetchall()
    except kind:
        return
    except RuntimeError as interrupted:  # what DuckDB raises in place of a signal handler's exception
        if str(interrupted) == "Query interrupted":
            return
        raise
    raise AssertionError("it was not interrupted")


def test_an_interrupt_that_the_function_swallows_is_not_committed(target: Target) -> None:
    def swallow(cursor: Transaction) -> str:
        target.insert(cursor, 1, "a")
        interrupt_a_statement(target, cursor)
        return "all is well"

    with target.pool(cp_max=1) as pool:
        with pytest.raises(ConnectionLost):
            pool.run_interaction(swallow)
        until(lambda: pool.stats().discarded == 1)
        assert count(pool) == 0
        until(lambda: pool.stats().open == pool.stats().idle == 1)


def test_a_function_that_goes_on_after_an_interrupt_is_refused(target: Target) -> None:
    def go_on(cursor: Transaction) -> Any:
        target.insert(cursor, 1, "a")
        interrupt_a_statement(target, cursor)
        return cursor.execute("select 41").fetchall()

    with target.pool(cp_max=1) as pool:
        with pytest.raises(ConnectionLost, match="was interrupted or lost"):
            pool.run_interaction(go_on)
        assert count(pool) == 0
        assert pool.run_query("select 42") == [(42,)]


def test_an_interrupt_by_the_drivers_own_error_is_an_interrupt(target: Target) -> None:
    """`gevent.Timeout(1, psycopg.OperationalError("too slow"))`, for example."""
    if detect().name == "threads" and target.driver in ("sqlite3", "duckdb", "psycopg2"):
        pytest.skip("its C code is interrupted by no signal: the statement is complete")

    def go_on(cursor: Transaction) -> Any:
        target.insert(cursor, 1, "a")
        error: Any = sys.modules[target.driver].OperationalError("too slow")
        interrupt_a_statement(target, cursor, error)
        return cursor.execute("select 41").fetchall()

    with target.pool(cp_max=1) as pool:
        with pytest.raises((ConnectionLost, sys.modules[target.driver].Error)):
            pool.run_interaction(go_on)
        assert count(pool) == 0
        assert pool.run_query("select 42") == [(42,)]


@pytest.mark.parametrize("how", ["block", "connection", "rows"])
def test_what_is_dropped_without_an_end_is_rolled_back(target: Target, how: str) -> None:
    def abandon(pool: ConnectionPool) -> None:
        if how == "block":
            target.insert(pool.transaction().__enter__(), 1, "a")
        elif how == "connection":
            target.insert(pool.connect().cursor(), 1, "a")
        else:
            rows = pool.iterate("select 1 union all select 2 union all select 3", size=1)
            next(rows)

    with target.pool(cp_max=1, cp_timeout=20.0) as pool:
        abandon(pool)
        until(lambda: pool.stats().open == pool.stats().idle)
        assert count(pool) == 0
        until(lambda: target.busy() == 0)
        until(target.is_free)


def test_cursors_that_are_left_open_are_closed_and_of_no_use(target: Target) -> None:
    cursors: list[Any] = []
    closed: list[Any] = []

    def leak(connection: Any) -> None:
        for n in range(3):
            cursor = connection.cursor()
            cursor.execute(f"select {n} union all select {n}")
            cursors.append(cursor)
            cursor.fetchone()

    with target.pool(cp_max=1) as pool:
        driver = pool._driver
        driver.close_cursor = lambda cursor: closed.append(cursor) or cursor.close()  # type: ignore[method-assign]
        if target.driver == "duckdb":  # a connection is its own cursor
            driver.close_cursor = closed.append  # type: ignore[method-assign]
        pool.run_with_connection(leak)
        assert len(closed) == 3
        with pytest.raises(ZeroDivisionError):
            pool.run_with_connection(lambda connection: (leak(connection), 1 / 0))
        assert len(closed) == 6
        connections = []
        pool.run_with_connection(connections.append)
        for use in (
            *(cursor.fetchall for cursor in cursors),
            *(lambda cursor=cursor: cursor.execute("select 43") for cursor in cursors),
            *(connections[0].commit, connections[0].rollback, connections[0].cursor),
        ):
            with pytest.raises(InvalidInput, match="has ended"):
                use()
        assert pool.run_query("select 42") == [(42,)]
        assert pool.stats().opened == 1


def test_the_caller_gets_its_own_error_when_the_rollback_fails_too(target: Target) -> None:
    if target.driver in ("sqlite3", "duckdb"):
        pytest.skip("it has no connection to lose")

    def fail(cursor: Transaction) -> None:
        target.insert(cursor, 1, "a")
        target.end_sessions()
        raise LookupError("my own")

    with target.pool(cp_max=1) as pool:
        with pytest.raises(LookupError, match="my own"):
            pool.run_interaction(fail)
        assert count(pool) == 0


def calls_of(
    target: Target, pool: ConnectionPool, when: str, **options: Any
) -> tuple[int, BaseException | None]:
    """How often an interaction was called that loses its connection then, and its error."""
    calls = 0

    def interaction(cursor: Transaction) -> None:
        nonlocal calls
        calls += 1
        if when == "before" and calls == 1:
            target.end_sessions()
        target.insert(cursor, 1, "a")
        if when == "after" and calls == 1:
            target.end_sessions()
        target.insert(cursor, 1, "b")
        if when == "commit" and calls == 1:
            target.end_sessions()

    try:
        pool.run_interaction(interaction, **options)
    except Exception as error:
        return calls, error
    return calls, None


@pytest.mark.parametrize("when", ["before", "after", "commit"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_a_lost_connection(target: Target, when: str, idempotent: bool) -> None:
    """The interaction is called again if nothing was sent, or if that does no harm; then once."""
    if target.driver in ("sqlite3", "duckdb"):
        pytest.skip("it has no connection to lose")
    with target.pool(cp_max=1) as pool:
        calls, error = calls_of(target, pool, when, idempotent=idempotent)
        if when == "before" or idempotent:
            assert (calls, error) == (2, None)
            assert count(pool) == 2
        else:
            assert calls == 1
            assert isinstance(error, sys.modules[target.driver].Error)
            assert count(pool) == 0
        assert pool.stats().open == pool.stats().idle == 1


def test_sessions_that_the_server_has_ended_are_not_noticed_by_callers(target: Target) -> None:
    if target.driver in ("sqlite3", "duckdb"):
        pytest.skip("it has no connection to lose")
    with target.pool(cp_max=2) as pool:
        for n in range(3):
            with pool.transaction(), pool.transaction():
                pass
            target.end_sessions()
            assert pool.run_query(f"select {n}") == [(n,)]


@pytest.mark.needs("green", "a call on threads is over when its caller is interrupted")
def test_the_connection_of_a_killed_call_counts_until_the_call_has_ended(target: Target) -> None:
    backend = detect()
    with target.pool(cp_max=1, cp_timeout=30.0) as pool:
        call = backend.spawn(pool.run_query, target.forever)
        until(lambda: pool.stats().holders)
        backend.sleep(0.1)
        backend.kill(call)
        until(backend.task(call).ready)
        # It is interrupted, too, so it does not take a minute.
        assert pool.run_query("select 7") == [(7,)]
        assert pool.stats().open == 1
        # PyMySQL cannot cancel a statement, and psycopg2 cannot if it waits in place.
        waits_in_place = target.driver == "psycopg2" and not pool._driver.blocks_green_threads()
        if target.driver != "pymysql" and not waits_in_place:
            until(lambda: target.busy() == 0)


def in_the_middle(function: Callable[[], object]) -> None:
    """Interrupt a call in an OS thread or in place."""
    try:
        with timeout(0.05):
            function()
    except (Interrupt, RuntimeError):
        return
    raise AssertionError("it was not interrupted")


@pytest.mark.parametrize("driver", ["sqlite3", "duckdb"])
def test_a_database_in_memory_is_shared_and_outlives_interruptions(driver: str) -> None:
    with ConnectionPool(driver, ":memory:", cp_max=2, cp_min=0) as pool:
        pool.run_operation("create table numbers (n integer)")
        pool.run_operation("insert into numbers values (1)")
        statement = {"sqlite3": SQLite, "duckdb": DuckDB}[driver](driver, Path()).rest(0.4)
        for _ in range(5):
            in_the_middle(lambda: pool.run_query(statement))
            assert count(pool) == 1
        with pool.transaction() as one, pool.transaction() as other:
            assert one.execute("select n from numbers").fetchall() == [(1,)]
            assert other.execute("select n from numbers").fetchall() == [(1,)]
        assert pool.stats().discarded == 5
    with ConnectionPool(driver, ":memory:") as pool, pytest.raises(Exception, match="numbers"):
        pool.run_query("select n from numbers")


def test_a_cursor_that_is_kept_keeps_no_lock(target: Target) -> None:
    """As the traceback of an exception keeps it. SQLite's own connections would stay in the transaction."""

    def leave(cursor: Transaction) -> None:
        kept.append(cursor)
        target.insert(cursor, 1, "a")
        cursor.execute("select 1 union all select 2")
        cursor.fetchone()
        raise Interrupt

    kept: list[Transaction] = []
    with target.pool(cp_max=1) as pool:
        with pytest.raises(Interrupt):
            pool.run_interaction(leave)
        until(lambda: pool.stats().open == pool.stats().idle)
        pool.run_operation("insert into numbers values (2, 'a')")
        assert [tuple(row) for row in pool.run_query("select n from numbers")] == [(2,)]
        assert len(kept) == 1
