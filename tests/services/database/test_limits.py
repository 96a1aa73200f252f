"""The number of connections, at the server, while everything goes wrong; and who gets one when."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool, DeadlineExceeded, Transaction
from flowthings_like.green.backends.choice import detect
from flowthings_like.testing import Fault, FaultProxy

from .support import SERVER_DRIVERS, open_pool, until

CALLERS = 200
MAX = 5


class Watch:
    """Counts the connections all the time: those of the pool, those in use, and the server's.

    Attributes:
        most: the largest number that was seen, of each.
    """

    def __init__(self, pool: ConnectionPool, database: Any) -> None:
        self._pool = pool
        self._database = database
        self._is_over = threading.Event()
        self.most = {"open": 0, "sessions": 0, "looks": 0}

    def look(self) -> None:
        stats = self._pool.stats()
        assert stats.idle + len(stats.holders) <= stats.open <= stats.size
        self.most["open"] = max(self.most["open"], stats.open)

    def _run(self) -> None:
        while not self._is_over.is_set():
            self.look()
            self.most["sessions"] = max(self.most["sessions"], len(self._database.sessions()))
            self.most["looks"] += 1
            detect().sleep(0.03)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = detect().spawn(self._run)
        try:
            yield
        finally:
            self._is_over.set()
            detect().get(thread, 30)


class Interrupt(BaseException):
    """What is no error of a statement, so that the connection is closed."""


def in_parallel(count: int, call: Any) -> None:
    """Run `call(number)` in so many threads at once."""
    threads = [detect().spawn(call, number) for number in range(count)]
    for thread in threads:
        detect().get(thread, 120)


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_the_maximum_is_kept_while_connections_are_discarded(driver: str, server_database: Any) -> None:
    """200 callers wait for 5 connections, and half of the connections are closed after use."""
    answers: list[tuple[int, int]] = []

    def interaction(cursor: Transaction, number: int) -> None:
        watch.look()
        answers.append((number, int(cursor.execute(f"select {number}").fetchone()[0])))
        if number % 2:
            raise Interrupt

    def call(number: int) -> None:
        with suppress(Interrupt):
            pool.run_interaction(interaction, number)

    with open_pool(driver, server_database, cp_min=1, cp_max=MAX, cp_timeout=120) as pool:
        watch = Watch(pool, server_database)
        with watch.running():
            in_parallel(CALLERS, call)
        assert sorted(answers) == [(number, number) for number in range(CALLERS)]
        assert watch.most["open"] == MAX
        assert watch.most["sessions"] <= 2 * MAX  # the server takes a moment to see that one was closed
        assert watch.most["looks"] > 2
        until(lambda: len(server_database.sessions()) == pool.stats().open <= MAX)
        stats = pool.stats()
        assert (stats.discarded, stats.waiting, stats.holders) == (CALLERS / 2, 0, ())


def test_callers_are_served_in_the_order_in_which_they_came(postgres_database: Any) -> None:
    served: list[int] = []

    def call(number: int) -> None:
        pool.run_interaction(lambda cursor: served.append(number))

    with open_pool("pg8000", postgres_database, cp_min=1, cp_max=1) as pool:
        with pool.transaction() as cursor:
            cursor.execute("select 1")
            threads = []
            for number in range(20):
                threads.append(detect().spawn(call, number))
                until(lambda: pool.stats().waiting == number + 1)  # noqa: B023 (called at once)
        for thread in threads:
            detect().get(thread, 30)
    assert served == list(range(20))


def test_a_late_caller_has_an_error_of_its_own_and_the_others_go_on(postgres_database: Any) -> None:
    late: list[DeadlineExceeded] = []

    def call(number: int) -> None:
        try:
            pool.run_query(f"select {number}")
        except DeadlineExceeded as error:
            late.append(error)

    with open_pool("pg8000", postgres_database, cp_min=0, cp_max=2, cp_timeout=0.2) as pool:
        with pool.transaction(), pool.transaction():
            in_parallel(10, call)
            assert pool.stats().waiting == 0
        assert len(late) == 10
        for error in late:
            assert "none of 2 was free in time" in str(error)
            assert str(error).count("transaction at test_limits.py:") == 2
            assert error.sent is False
        in_parallel(10, call)
        assert len(late) == 10
        assert pool.stats().open == 2


@pytest.mark.parametrize("limit", ["cp_idle", "cp_lifetime"])
@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_slow_holder_keeps_its_connection(driver: str, limit: str, server_database: Any) -> None:
    """Its connection passes a limit while it is in use, and others come and go meanwhile."""

    def slow(cursor: Transaction) -> tuple[Any, Any]:
        first = cursor.execute(session_id).fetchone()[0]
        cursor.execute("create temporary table held (n int)")
        for number in range(10):
            detect().sleep(0.02)
            assert tuple(pool.run_query(f"select {number}")[0]) == (number,)
            cursor.execute("insert into held values (1)")
        assert cursor.execute("select count(*) from held").fetchone()[0] == 10
        return first, cursor.execute(session_id).fetchone()[0]

    session_id = "select connection_id()" if driver == "pymysql" else "select pg_backend_pid()"
    with open_pool(driver, server_database, cp_min=0, cp_max=2, **{limit: 0.01}) as pool:
        first, last = pool.run_interaction(slow)
        assert first == last
        assert pool.stats().discarded == 0
        if limit == "cp_lifetime":  # now that it is free, it is not used again
            detect().sleep(0.02)
            assert pool.run_query(session_id)[0][0] != first


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_the_size_does_not_creep_up(driver: str, server_database: Any) -> None:
    creep(driver, server_database, 500)


@pytest.mark.long
@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_the_size_does_not_creep_up_for_long(driver: str, server_database: Any) -> None:
    creep(driver, server_database, 10_000)


def creep(driver: str, database: Any, calls: int, callers: int = 20) -> None:
    """Make so many calls that fail at random, on a network that loses connections."""
    dice = random.Random(11)

    def fail(cursor: Transaction, kind: int) -> None:
        cursor.execute("select 1").fetchall()
        if kind == 0:
            cursor.execute("select * from missing")
        elif kind == 1:
            raise Interrupt
        elif kind == 2:
            raise LookupError

    def crowd(number: int) -> None:
        for _ in range(calls // callers):
            with suppress(Exception, Interrupt):
                choice = dice.randrange(8)
                if choice < 5:
                    pool.run_interaction(fail, choice)
                elif choice == 5:
                    pool.run_query("selec")
                elif choice == 6:
                    for _row in pool.iterate("select 1 union all select 2", size=1):
                        break
                elif proxy.counts["exchanges"] % 5 == 0:
                    proxy.once(Fault.lose_answer())
                    pool.run_query("select 1")
            watch.look()

    options = {"cp_min": 2, "cp_max": MAX, "cp_timeout": 60, "cp_idle": 0.2}
    with (
        FaultProxy(f"{database.host}:{database.port}") as proxy,
        open_pool(driver, database, proxy.address, **options) as pool,
    ):
        watch = Watch(pool, database)
        with watch.running():
            in_parallel(callers, crowd)
        assert watch.most["open"] <= MAX
        proxy.plan = None
        until(lambda: not pool.stats().holders)
        detect().sleep(0.3)
        for _ in range(MAX):
            pool.run_query("select 1")
        until(lambda: pool.stats().open <= 2)
        until(lambda: len(database.sessions()) == pool.stats().open)
        stats = pool.stats()
        assert stats.opened - stats.expired - stats.discarded == stats.open
