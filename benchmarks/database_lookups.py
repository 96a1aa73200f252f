"""Look-ups by key in an SQLite file: 10,000 lazy calls, against as many of Twisted's adbapi."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks import Target
from benchmarks._database import CONNECTIONS, USERS, Spent, by_adbapi, fill_sqlite, timed

TITLE = "look-ups by key, 10,000 at once, SQLite"
UNIT = "look-ups/s"
PEER = "Twisted's adbapi"
STATEMENT = "select name from users where id = ?"
TARGETS = [Target(f"lazy, {backend}", PEER, at_least=2.0) for backend in ("gevent", "eventlet", "threads")]


def adbapi(folder: Path) -> Spent:
    path = fill_sqlite(folder / "users.db")
    return by_adbapi("sqlite3", STATEMENT, USERS, USERS, database=path, check_same_thread=False)


def lazy(folder: Path) -> Spent:
    from flowthings_like.database import ConnectionPool

    pool = ConnectionPool("sqlite3", fill_sqlite(folder / "users.db"), cp_max=CONNECTIONS, cp_timeout=None)

    def work() -> None:
        calls = pool.lazy()
        thunks = [calls.run_query(STATEMENT, (number,)) for number in range(USERS)]
        for number, rows in enumerate(thunks):
            assert rows[0][0] == f"user {number}"

    spent = timed(work)
    pool.close()
    return spent


def rate(work: object, folder: Path) -> float:
    return USERS / work(folder).seconds  # type: ignore[operator]


CONTENDERS = {
    "Twisted's adbapi": partial(rate, adbapi),
    "lazy, gevent": partial(rate, lazy),
    "lazy, eventlet": partial(rate, lazy),
    "lazy, threads": partial(rate, lazy),
}
