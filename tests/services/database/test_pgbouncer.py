"""Many tasks behind a PgBouncer in transaction mode, as in a Celery worker with green threads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.green import detect
from tests.servers.pgbouncer import Pgbouncer
from tests.servers.postgres import PostgresDatabase, PostgresServer

from .support import POSTGRES_DRIVERS, open_pool, plain_args, until

ROOT = Path(__file__).parents[3]

# It prints how the tasks ended, and waits with its connections open until it may end.
WORKER = """
import json, sys
backend, driver, args, seconds = sys.argv[1:]
if backend == "gevent":
    from gevent import monkey
    monkey.patch_all()
else:
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import eventlet
    eventlet.monkey_patch()
import random
from collections import Counter
from flowthings_like.database import ConnectionPool, DeadlineExceeded
from flowthings_like.green import detect

backend = detect()
pool = ConnectionPool(driver, **json.loads(args), cp_max=20, cp_timeout=60)
ended = Counter()
asleep = set()

def work(cursor, number):
    cursor.execute("insert into tasks values (%s)", (number,))
    if number % 5 == 1:
        raise LookupError
    if number % 5 == 2:
        cursor.execute("select 1 / 0")
    if number % 5 == 3:
        with backend.deadline(0.02):
            cursor.execute(f"select pg_sleep({seconds})")
    if number % 5 == 4:
        asleep.add(number)
        cursor.execute(f"select pg_sleep({seconds})")

def task(number):
    try:
        pool.run_interaction(work, number)
    except Exception as error:
        ended["ZeroDivision" if "division" in str(error) else type(error).__name__] += 1
    except BaseException:
        ended["killed"] += 1
        asleep.discard(number)
        raise
    else:
        ended["done"] += 1

tasks = [backend.spawn(task, number) for number in range(100)]
dice = random.Random(3)
while sum(ended.values()) < len(tasks):
    backend.sleep(0.01)
    for number in list(asleep):
        if dice.random() < 0.3:
            backend.kill(tasks[number])
print(json.dumps(ended), flush=True)
sys.stdin.readline()
pool.close()
"""


@pytest.mark.needs("green", "tasks on threads cannot be killed")
@pytest.mark.parametrize("driver", POSTGRES_DRIVERS)
def test_tasks_that_fail_or_are_killed_leave_no_transaction_open(
    driver: str, postgres: PostgresServer, postgres_database: PostgresDatabase
) -> None:
    postgres_database.query("create table tasks (number int)")
    with Pgbouncer(postgres, pool_size=5, stats_users=postgres.user) as pgbouncer:
        args = plain_args(driver, pgbouncer.through(postgres_database))
        module = "pg8000.dbapi" if driver == "pg8000" else driver
        if driver == "psycopg":
            args["prepare_threshold"] = None
        # PgBouncer does not pass on every request to cancel: what is lost goes on to its end.
        seconds = "3"
        command = [sys.executable, "-c", WORKER, detect().name, module, json.dumps(args), seconds]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            try:
                ended = json.loads(worker.stdout.readline())
                kinds = ("done", "LookupError", "ZeroDivision", "DeadlineExceeded", "killed")
                assert ended == dict.fromkeys(kinds, 20)
                until(lambda: {session.state for session in postgres_database.sessions()} <= {"idle"})
                until(lambda: in_use(pgbouncer, postgres_database) == (0, 0))
                rows = postgres_database.query("select number from tasks order by number")
                assert [row[0] for row in rows] == list(range(0, 100, 5))
                worker.stdin.write("\n")
                worker.stdin.flush()
                assert worker.wait(30) == 0
            finally:
                worker.kill()


def test_prepared_statements_are_to_be_turned_off(
    postgres: PostgresServer, postgres_database: PostgresDatabase
) -> None:
    """psycopg 3 prepares what it runs for the sixth time, on a connection that is another client's then."""
    import psycopg

    def crowd(**options: Any) -> None:
        with open_pool("psycopg", pgbouncer.through(postgres_database), **options) as pool:
            with pool.transaction() as one, pool.transaction() as other:
                for _ in range(10):
                    for cursor in (one, other):
                        assert cursor.execute("select 7").fetchone() == (7,)
            for _ in range(10):
                calls = pool.async_()
                for _ in range(10):
                    calls.run_query("select 7")
                for error, rows in calls.results(with_exceptions=True):
                    if error is not None:
                        raise error
                    assert rows == [(7,)]

    with Pgbouncer(postgres, pool_size=5, stats_users=postgres.user) as pgbouncer:
        crowd(prepare_threshold=None)
        version = pgbouncer_version(pgbouncer)
        if version < (1, 22):  # later ones know prepared statements
            with pytest.raises(
                psycopg.ProgrammingError, match=r"prepared statement .* (does not|already) exist"
            ):
                crowd()


def pgbouncer_version(pgbouncer: Pgbouncer) -> tuple[int, ...]:
    [row] = console(pgbouncer, "show version")
    return tuple(int(part) for part in row["version"].split()[1].split(".")[:2])


def in_use(pgbouncer: Pgbouncer, database: PostgresDatabase) -> tuple[int, int]:
    """How many of PgBouncer's connections to the server are in use for a database, and how many wait."""
    pools = [row for row in console(pgbouncer, "show pools") if row["database"] == database.database]
    return sum(row["sv_active"] for row in pools), sum(row["cl_waiting"] for row in pools)


def console(pgbouncer: Pgbouncer, command: str) -> list[dict[str, Any]]:
    """The answer of PgBouncer's own console."""
    import psycopg2

    connection = psycopg2.connect(**{**pgbouncer.connect_args("psycopg2"), "dbname": "pgbouncer"})
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(command)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()
