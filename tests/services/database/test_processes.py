"""Programs that end without `close()`, and programs that fork."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect

from .support import plain_args

ROOT = Path(__file__).parents[3]
DRIVERS = ("sqlite3", "psycopg", "psycopg2", "pg8000", "pymysql")
BEGIN = """
import json, sys
backend, driver, args = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if backend == "gevent":
    from gevent import monkey
    monkey.patch_all()
elif backend == "eventlet":
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import eventlet
        eventlet.monkey_patch()
from flowthings_like.database import ConnectionPool
pool = ConnectionPool(driver, cp_timeout=20, **args)
"""

FORGETFUL = """
pool.run_operation("create table numbers (n int)")
lazy = pool.lazy()
for n in range(20):
    lazy.run_operation(f"insert into numbers values ({n})")
calls = pool.async_()
calls.run_interaction(lambda cursor: cursor.execute("insert into numbers values (20)"))
print("the last line")
"""

HELD = """
pool.run_operation("create table numbers (n int)")
connection = pool.connect()
connection.cursor().execute("insert into numbers values (1)")
print("the last line")
"""

FORKING = """
import time
from tests.forked import forked
session = {"sqlite3": "select 1", "pymysql": "select connection_id()"}.get(driver, "select pg_backend_pid()")
pool.run_operation("create table numbers (n int)")

def child():
    assert (pool.stats().opened, pool.stats().holders) == (0, ())
    for _ in range(3):
        assert tuple(pool.run_query("select count(*) from numbers")[0]) == (0,)
    mine = pool.run_query(session)[0][0]
    assert driver == "sqlite3" or mine != parents, "the child has the parent's connection"
    assert (pool.stats().opened, pool.stats().discarded) == (1, 0)
    lazy = pool.lazy()
    assert [rows[0][0] for rows in [lazy.run_query(f"select {n}") for n in range(9)]] == list(range(9))
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 5, "it waits for the parent's transaction"

with pool.transaction() as cursor:
    cursor.execute("insert into numbers values (1)")
    parents = cursor.execute(session).fetchone()[0]
    said = forked(child)()
    assert said == "fine", said
    assert cursor.execute(session).fetchone()[0] == parents
    cursor.execute("insert into numbers values (2)")
assert sorted(row[0] for row in pool.run_query("select n from numbers")) == [1, 2]
assert (pool.stats().opened, pool.stats().discarded) == (1, 0)
print("the last line")
"""


def run(program: str, driver: str, folder: Path, request: pytest.FixtureRequest) -> Any:
    """Run a program with a pool to its end. Returns the database, for another look at it."""
    if driver == "sqlite3":
        database, args = None, {"database": str(folder / "a.db")}
    else:
        database = request.getfixturevalue("server_database")
        args = plain_args(driver, database)
    module = "pg8000.dbapi" if driver == "pg8000" else driver
    # G06 and G07 say that psycopg and psycopg2 would block the hub, as they do outside of a pool.
    python = [sys.executable, "-W", "ignore:G0"]
    command = [*python, "-c", BEGIN + program, detect().name, module, json.dumps(args)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "the last line\n", "")
    return database


def numbers(driver: str, database: Any, folder: Path) -> list[int]:
    """The rows that were committed, read by other means than the pool."""
    if database is None:
        import sqlite3

        connection = sqlite3.connect(folder / "a.db")
        rows = connection.execute("select n from numbers order by n").fetchall()
        connection.close()
    else:
        rows = database.query("select n from numbers order by n")
    return [row[0] for row in rows]


@pytest.mark.skipif(
    detect().is_cooperative and (3, 12) <= sys.version_info < (3, 12, 2),
    reason="CPython starts no thread at exit there (its issue 113964); green libraries resolve names in one",
)
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_program_that_forgets_to_close_finishes_what_it_began(
    driver: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = run(FORGETFUL, driver, tmp_path, request)
    assert numbers(driver, database, tmp_path) == list(range(21))


@pytest.mark.parametrize("driver", ["sqlite3", "psycopg", "pymysql"])
def test_a_program_that_ends_within_a_transaction_commits_nothing(
    driver: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = run(HELD, driver, tmp_path, request)
    assert numbers(driver, database, tmp_path) == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_forked_child_connects_anew_and_the_parent_goes_on(
    driver: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = run(FORKING, driver, tmp_path, request)
    assert numbers(driver, database, tmp_path) == [1, 2]
