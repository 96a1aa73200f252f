"""The end of a pool, with calls under way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect

from .support import until
from .targets import Target


def threads() -> int:
    """How many OS threads this process has."""
    return len([*Path("/proc/self/task").iterdir()])


def test_a_closed_pool_leaves_nothing(target: Target) -> None:
    before = threads()
    with target.pool(cp_max=3) as pool:
        calls = pool.async_()
        for n in range(12):
            calls.run_query(f"select {n}")
        assert calls.results() == [[(n,)] for n in range(12)]
    until(lambda: target.sessions() == 0)
    assert pool.stats().open == 0
    if target.driver == "sqlite3":  # DuckDB has threads of its own
        until(lambda: threads() <= before or detect().name == "threads")


def test_a_statement_that_outlives_the_time_to_close_is_interrupted(target: Target) -> None:
    if target.driver == "pymysql" or (detect().name == "eventlet" and target.driver == "psycopg2"):
        pytest.skip("its statements cannot be cancelled")
    errors: list[str] = []  # an exception refers to a cursor, which keeps a file of SQLite open

    def run(pool: ConnectionPool) -> None:
        try:
            pool.run_query(target.forever)
        except Exception as error:
            errors.append(repr(error))

    with target.pool(cp_max=1) as pool:
        thread = detect().spawn(run, pool)
        until(lambda: pool.stats().holders)
        began = time.monotonic()
        pool.close(timeout=0.05)
        detect().get(thread, 40)
        assert time.monotonic() - began < 30  # of the 60 that it would take
        assert len(errors) == 1
    until(lambda: target.sessions() == 0)


def test_a_connection_that_comes_back_late_is_closed(target: Target) -> None:
    before = threads()
    with target.pool(cp_max=1) as pool:
        block = pool.transaction()
        cursor: Any = block.__enter__()
        target.insert(cursor, 1, "a")
        pool.close(timeout=0.0)
        block.__exit__(LookupError, LookupError("late"), None)
        assert pool.stats().open == 0
        until(lambda: target.sessions() == 0)
        if target.driver == "sqlite3":
            until(lambda: threads() <= before + 1)
        pool.start()
        assert pool.run_query("select count(*) from numbers") == [(0,)]
