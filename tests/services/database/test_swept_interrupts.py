"""Calls that are interrupted at each place, one after the other, and what is left each time.

On gevent and eventlet that is each switch of green threads, and on threads each place of the pool's own code
where the interpreter looks for signals.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool, Transaction
from flowthings_like.green.backends.choice import detect
from flowthings_like.services.database import connections, pool, query_batch, transaction
from flowthings_like.services.database.connections import Checkout
from flowthings_like.transport import connection_pool
from flowthings_like.transport.database import session
from tests.transport.http.test_interrupts import interrupted_at as interrupted_at_switch
from tests.transport.opcodes import interrupted_at

from .support import until
from .targets import SQLite, Target

MODULES = (pool, connections, transaction, query_batch, session, connection_pool)
pytestmark = pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")


@pytest.fixture(autouse=True)
def ignore_what_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


class Calls:
    """The calls that are interrupted. Each inserts both parts of its number, or reads its number."""

    def __init__(self, target: Target, pool: ConnectionPool) -> None:
        self.target = target
        self.pool = pool
        self.numbers = itertools.count(1)
        self.done: set[int] = set()

    def query(self) -> None:
        number = next(self.numbers)
        assert [tuple(row) for row in self.pool.run_query(f"select {number}")] == [(number,)]

    def operation(self) -> None:
        number = next(self.numbers)
        self.pool.run_operation(f"insert into numbers values ({number}, 'a'), ({number}, 'b')")
        self.done.add(number)

    def both(self, cursor: Any, number: int) -> None:
        self.target.insert(cursor, number, "a")
        self.target.insert(cursor, number, "b")

    def interaction(self) -> None:
        number = next(self.numbers)
        self.pool.run_interaction(self.both, number)
        self.done.add(number)

    def block(self) -> None:
        number = next(self.numbers)
        with self.pool.transaction() as cursor:
            self.both(cursor, number)
        self.done.add(number)

    def connect(self) -> None:
        number = next(self.numbers)
        with self.pool.connect() as connection:
            self.both(connection.cursor(), number)
        self.done.add(number)

    def iterate(self) -> None:
        number = next(self.numbers)
        statement = f"select {number} union all select {number} union all select {number}"
        assert [tuple(row) for row in self.pool.iterate(statement, size=1)] == 3 * [(number,)]

    def unconnected(self) -> None:
        """The only one that opens a connection."""
        self.pool._connections._pool.close()
        self.query()

    def checkout(self) -> None:
        with Checkout(self.pool._connections, "checkout") as lent:
            lent.exchange(lambda connection: None)

    def check(self) -> None:
        """The next call gets its own answer, and nothing is left behind."""
        pool = self.pool
        self.query()
        until(lambda: pool.stats().open == pool.stats().idle)
        stats = pool.stats()
        assert (stats.waiting, stats.holders) == (0, ())
        assert stats.opened - stats.expired - stats.discarded == stats.open <= stats.size

    def check_sessions(self) -> None:
        """An abandoned connection of SQLite is closed at once: its transaction would lock the database."""
        if self.target.driver == "sqlite3" and not detect().is_cooperative:
            assert self.target.sessions() == self.pool.stats().open

    def check_rows(self) -> None:
        """What was acknowledged is there, and nothing is there by halves."""
        rows = self.pool.run_query("select n, count(*) from numbers group by n")
        assert {parts for _, parts in rows} <= {2}
        assert {number for number, _ in rows} >= self.done
        until(lambda: self.target.busy() == 0)
        until(self.target.is_free)


KINDS = ("query", "operation", "interaction", "block", "connect", "iterate", "unconnected")


def sweep(calls: Calls, interrupt: Callable[[int, Callable[[], None]], bool], kind: str) -> int:
    """Interrupt a call at each place. Returns how many there were."""
    work = getattr(calls, kind)
    for at in itertools.count(1):
        if not interrupt(at, work):
            return at - 1
        calls.check()
        if kind != "unconnected":  # a connection that was interrupted when it opened has no transaction yet
            calls.check_sessions()
    raise AssertionError


@pytest.mark.needs("green", "there are no switches of green threads here")
@pytest.mark.parametrize("kind", KINDS)
def test_at_each_switch(target: Target, kind: str) -> None:
    with target.pool(cp_max=1) as pool:
        calls = Calls(target, pool)
        how = itertools.cycle(["kill", "Timeout", "KeyboardInterrupt"])
        found = sweep(calls, lambda at, work: interrupted_at_switch(at, next(how), work), kind)
        # A driver that runs in place does not wait for an answer that is there already.
        assert found > 0 or target.driver not in ("sqlite3", "duckdb")
        calls.check_rows()
    until(lambda: target.sessions() == 0)


@pytest.mark.needs("green", "there are no switches of green threads here")
@pytest.mark.parametrize("how", ["kill", "Timeout"])
def test_at_each_switch_of_one_that_waits_for_a_connection(target: Target, how: str) -> None:
    """One caller has the only connection, and a third waits behind the one that is interrupted."""
    backend = detect()
    with target.pool(cp_max=1) as pool:
        calls = Calls(target, pool)

        def hold(cursor: Transaction) -> None:
            cursor.execute("select 1").fetchall()
            until(lambda: behind and pool.stats().waiting)
            backend.sleep(0.01)

        def wait() -> None:
            behind.append(backend.spawn(calls.query))
            calls.query()

        for at in itertools.count(1):
            behind: list[Any] = []
            holder = backend.spawn(pool.run_interaction, hold)
            until(lambda: pool.stats().holders)
            reached = interrupted_at_switch(at, how, wait)
            for thread in [holder, *behind]:
                backend.get(thread, 30)
            calls.check()
            if not reached:
                break
        assert at > 1
    until(lambda: target.sessions() == 0)


@pytest.mark.needs("threads", "a hub is no place for signals that raise")
@pytest.mark.parametrize("kind", [*KINDS, "checkout"])
def test_at_each_place_of_the_pools_code(kind: str, tmp_path: Path) -> None:
    target = SQLite("sqlite3", tmp_path / "a.db")
    with target.pool(cp_max=1) as pool:
        calls = Calls(target, pool)
        assert sweep(calls, lambda at, work: interrupted_at(at, MODULES, work), kind) > 20
        calls.check_rows()
    until(lambda: target.sessions() == 0)
