"""Which drivers block, and what they do with a connection that was interrupted."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect
from tests.servers.postgres import PostgresDatabase
from tests.services.database.conftest import target
from tests.services.database.interrupts import Interrupt, timeout
from tests.services.database.targets import Target

__all__ = ["target"]


@pytest.mark.needs("green", "OS threads do not block each other")
def test_no_driver_blocks_the_hub(target: Target) -> None:
    """A green thread beside a slow query goes on. A hub that the query blocked would do so once at most."""
    backend = detect()
    beats = 0
    with target.pool(cp_max=1) as pool:
        query = backend.spawn(pool.run_query, target.rest(0.3))
        latest, last = 0.0, time.monotonic()
        while not backend.task(query).ready():
            backend.sleep(0.005)
            beats += 1
            latest, last = max(latest, time.monotonic() - last), time.monotonic()
        backend.get(query, 20)
    assert beats > 10
    assert latest < 0.15  # 30 ms on a machine that does nothing else


def rows_after_interrupt(connection: Any, run: Any) -> list[Any]:
    with pytest.raises(Interrupt), timeout(0.1):
        run("select 'first' from pg_sleep(0.4)")
    return [run(f"select {n}") for n in range(3)]


def test_pg8000_gives_the_previous_answer_after_an_interrupt_and_the_pool_does_not(
    postgres_database: PostgresDatabase,
) -> None:
    import pg8000.dbapi

    arguments = postgres_database.connect_args("pg8000")
    connection = pg8000.dbapi.connect(**arguments)

    def run(statement: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall()

    control = rows_after_interrupt(connection, run)
    connection.close()
    assert [list(map(list, rows)) for rows in control] != [[[0]], [[1]], [[2]]]  # it is one behind
    with ConnectionPool("pg8000.dbapi", **arguments) as pool:
        found = rows_after_interrupt(pool, pool.run_query)
        assert [list(map(list, rows)) for rows in found] == [[[0]], [[1]], [[2]]]


def test_an_option_decides_where_calls_run(target: Target) -> None:
    for native in (True, False):
        with target.pool(cp_max=1, cp_native=native) as pool:
            assert pool.run_query("select 1") == [(1,)]
            session = pool._connections._pool._state().idle[0].connection
            assert session is not None
            assert (session._native is not None) is (native and detect().is_cooperative)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "pg8000.dbapi"])
@pytest.mark.parametrize("wrong", ["password", "host"])
def test_no_error_shows_a_password(
    driver: str, wrong: str, postgres_database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    import traceback

    arguments = postgres_database.connect_args(driver.partition(".")[0])
    secret = arguments["password"] = "s3cret-of-mine"
    if wrong == "host":
        arguments["port"] = 1
    caplog.set_level(0)
    pool = ConnectionPool(driver, cp_noisy=True, **arguments)
    with pytest.raises(sys.modules[driver].Error) as caught:
        pool.run_query("select 1")
    said = "".join(traceback.format_exception(caught.value))
    assert secret not in said + repr(pool) + repr(pool.stats()) + caplog.text + repr(vars(pool))
    pool.close()
