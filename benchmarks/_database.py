"""The contenders of the database benchmarks: the same queries by this library's pool and by others."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["ADBAPI", "OURS", "PSYCOPG_POOL", "Spent", "fill_sqlite", "postgres", "postgres_url"]

CALLERS = 64
CONNECTIONS = 16
QUERIES = 20_000
USERS = 10_000
STATEMENT = "select name from users where id = %s"
PSYCOPG_POOL = "psycopg_pool, threads"
ADBAPI = "Twisted's adbapi, psycopg2"
OURS = "ConnectionPool, psycopg, gevent"


class Spent(NamedTuple):
    """What a number of queries took: seconds, and seconds of CPU in this process."""

    seconds: float
    cpu: float


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server with a table of users; its URL."""
    from tests.servers.postgres import PostgresServer

    with PostgresServer() as server:
        server.query("create table users (id int primary key, name text)")
        server.query(f"insert into users select n, 'user ' || n from generate_series(0, {USERS - 1}) n")
        server.query("analyze users")
        yield server.url


def postgres_url(driver: str) -> str:
    return os.environ["BENCHMARK_SERVER"].replace("postgresql:", f"postgresql+{driver}:")


def _connect_args(driver: str) -> dict[str, Any]:
    from flowthings_like.transport.database.urls import parse_url

    return parse_url(postgres_url(driver)).kwargs


def timed(work: Callable[[], object]) -> Spent:
    cpu, start = time.process_time(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - start, time.process_time() - cpu)


def by_this_library(driver: str = "psycopg") -> Spent:
    """64 callers in green or plain threads."""
    from flowthings_like.database import ConnectionPool
    from flowthings_like.green.backends.choice import detect

    pool = ConnectionPool.from_url(postgres_url(driver), cp_min=CONNECTIONS, cp_max=CONNECTIONS)
    each = QUERIES // CALLERS

    def caller(first: int) -> None:
        for number in range(first, first + each):
            assert pool.run_query(STATEMENT, (number % USERS,))[0][0] == f"user {number % USERS}"

    def work() -> None:
        backend = detect()
        threads = backend.pool(CALLERS)
        for task in [threads.start(caller, number * each) for number in range(CALLERS)]:
            _, raised = task.outcome()
            assert raised is None, raised.error

    spent = timed(work)
    pool.close()
    return spent


def by_psycopg_pool() -> Spent:
    """The pool of psycopg's own project, with plain threads."""
    from concurrent.futures import ThreadPoolExecutor

    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(
        kwargs=_connect_args("psycopg"), min_size=CONNECTIONS, max_size=CONNECTIONS, open=True
    )
    pool.wait()
    each = QUERIES // CALLERS

    def caller(first: int) -> None:
        for number in range(first, first + each):
            with pool.connection() as connection:
                rows = connection.execute(STATEMENT, (number % USERS,)).fetchall()
            assert rows[0][0] == f"user {number % USERS}"

    with ThreadPoolExecutor(CALLERS) as threads:
        spent = timed(lambda: list(threads.map(caller, range(0, CALLERS * each, each))))
    pool.close()
    return spent


def by_adbapi(dbapi: str, statement: str, callers: int, queries: int, **connect: Any) -> Spent:
    """Twisted's pool, with so many queries in flight."""
    from twisted.enterprise.adbapi import ConnectionPool
    from twisted.internet import defer, reactor

    pool = ConnectionPool(dbapi, cp_min=CONNECTIONS, cp_max=CONNECTIONS, **connect)
    spent: list[Spent] = []
    each = queries // callers

    @defer.inlineCallbacks
    def caller(first: int) -> Any:
        for number in range(first, first + each):
            rows = yield pool.runQuery(statement, (number % USERS,))
            assert rows[0][0] == f"user {number % USERS}"

    @defer.inlineCallbacks
    def main() -> Any:
        cpu, start = time.process_time(), time.perf_counter()
        yield defer.gatherResults([caller(number * each) for number in range(callers)])
        spent.append(Spent(time.perf_counter() - start, time.process_time() - cpu))
        reactor.stop()  # type: ignore[attr-defined]

    reactor.callWhenRunning(main)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    return spent[0]


def on_postgres(contender: str) -> Spent:
    """The queries by a contender, named as in the table."""
    if contender == PSYCOPG_POOL:
        return by_psycopg_pool()
    if contender == ADBAPI:
        return by_adbapi("psycopg2", STATEMENT, CALLERS, QUERIES, **_connect_args("psycopg2"))
    return by_this_library(contender.split(", ")[1])


def fill_sqlite(path: Path) -> str:
    """A database file with a table of users; its path."""
    connection = sqlite3.connect(path)
    connection.execute("create table users (id integer primary key, name text)")
    connection.executemany("insert into users values (?, ?)", [(n, f"user {n}") for n in range(USERS)])
    connection.commit()
    connection.close()
    return str(path)
