"""A PostgreSQL server."""

from __future__ import annotations

import itertools
import signal
from typing import Any, NamedTuple

from .address import Database, new_password
from .programs import find_program
from .server import HOST, Server

__all__ = ["PostgresDatabase", "PostgresServer"]

PACKAGE = "postgresql"
FOLDERS = "/usr/lib/postgresql/*/bin"
# Nothing has to survive a crash of the machine, and nothing but the tests' own work should be running.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": 300,
    "shared_buffers": "16MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "authentication_timeout": "10s",  # a client that is gone in the middle of it holds up `drop database`
}


class Session(NamedTuple):
    """A connection as the server sees it."""

    pid: int
    state: str  # "active", "idle", "idle in transaction" or "idle in transaction (aborted)"
    statement: str  # the running or the last one


class PostgresDatabase(Database):
    """A database of a PostgreSQL server."""

    scheme = "postgresql"

    def query(self, sql: str, *parameters: object, timeout: float = 30.0) -> list[tuple[Any, ...]]:
        """Run one statement as an administrator, over a connection of its own; the rows, if it has any.

        Parameters are written %s, and a percent sign %%. pg8000 does it, because it is written in Python: it
        waits cooperatively on every backend.
        """
        import pg8000.dbapi

        connection = pg8000.dbapi.connect(**self.connect_args("pg8000"), timeout=timeout, ssl_context=False)
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql, parameters)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def sessions(self) -> list[Session]:
        """All connections to this database but the one that asks, the oldest first."""
        rows = self.query(
            "select pid, coalesce(state, ''), query from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend' order by backend_start"
        )
        return [Session(*row) for row in rows]

    def terminate_sessions(self) -> None:
        """End all connections to this database, as an administrator would."""
        self.query(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


class PostgresServer(PostgresDatabase, Server):
    """A PostgreSQL server. As a database, it is its first one, `postgres`."""

    stop_signal = signal.SIGINT  # ends all connections; SIGTERM would wait for the clients

    def __init__(self) -> None:
        Server.__init__(self)
        PostgresDatabase.__init__(self, HOST, self.port, "tester", new_password(), "postgres")
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        self.run(
            find_program("initdb", PACKAGE, FOLDERS),
            *("--pgdata=data", f"--username={self.user}", "--auth=scram-sha-256"),
            f"--pwfile={self.write_file('password', self.password)}",
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        )

    def command(self) -> list[str]:
        settings = {**SETTINGS, "port": self.port}
        program = find_program("postgres", PACKAGE, FOLDERS)
        return [program, "-D", "data", *(f"--{name}={value}" for name, value in settings.items())]

    def check(self) -> None:
        self.query("select 1")

    def new_database(self, template: str = "template1") -> PostgresDatabase:
        """Create an empty database, or a copy of another one that nobody is connected to."""
        name = f"test_{next(self._numbers)}"
        # Several times as fast as the default, which writes a log of every page.
        self.query(f"create database {name} template {template} strategy file_copy")
        return PostgresDatabase(self.host, self.port, self.user, self.password, name)

    def drop(self, database: PostgresDatabase) -> None:
        """Remove a database, and end all connections to it."""
        self.query(f"drop database if exists {database.database} with (force)")
