"""Many rows: out by server-side cursors and COPY, in by COPY and executemany."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest

from flowthings_like.database import ConnectionPool, Transaction
from flowthings_like.green import detect
from tests.servers.postgres import PostgresDatabase

from .support import POSTGRES_DRIVERS, SERVER_DRIVERS, open_pool, plain_args, until

ROOT = Path(__file__).parents[3]
ROWS = 300_000
ROW_SIZE = 100
MEMORY_LIMIT = 25 * 1024  # KiB

# It reads the peak after a first stream, which has imported what is imported late.
MEASURE = """
import json, resource, sys
backend, driver, args, statement, count = sys.argv[1:]
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

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

with ConnectionPool(driver, **json.loads(args)) as pool:
    for _ in pool.iterate("select 1"):
        pass
    before = peak()
    seen = size = 0
    for (text,) in pool.iterate(statement, size=1000):
        seen += 1
        size += len(text)
    assert pool.stats().holders == () and pool.stats().idle == 1
print(json.dumps([seen, size, peak() - before]))
"""


def many_rows(driver: str, count: int, size: int = ROW_SIZE) -> str:
    """A statement with so many rows of so many bytes."""
    if driver == "pymysql":
        return f"select repeat('x', {size}) from seq_1_to_{count}"
    return f"select repeat('x', {size}) from generate_series(1, {count})"


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_stream_takes_little_memory(driver: str, server_database: Any) -> None:
    args = plain_args(driver, server_database)
    module = "pg8000.dbapi" if driver == "pg8000" else driver
    command = [sys.executable, "-c", MEASURE, detect().name, module, json.dumps(args)]
    ran = subprocess.run(
        [*command, many_rows(driver, ROWS), str(ROWS)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    seen, size, grown = json.loads(ran.stdout)
    assert (seen, size) == (ROWS, ROWS * ROW_SIZE)
    assert grown < MEMORY_LIMIT


@dataclass
class Numbered:
    n: int
    text: str


class NumberedDict(TypedDict):
    n: int
    text: str


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_rows_as_in_every_call(driver: str, server_database: Any) -> None:
    rows = [(n, f"row {n}") for n in range(250)]
    statement = "select n, text from numbered order by n"

    def fetch(cursor: Transaction) -> Any:
        cursor.execute(statement)
        return [cursor.fetchone(), *cursor.fetchmany(2), *cursor.fetchmany(), *list(cursor)]

    with open_pool(driver, server_database) as pool:
        pool.run_operation("create table numbered (n int, text varchar(10))")
        with pool.transaction() as cursor:
            cursor.executemany("insert into numbered values (%s, %s)", rows)
        for rows_as in (Numbered, NumberedDict, dict, lambda n, text: (text, n), None, tuple):
            wanted: list[Any] = rows
            if rows_as in (NumberedDict, dict):
                wanted = [{"n": n, "text": text} for n, text in rows]
            elif rows_as is Numbered:
                wanted = [Numbered(*row) for row in rows]
            elif rows_as not in (None, tuple):
                wanted = [(text, n) for n, text in rows]
            options: Any = {"rows_as": rows_as}

            def same(found: Any, wanted: Any = wanted) -> bool:
                return [tuple(row) if isinstance(row, list) else row for row in found] == wanted

            assert same(pool.run_query(statement, **options))
            assert same(pool.iterate(statement, size=64, **options))
            with pool.transaction(**options) as cursor:
                assert same(fetch(cursor))
            assert same(pool.run_with_connection(
                lambda connection, as_: fetch(connection.cursor(rows_as=as_)), rows_as))  # fmt: skip
        assert pool.stats().opened == 1


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_connection_has_several_cursors_and_leaked_ones_are_closed(
    driver: str, server_database: Any
) -> None:
    raw = []

    def cross(connection: Any) -> list[Any]:
        outer, inner = connection.cursor(), connection.cursor()
        found = []
        for (n,) in outer.execute("select 1 union all select 2 order by 1"):
            found += [(n, m) for (m,) in inner.execute("select 10 union all select 20 order by 1").fetchall()]
        raw.extend([outer._cursor, inner._cursor])
        with connection.cursor() as closed:
            closed.execute("select 1")
        return found

    with open_pool(driver, server_database) as pool:
        assert pool.run_with_connection(cross) == [(1, 10), (1, 20), (2, 10), (2, 20)]
        assert len(raw) == 2
        assert all(_is_closed(cursor) for cursor in raw)
        assert (pool.stats().opened, pool.stats().idle) == (1, 1)


def _is_closed(cursor: Any) -> bool:
    closed = getattr(cursor, "closed", None)
    if closed is None:  # pg8000 and PyMySQL
        attribute = "_c" if hasattr(cursor, "_c") else "connection"
        return getattr(cursor, attribute) is None
    return bool(closed)


@pytest.mark.parametrize("driver", SERVER_DRIVERS)
def test_a_stream_that_is_left_or_fails_says_nothing_and_frees_its_connection(
    driver: str, server_database: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Drivers warn of server-side cursors, or read them to their end, when those are garbage."""
    with open_pool(driver, server_database, cp_min=1, cp_max=1, cp_timeout=10) as pool:
        for _ in range(3):
            for _row in pool.iterate(many_rows(driver, ROWS), size=10):
                break
            rows = pool.iterate(many_rows(driver, ROWS), size=10)
            assert len(next(rows)[0]) == ROW_SIZE
            del rows
            gc.collect()
            with pytest.raises(LookupError):
                _fail_in_a_loop(pool, many_rows(driver, ROWS))
            gc.collect()
            assert tuple(pool.run_query("select 1 + 1")[0]) == (2,)
        until(lambda: len(server_database.sessions()) == 1)
        assert pool.stats().holders == ()
    gc.collect()
    assert capfd.readouterr().err == ""


