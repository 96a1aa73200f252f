"""Each driver with a database of its own, and what that database shows from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flowthings_like.database import ConnectionPool
from tests.servers.mariadb import MariadbDatabase
from tests.servers.postgres import PostgresDatabase

from .support import plain_args

__all__ = ["DRIVERS", "DuckDB", "Mariadb", "Postgres", "SQLite", "Target"]

DRIVERS = ("sqlite3", "duckdb", "psycopg", "psycopg2", "pg8000", "pymysql")


class Target:
    """A driver and a database for it.

    Attributes:
        driver: the driver's name.
        connect_args: for its `connect`.
        mark: how it writes a parameter.
        forever: a statement that runs for a minute, and returns a row.
    """

    mark = "%s"
    forever = ""

    def __init__(self, driver: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> None:
        self.driver = driver
        self.args = args
        self.kwargs = kwargs or {}

    @contextmanager
    def pool(self, **options: Any) -> Iterator[ConnectionPool]:
        """A pool, with a table `numbers (n, part)`."""
        options = {"cp_min": options.get("cp_max", 1), **options}
        pool = ConnectionPool(self.driver, *self.args, **self.kwargs, **options)
        try:
            pool.run_operation("drop table if exists numbers")
            pool.run_operation("create table numbers (n integer, part varchar(10))")
            yield pool
        finally:
            pool.close()

    def insert(self, cursor: Any, number: int, part: str) -> None:
        cursor.execute(f"insert into numbers values ({self.mark}, {self.mark})", (number, part))

    def rest(self, seconds: float) -> str:
        """A statement that takes about so many seconds, and returns a row."""
        raise NotImplementedError

    def sessions(self) -> int:
        """How many connections the server has, or how many files of the database are open."""
        raise NotImplementedError

    def busy(self) -> int:
        """How many connections have a statement or a transaction under way."""
        raise NotImplementedError

    def check_free(self) -> None:
        """Raise if something holds a lock on the table."""
        raise NotImplementedError

    def is_free(self) -> bool:
        """Whether nothing holds a lock on the table."""
        try:
            self.check_free()
        except Exception:
            return False
        return True

    def end_sessions(self) -> None:
        """Have the server close all connections."""
        raise NotImplementedError


class File(Target):
    """A database in a file of this process."""

    mark = "?"

    def __init__(self, driver: str, path: Path) -> None:
        super().__init__(driver, (str(path),))
        self.path = path

    def sessions(self) -> int:
        found = 0
        for each in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                found += each.readlink() == self.path
        return found

    def busy(self) -> int:
        return 0


class SQLite(File):
    forever = (
        "with recursive c(n) as (select 1 union all select n + 1 from c where n < 3000000000) "
        "select count(*) from c"
    )

    def rest(self, seconds: float) -> str:
        return self.forever.replace("3000000000", str(int(seconds * 20_000_000)))

    def check_free(self) -> None:
        connection = sqlite3.connect(self.path, timeout=0)
        try:
            connection.execute("begin exclusive")
        finally:
            connection.close()


class DuckDB(File):
    forever = "select count(*) from range(300000) a, range(300000) b where (a.range * b.range) % 7 = 3"

    def rest(self, seconds: float) -> str:
        return (
            f"select count(*) from range({int(seconds * 10_000)}) a, range(10000) b "
            "where (a.range * b.range) % 7 = 3"
        )

    def check_free(self) -> None:
        """It has no locks."""


class Postgres(Target):
    forever = "select 1 from pg_sleep(60)"

    def __init__(self, driver: str, database: PostgresDatabase) -> None:
        super().__init__(driver, (), plain_args(driver, database))
        if driver == "pg8000":
            self.driver = "pg8000.dbapi"
        self.database = database

    def rest(self, seconds: float) -> str:
        return f"select 1 from pg_sleep({seconds})"

    def sessions(self) -> int:
        return len(self.database.sessions())

    def busy(self) -> int:
        return sum(session.state != "idle" for session in self.database.sessions())

    def check_free(self) -> None:
        self.database.query("do $$ begin lock table numbers in access exclusive mode nowait; end $$")

    def end_sessions(self) -> None:
        self.database.terminate_sessions()


class Mariadb(Target):
    forever = "select sleep(60)"

    def __init__(self, driver: str, database: MariadbDatabase) -> None:
        super().__init__(driver, (), plain_args(driver, database))
        self.database = database

    def rest(self, seconds: float) -> str:
        return f"select sleep({seconds})"

    def sessions(self) -> int:
        return len(self.database.sessions())

    def busy(self) -> int:
        running = sum(session.command != "Sleep" for session in self.database.sessions())
        return running + len(self.database.open_transactions())

    def check_free(self) -> None:
        self.database.query("lock table numbers write wait 1")

    def end_sessions(self) -> None:
        self.database.terminate_sessions()
