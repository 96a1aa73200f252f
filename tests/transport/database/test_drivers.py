"""Which drivers block, and what they do with a connection that was interrupted."""

from __future__ import annotations

import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.database import drivers
from tests.servers.postgres import PostgresDatabase
from tests.services.database.conftest import target
from tests.services.database.interrupts import Interrupt, timeout
from tests.services.database.support import SERVER_DRIVERS, plain_args
from tests.services.database.targets import Target

__all__ = ["target"]


@pytest.mark.needs("green", "OS threads do not block each other")
def test_no_driver_blocks_the_hub(target: Target) -> None:
    """A green thread beside a slow query goes on. A hub that the query blocked would do so once at most."""
    backend = detect()
    beats = 0
    with target.pool(cp_max=1) as pool:
        query = backend.spawn(pool.run_query, target.rest(0.3))
        while not backend.task(query).ready():
            backend.sleep(0.005)
            beats += 1
        backend.get(query, 20)
    assert beats > 10


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


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
@pytest.mark.parametrize("wrong", ["password", "port", "host"])
@pytest.mark.parametrize("by", ["arguments", "URL"])
def test_no_error_shows_a_password(
    driver: str, wrong: str, by: str, server_database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = plain_args(driver, server_database)
    secret = arguments["password"] = "s3cret-of-mine"
    if wrong == "port":
        arguments["port"] = 1
    elif wrong == "host":
        arguments["host"] = "no-such-host.invalid"
    caplog.set_level(0)
    if by == "arguments":
        module = "pg8000.dbapi" if driver == "pg8000" else driver
        pool = ConnectionPool(module, cp_noisy=True, **arguments)
    else:
        scheme = f"{'mysql' if driver == 'pymysql' else 'postgresql'}+{driver}"
        address = f"{arguments['host']}:{arguments['port']}"
        options = {"ssl_context": False} if driver == "pg8000" else {}
        url = f"{scheme}://{arguments['user']}:{secret}@{address}/{server_database.database}"
        pool = ConnectionPool.from_url(url, cp_noisy=True, **options)
    with pytest.raises(pool._driver.errors) as caught:
        pool.run_query("select 1")
    said = "".join(traceback.format_exception(caught.value))
    assert secret not in said + repr(caught.value.args) + repr(pool) + repr(pool.stats()) + caplog.text
    assert secret not in repr(vars(pool))
    pool.close()


ROOT = Path(__file__).parents[3]
ASK = """
import sys, warnings
backend, driver, has_psycogreen = sys.argv[1:]
if backend == "gevent":
    from gevent import monkey
    monkey.patch_all()
elif backend == "eventlet":
    warnings.simplefilter("ignore")
    import eventlet
    eventlet.monkey_patch()
if has_psycogreen == "True" and backend != "threads":
    from importlib import import_module
    import_module("psycogreen." + backend).patch_psycopg()
from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.database import drivers
pool = ConnectionPool(driver)
session = pool._connections._new_session()
print("in place" if session._native is None else "native")
"""


def table(text: str) -> dict[str, list[str]]:
    """What a table says of each driver: where its calls run on gevent, eventlet and threads."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"\||  +", line.strip().strip("|")) if cell.strip()]
        if len(cells) == 4 and cells[1].split(",")[0] in ("native", "in place"):
            for name in re.split(r", (?!psycogreen)", cells[0]):
                found[name.replace(" with ", ", ")] = [cell.split(",")[0] for cell in cells[1:]]
    return found


NAMES = {
    "sqlite3": "sqlite3",
    "duckdb": "duckdb",
    "psycopg 3": "psycopg",
    "psycopg2": "psycopg2",
    "psycopg2, psycogreen": "psycopg2",
    "pg8000": "pg8000.dbapi",
    "PyMySQL": "pymysql",
    "any other": "tests.transport.database.unknown_driver",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_say_where_calls_run(name: str) -> None:
    """In a new process, as drivers look when they are imported at what is patched."""
    backend = detect().name
    command = [sys.executable, "-c", ASK, backend, NAMES[name], str("psycogreen" in name)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    column = ["gevent", "eventlet", "threads"].index(backend)
    for text in (drivers.__doc__ or "", (ROOT / "docs" / "database.md").read_text()):
        said = table(text)
        assert said.keys() == NAMES.keys()
        assert said[name][column] == ran.stdout.strip()
