"""A MariaDB server, which speaks MySQL's protocol."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from .address import Database, new_password
from .programs import find_program
from .server import HOST, Server

__all__ = ["MariadbDatabase", "MariadbServer"]

PACKAGE = "mariadb-server"
# Nothing has to survive a crash of the machine.
SETTINGS = {
    "bind-address": HOST,
    "character-set-server": "utf8mb4",
    "max-connections": 300,
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "4M",
    "innodb-flush-log-at-trx-commit": 0,
    "innodb-use-native-aio": 0,  # of which a container may have none
    "key-buffer-size": "1M",
    "aria-pagecache-buffer-size": "1M",
}
FLAGS = ("--no-defaults", "--skip-name-resolve", "--debug-no-sync")


class Session(NamedTuple):
    """A connection as the server sees it."""

    id: int
    command: str  # "Sleep", "Query", …
    statement: str  # the running one, or nothing


class MariadbDatabase(Database):
    """A database of a MariaDB server."""

    scheme = "mysql"

    def query(self, sql: str, *parameters: object, timeout: float = 30.0) -> list[tuple[Any, ...]]:
        """Run one statement as an administrator, over a connection of its own; the rows, if it has any.

        Parameters are written %s. With any, a percent sign is written %%. PyMySQL does it, because it is
        written in Python: it waits cooperatively on every backend.
        """
        import pymysql

        connection = pymysql.connect(
            **self.connect_args("pymysql"),
            autocommit=True,
            connect_timeout=timeout,
            read_timeout=timeout,
            write_timeout=timeout,
            ssl_disabled=True,
        )
        try:
            cursor = connection.cursor()
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def sessions(self) -> list[Session]:
        """All connections to this database but the one that asks, the oldest first."""
        rows = self.query(
            "select id, command, coalesce(info, '') from information_schema.processlist"
            " where db = database() and id <> connection_id() order by id"
        )
        return [Session(*row) for row in rows]

    def open_transactions(self) -> list[int]:
        """The ids of the connections to this database that have a transaction open."""
        # InnoDB gives an old answer as long as it is asked more often than every 0.1 s.
        time.sleep(0.15)
        rows = self.query(
            "select id from information_schema.innodb_trx"
            " join information_schema.processlist on id = trx_mysql_thread_id"
            " where db = database() and id <> connection_id() order by id"
        )
        return [id for (id,) in rows]

    def terminate_sessions(self) -> None:
        """End all connections to this database, as an administrator would."""
        import pymysql

        deadline = time.monotonic() + 30
        while sessions := self.sessions():
            assert time.monotonic() < deadline, f"these sessions do not end: {sessions}"
            for session in sessions:
                with suppress(pymysql.OperationalError):  # it has just ended
                    self.query(f"kill {session.id}")


class MariadbServer(MariadbDatabase, Server):
    """A MariaDB server. As a database, it is its first one, `main`."""

    def __init__(self) -> None:
        Server.__init__(self)
        MariadbDatabase.__init__(self, HOST, self.port, "tester", new_password(), "main")
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        self.run(find_program("mariadb-install-db", PACKAGE), *self._options(), "--skip-test-db")
        # Run at every start.
        self.write_file(
            "init.sql",
            f"create database if not exists {self.database};\n"
            f"create user if not exists {self.user} identified by '{self.password}';\n"
            f"grant all on *.* to {self.user} with grant option;\n",
        )

    def command(self) -> list[str]:
        files = [f"--{name}={self.folder / name}" for name in ("socket", "pid-file")]
        files.append(f"--init-file={self.folder / 'init.sql'}")
        return [find_program("mariadbd", PACKAGE), *self._options(), *files, f"--port={self.port}"]

    def check(self) -> None:
        self.query("select 1")

    def new_database(self) -> MariadbDatabase:
        """Create an empty database."""
        name = f"test_{next(self._numbers)}"
        self.query(f"create database {name}")
        return MariadbDatabase(self.host, self.port, self.user, self.password, name)

    def drop(self, database: MariadbDatabase) -> None:
        """Remove a database, and end all connections to it: an open transaction would block that."""
        database.terminate_sessions()
        self.query(f"drop database {database.database}")

    @contextmanager
    def wait_timeout(self, seconds: int) -> Iterator[None]:
        """Let the server end connections made in the `with` block once they are idle for this long."""
        [(before,)] = self.query("select @@global.wait_timeout")
        self.query(f"set global wait_timeout = {seconds:d}")
        try:
            yield
        finally:
            self.query(f"set global wait_timeout = {before:d}")

    def _options(self) -> list[str]:
        settings = {"datadir": self.folder / "data", **SETTINGS}
        return [*FLAGS, *(f"--{name}={value}" for name, value in settings.items())]
