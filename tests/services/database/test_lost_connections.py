"""Connections that the server closes, statements that get lost, and errors that do no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flowthings_like.database import ConnectionLost, ConnectionPool, Transaction
from flowthings_like.testing import Fault, FaultProxy
from tests.servers.address import Database
from tests.servers.mariadb import MariadbDatabase, MariadbServer
from tests.servers.postgres import PostgresDatabase, PostgresServer

from .support import POSTGRES_DRIVERS, SERVER_DRIVERS, open_pool, until

IDLE = 3
FAULTS: dict[str, Callable[..., Fault]] = {
    "request lost": Fault.lose_request,
    "answer lost": Fault.lose_answer,
    "answer cut": lambda reset=False: Fault.lose_answer(3, reset=reset),
}


def error_of(driver: str) -> tuple[type[Exception], ...]:
    """What the driver raises. pg8000 lets some errors of the socket through."""
    return (__import__(driver).Error, *((ConnectionError,) if driver == "pg8000" else ()))


def hold(pool: ConnectionPool, count: int = IDLE) -> None:
    """Have so many connections open and idle."""
    blocks = [pool.transaction() for _ in range(count)]
    for block in blocks:
        block.__enter__().execute("select 1")
    for block in blocks:
        block.__exit__(None, None, None)
    assert (pool.stats().open, pool.stats().idle) == (count, count)


def test_mariadb_ends_idle_connections_and_no_caller_notices(
    mariadb: MariadbServer, mariadb_database: MariadbDatabase
) -> None:
    with mariadb.wait_timeout(1), open_pool("pymysql", mariadb_database) as pool:
        hold(pool)
        until(lambda: not mariadb_database.sessions())
        assert pool.run_query("select 7") == [(7,)]
        lazy = pool.lazy()
        assert [rows[0] for rows in [lazy.run_query("select %s", (n,)) for n in range(20)]] == [
            (n,) for n in range(20)
        ]
        stats = pool.stats()
        assert stats.expired >= 1
        assert stats.discarded == 0
        assert stats.open == stats.idle == len(mariadb_database.sessions())


@pytest.mark.parametrize("driver", POSTGRES_DRIVERS)
def test_the_server_restarts_and_no_caller_notices(driver: str) -> None:
    with PostgresServer() as server, open_pool(driver, server) as pool:
        hold(pool)
        server.restart()
        for call in (
            lambda: pool.run_query("select 7"),
            lambda: pool.run_interaction(lambda cursor: cursor.execute("select 7").fetchall()),
            lambda: list(pool.iterate("select 7")),
        ):
            assert [tuple(row) for row in call()] == [(7,)]
        assert pool.stats().open == len(server.sessions())
        assert pool.stats().expired == IDLE
        assert pool.stats().opened == IDLE + 1


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_an_interaction_begins_anew_if_its_connection_was_lost_before_its_first_statement(
    driver: str, server_database: Any
) -> None:
    calls = []

    def interaction(cursor: Transaction) -> Any:
        calls.append(1)
        if len(calls) == 1:
            server_database.terminate_sessions()
            until(lambda: not server_database.sessions())
        return cursor.execute("select 7").fetchone()

    with open_pool(driver, server_database) as pool:
        hold(pool)
        assert tuple(pool.run_interaction(interaction)) == (7,)
        assert len(calls) == 2
        # The other ones were closed, too: each is replaced without an error.
        assert tuple(pool.run_query("select 8")[0]) == (8,)


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_an_interaction_is_not_repeated_after_its_first_statement(driver: str, server_database: Any) -> None:
    calls = []

    def interaction(cursor: Transaction) -> None:
        calls.append(1)
        cursor.execute("select 1").fetchall()
        server_database.terminate_sessions()
        cursor.execute("select 2")

    with open_pool(driver, server_database) as pool:
        hold(pool)
        with pytest.raises(error_of(driver)):
            pool.run_interaction(interaction)
        assert len(calls) == 1
        assert tuple(pool.run_query("select 8")[0]) == (8,)


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_the_callers_own_error_is_raised_if_the_rollback_fails(driver: str, server_database: Any) -> None:
    def interaction(cursor: Transaction) -> None:
        cursor.execute("select 1").fetchall()
        server_database.terminate_sessions()
        raise LookupError("the caller's own")

    with open_pool(driver, server_database) as pool:
        with pytest.raises(LookupError, match="the caller's own"):
            pool.run_interaction(interaction)

        def block() -> None:
            with pool.transaction() as cursor:
                interaction(cursor)

        with pytest.raises(LookupError, match="the caller's own"):
            block()
        until(lambda: pool.stats().open == 0)  # OS threads close those that block
        stats = pool.stats()
        assert (stats.opened, stats.discarded, stats.holders) == (2, 2, ())
        assert tuple(pool.run_query("select 8")[0]) == (8,)


# -- statements that were sent


class Counted:
    """A pool through a proxy, and a sequence that counts how often a statement was executed.

    A rollback does not take back what a sequence has given out.
    """

    def __init__(self, driver: str, database: Any, proxy: FaultProxy) -> None:
        self.database = database
        self.proxy = proxy
        self.pool = open_pool(driver, database, proxy.address)
        database.query("create sequence calls")
        name = "calls" if driver == "pymysql" else "'calls'"
        self.statement = f"select nextval({name})"

    def executed(self) -> int:
        """How often the statement was executed since this was asked last."""
        answer = self.database.query(self.statement)[0][0]
        before, self._last = getattr(self, "_last", 0), answer
        return int(answer - before - 1)

    def fail(self, at: int, fault: Fault) -> None:
        """Have an exchange fail: the one of that number from now on."""
        first = self.proxy.counts["exchanges"]
        self.proxy.plan = lambda number: fault if number == first + at else None

    def exchanges(self) -> int:
        """How many exchanges the proxy sees in one call."""
        self.pool.run_query(self.statement)
        before = self.proxy.counts["exchanges"]
        self.pool.run_query(self.statement)
        return self.proxy.counts["exchanges"] - before


@contextmanager
def counted(driver: str, database: Any) -> Iterator[Counted]:
    with FaultProxy(f"{database.host}:{database.port}") as proxy:
        made = Counted(driver, database, proxy)
        with made.pool:
            yield made


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_what_was_sent_is_sent_again_only_if_it_is_idempotent(
    driver: str, server_database: Any, fault: str, reset: bool
) -> None:
    with counted(driver, server_database) as calls:
        steps = calls.exchanges()
        assert calls.executed() == 2
        for step in range(steps):
            calls.fail(step, FAULTS[fault](reset=reset))
            with pytest.raises(error_of(driver)):
                calls.pool.run_query(calls.statement)
            assert calls.executed() <= 1
            assert calls.pool.run_query("select 1 + 1")[0][0] == 2

            calls.fail(step, FAULTS[fault](reset=reset))
            assert len(calls.pool.run_query(calls.statement, idempotent=True)) == 1
            assert 1 <= calls.executed() <= 2
        stats = calls.pool.stats()
        assert (stats.discarded, stats.open, stats.idle) == (2 * steps, 1, 1)


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_an_idempotent_call_is_repeated_once(driver: str, server_database: Any) -> None:
    with counted(driver, server_database) as calls:
        calls.pool.run_query("select 1")
        calls.executed()
        calls.proxy.plan = lambda number: Fault.lose_answer() if calls.proxy.counts["connections"] else None
        before = calls.proxy.counts["connections"]
        with pytest.raises(error_of(driver)):
            calls.pool.run_query(calls.statement, idempotent=True)
        assert calls.proxy.counts["connections"] == before + 1


# -- errors that the server sends


def _lock_timeout_postgres(pool: ConnectionPool) -> None:
    with pool.transaction() as first:
        first.execute("update accounts set amount = 1 where id = 1")
        with pool.transaction() as second:
            second.execute("set local lock_timeout = '50ms'")
            second.execute("update accounts set amount = 2 where id = 1")


def _lock_timeout_mariadb(pool: ConnectionPool) -> None:
    with pool.transaction() as first:
        first.execute("update accounts set amount = 1 where id = 1")
        with pool.transaction() as second:
            second.execute("select amount from accounts where id = 1 for update nowait")


def _statement_timeout_postgres(pool: ConnectionPool) -> None:
    with pool.transaction() as cursor:
        cursor.execute("set local statement_timeout = '50ms'")
        cursor.execute("select pg_sleep(60)")


def _statement_timeout_mariadb(pool: ConnectionPool) -> None:
    # sleep() alone ends early, without an error.
    pool.run_query(
        "set statement max_statement_time = 0.05 for "
        "select count(*) from information_schema.columns a, information_schema.columns b, "
        "information_schema.columns c"
    )


def _serialization_failure(pool: ConnectionPool) -> None:
    with pool.transaction() as first:
        first.execute("set transaction isolation level repeatable read")
        first.execute("select amount from accounts where id = 1").fetchall()
        pool.run_operation("update accounts set amount = 3 where id = 1")
        first.execute("update accounts set amount = 4 where id = 1")


def _deadlock(pool: ConnectionPool) -> None:
    both = threading.Barrier(2)

    def cross(cursor: Transaction, first: int, second: int) -> None:
        cursor.execute(f"update accounts set amount = 5 where id = {first}")
        both.wait(30)
        cursor.execute(f"update accounts set amount = 5 where id = {second}")

    calls = pool.async_()
    calls.run_interaction(cross, 1, 2)
    calls.run_interaction(cross, 2, 1)
    errors = [error for error, _ in calls.results(with_exceptions=True) if error is not None]
    assert len(errors) == 1
    raise errors[0]


def _bad_in_many(pool: ConnectionPool) -> None:
    def many(cursor: Transaction) -> None:
        cursor.executemany("insert into accounts values (%s, 0)", [(10,), (11,), (10,)])

    pool.run_interaction(many)


COMMON: dict[str, Callable[[ConnectionPool], object]] = {
    "syntax": lambda pool: pool.run_query("selec 1"),
    "no table": lambda pool: pool.run_operation("delete from missing"),
    "constraint": lambda pool: pool.run_operation("insert into accounts values (1, 0)"),
    "constraint in executemany": _bad_in_many,
    "deadlock": _deadlock,
    "error in a stream": lambda pool: list(pool.iterate("select * from missing")),
}
POSTGRES: dict[str, Callable[[ConnectionPool], object]] = {
    "division by zero": lambda pool: pool.run_query("select 1 / 0"),
    "error in the middle of a stream": lambda pool: list(
        pool.iterate("select 1 / (500 - n) from generate_series(1, 1000) n", size=100)
    ),
    "lock time-out": _lock_timeout_postgres,
    "statement time-out": _statement_timeout_postgres,
    "serialization failure": _serialization_failure,
}
MARIADB: dict[str, Callable[[ConnectionPool], object]] = {
    "division by zero": lambda pool: pool.run_operation("insert into accounts values (9, 1 / 0)"),
    "lock time-out": _lock_timeout_mariadb,
    "statement time-out": _statement_timeout_mariadb,
}
ERRORS = [
    *((driver, kind) for driver in POSTGRES_DRIVERS for kind in COMMON | POSTGRES),
    *(("pymysql", kind) for kind in COMMON | MARIADB),
]


@pytest.mark.parametrize(("driver", "kind"), ERRORS, ids=[f"{driver}-{kind}" for driver, kind in ERRORS])
def test_an_error_of_the_server_does_not_spoil_the_connection(
    driver: str, kind: str, server_database: Any
) -> None:
    cause = (COMMON | (MARIADB if driver == "pymysql" else POSTGRES))[kind]
    with open_pool(driver, server_database) as pool:
        pool.run_operation("create table accounts (id int primary key, amount int not null)")
        pool.run_operation("insert into accounts values (1, 0), (2, 0)")
        hold(pool)
        with pytest.raises(error_of(driver)):
            cause(pool)
        assert (pool.stats().opened, pool.stats().discarded) == (IDLE, 0)
        for _ in range(2 * IDLE):
            assert tuple(pool.run_query("select 6 * 7")[0]) == (42,)
        rows = pool.run_query("select id, amount from accounts order by id")
        assert [row[0] for row in rows] == [1, 2]
        assert pool.stats().holders == ()
        assert _open_transactions(server_database) == 0


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_an_error_while_a_socket_error_is_handled_is_the_servers_nevertheless(
    driver: str, server_database: Any
) -> None:
    """The driver's error has the OSError as its context, which has nothing to do with the connection."""

    def interaction(cursor: Transaction) -> Any:
        cursor.execute("select 1").fetchall()
        try:
            raise OSError("of some other file")
        except OSError:
            with pytest.raises(error_of(driver)):
                cursor.execute("select * from missing")
        cursor.execute("rollback")
        return cursor.execute("select 7").fetchone()

    with open_pool(driver, server_database) as pool:
        assert tuple(pool.run_interaction(interaction)) == (7,)
        assert pool.stats().discarded == 0


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_connection_that_was_closed_in_use_says_so(driver: str, server_database: Any) -> None:
    def interaction(cursor: Transaction) -> None:
        cursor.execute("select 1").fetchall()
        server_database.terminate_sessions()
        with pytest.raises(error_of(driver)):
            cursor.execute("select 2")
        cursor.execute("select 3")

    with (
        open_pool(driver, server_database) as pool,
        pytest.raises(ConnectionLost, match="interrupted or lost"),
    ):
        pool.run_interaction(interaction)


def _open_transactions(database: Database) -> int:
    if isinstance(database, MariadbDatabase):
        return len(database.open_transactions())
    assert isinstance(database, PostgresDatabase)
    return sum(session.state != "idle" for session in database.sessions())
