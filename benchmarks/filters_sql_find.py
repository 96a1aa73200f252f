"""`find` against the same statement by hand: a look-up in PostgreSQL, and a thousand rows of SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._database import USERS, fill_sqlite, postgres, postgres_url

TITLE = "find, and the same statement by hand"
UNIT = "us a call"
BY_HAND = "run_query, PostgreSQL by key"
RANGE_BY_HAND = "run_query, SQLite, 1,000 rows"
LOOK_UP_BY_HAND = "run_query, SQLite by key"
PEER = BY_HAND
SERVER = postgres
TARGETS = [
    Target("find, PostgreSQL by key", BY_HAND, at_most=1.2),
    Target("find, SQLite, 1,000 rows", RANGE_BY_HAND, at_most=1.2),
]
ROUNDS = 7


def best(call: Callable[[int], Any], calls: int) -> float:
    """The microseconds of a call, in the fastest of several rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for number in range(calls):
            call(number * 7 % USERS)
        found.append((time.perf_counter() - start) / calls)
    return min(found) * 1e6


def timed(
    open_pool: Callable[[Path], Any], call: Callable[[Any, int], Any], calls: int, folder: Path
) -> float:
    pool = open_pool(folder)
    assert call(pool, 5)[0][0] == "user 5"
    micros = best(partial(call, pool), calls)
    pool.close()
    return micros


def on_postgres(folder: Path) -> Any:
    from flowthings_like.database import ConnectionPool

    return ConnectionPool.from_url(postgres_url("psycopg"))


def on_sqlite(folder: Path) -> Any:
    from flowthings_like.database import ConnectionPool

    return ConnectionPool("sqlite3", fill_sqlite(folder / "users.db"))


def by_hand(mark: str, pool: Any, number: int) -> Any:
    return pool.run_query(f"select name from users where id = {mark}", (number,))


def found(pool: Any, number: int) -> Any:
    from flowthings_like import mem

    return pool.find("users", mem.id == number, columns="name")


def range_by_hand(pool: Any, number: int) -> Any:
    return pool.run_query(
        "select name from users where id >= ? and id < ? order by id", (number, number + 1000)
    )


def range_found(pool: Any, number: int) -> Any:
    from flowthings_like import mem

    return pool.find("users", (mem.id >= number) & (mem.id < number + 1000), columns="name", sort="id")


CONTENDERS = {
    BY_HAND: partial(timed, on_postgres, partial(by_hand, "%s"), 1000),
    "find, PostgreSQL by key": partial(timed, on_postgres, found, 1000),
    RANGE_BY_HAND: partial(timed, on_sqlite, range_by_hand, 200),
    "find, SQLite, 1,000 rows": partial(timed, on_sqlite, range_found, 200),
    LOOK_UP_BY_HAND: partial(timed, on_sqlite, partial(by_hand, "?"), 2000),
    "find, SQLite by key": partial(timed, on_sqlite, found, 2000),
}