def _fail_in_a_loop(pool: ConnectionPool, statement: str) -> None:
    for _ in pool.iterate(statement):
        raise LookupError


# -- COPY, which psycopg has


def test_copy_out_and_in(postgres_database: PostgresDatabase) -> None:
    rows = [(n, f"line {n}\tand a tab") for n in range(5000)]

    def write(raw: Any) -> int:
        with raw.copy("copy lines (n, text) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        return int(raw.rowcount)

    def read(raw: Any) -> bytes:
        with raw.copy("copy (select n, text from lines order by n) to stdout (format csv)") as copy:
            return b"".join(copy)

    with open_pool("psycopg", postgres_database) as pool:
        pool.run_operation("create table lines (n int, text text)")
        assert pool.run_interaction(lambda cursor: cursor.call(write)) == len(rows)
        assert pool.run_query("select count(*) from lines") == [(len(rows),)]
        text = pool.run_interaction(lambda cursor: cursor.call(read)).decode()
        assert text.splitlines() == [f"{n},{line}" for n, line in rows]

        def copied_back(cursor: Transaction, text: str) -> None:
            cursor.execute("truncate lines")
            cursor.call(_copy_csv, text)

        assert pool.async_().run_interaction(copied_back, text).get() is None
        assert pool.run_query("select n, text from lines order by n") == rows
        assert pool.stats().opened == 1


def _copy_csv(raw: Any, text: str) -> None:
    with raw.copy("copy lines from stdin (format csv)") as copy:
        copy.write(text)


def test_a_copy_that_fails_leaves_nothing(postgres_database: PostgresDatabase) -> None:
    import psycopg

    def write(raw: Any, stop: bool) -> None:
        with raw.copy("copy lines (n) from stdin") as copy:
            copy.write_row((1,))
            if stop:
                raise LookupError
            copy.write_row(("no number",))

    with open_pool("psycopg", postgres_database) as pool:
        pool.run_operation("create table lines (n int)")
        with pytest.raises(psycopg.DataError):
            pool.run_interaction(lambda cursor: cursor.call(write, False))
        with pytest.raises(LookupError):
            pool.run_interaction(lambda cursor: cursor.call(write, True))
        assert pool.run_query("select count(*) from lines") == [(0,)]
        assert all(session.state == "idle" for session in postgres_database.sessions())


def test_psycopg2_copies_too(postgres_database: PostgresDatabase) -> None:
    import psycopg2
    from psycopg2.extensions import get_wait_callback

    if get_wait_callback() is not None:  # psycogreen's, or eventlet's: the driver cannot copy then
        with open_pool("psycopg2", postgres_database) as pool:
            with pytest.raises(psycopg2.ProgrammingError, match="asynchronous callback"):
                pool.run_interaction(lambda cursor: cursor.copy_expert("copy t to stdout", io.StringIO()))
            assert pool.run_query("select 1") == [(1,)]
        return
    with open_pool("psycopg2", postgres_database) as pool:
        pool.run_operation("create table lines (n int)")
        pool.run_interaction(
            lambda cursor: cursor.copy_expert("copy lines from stdin", io.StringIO("1\n2\n3\n"))
        )
        out = io.StringIO()
        pool.run_interaction(lambda cursor: cursor.copy_expert("copy lines to stdout", out))
        assert out.getvalue() == "1\n2\n3\n"


@pytest.mark.parametrize("driver", POSTGRES_DRIVERS)
def test_executemany_is_one_transaction(driver: str, postgres_database: PostgresDatabase) -> None:
    with open_pool(driver, postgres_database) as pool:
        pool.run_operation("create table numbers (n int primary key)")

        def insert(cursor: Transaction, numbers: list[int]) -> int:
            cursor.executemany("insert into numbers values (%s)", ((n,) for n in numbers))
            return int(cursor.rowcount)

        pool.run_interaction(insert, list(range(100)))
        with pytest.raises(Exception, match="duplicate key"):
            pool.run_interaction(insert, [100, 101, 5])
        assert tuple(pool.run_query("select count(*) from numbers")[0]) == (100,)
