"""PgBouncer in front of a PostgreSQL server."""

from __future__ import annotations

import signal

from .postgres import PostgresDatabase, PostgresServer
from .programs import find_program
from .server import HOST, Server

__all__ = ["Pgbouncer"]


class Pgbouncer(PostgresDatabase, Server):
    """A PgBouncer that leads to every database of a PostgreSQL server, with that server's user and password.

    As a database, it is the server's first one, `postgres`.

    Args:
        postgres: the running server behind it.
        pool_mode: when a connection to the server is given to the next client: "transaction", "session" or
            "statement".
        pool_size: how many connections to the server there are at most, for each database.
        settings: further ones of pgbouncer.ini, such as `query_wait_timeout=1`.
    """

    stop_signal = signal.SIGQUIT  # since 1.23, SIGTERM waits for the clients

    def __init__(
        self,
        postgres: PostgresServer,
        pool_mode: str = "transaction",
        pool_size: int = 5,
        **settings: object,
    ) -> None:
        Server.__init__(self)
        PostgresDatabase.__init__(self, HOST, self.port, postgres.user, postgres.password, postgres.database)
        self._server_port = postgres.port
        self._settings = {"pool_mode": pool_mode, "default_pool_size": pool_size, **settings}

    def through(self, database: PostgresDatabase) -> PostgresDatabase:
        """The address that leads to a database of the server through PgBouncer."""
        return PostgresDatabase(self.host, self.port, self.user, self.password, database.database)

    def prepare(self) -> None:
        self.write_file("users.txt", f'"{self.user}" "{self.password}"\n')
        settings = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": "users.txt",
            "max_client_conn": 300,
            **self._settings,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        lines = ["[databases]", f"* = host={self.host} port={self._server_port}", "[pgbouncer]", *lines]
        self.write_file("pgbouncer.ini", "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return [find_program("pgbouncer", package="pgbouncer"), "pgbouncer.ini"]

    def check(self) -> None:
        self.query("select 1")
