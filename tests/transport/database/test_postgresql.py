"""Statements that are cancelled at the server, and connections that are interrupted while they are made."""

from __future__ import annotations

import gc
import socket
import threading
from typing import Any

import pg8000.core
import pg8000.dbapi
import pytest

from flowthings_like.testing import FaultProxy
from flowthings_like.transport.database.drivers.find import find_driver
from tests.servers.postgres import PostgresDatabase

PLAIN = {"sslmode": "disable", "gssencmode": "disable"}
DRIVERS = {"psycopg": PLAIN, "psycopg2": PLAIN, "pg8000.dbapi": {"ssl_context": False}}


@pytest.mark.needs("threads", "the statement is in another OS thread")
@pytest.mark.parametrize("name", DRIVERS)
def test_a_statement_is_cancelled_while_other_threads_go_on(
    name: str, postgres_database: PostgresDatabase
) -> None:
    """One of these threads is the proxy, by which the request gets to the server."""
    driver = find_driver(name)
    raised = []
    with FaultProxy(f"{postgres_database.host}:{postgres_database.port}") as proxy:
        args: dict[str, Any] = postgres_database.connect_args(name.partition(".")[0])
        args |= {"port": int(proxy.address.rpartition(":")[2]), **DRIVERS[name]}
        connection = driver.connect((), args)

        def wait() -> None:
            try:
                connection.cursor().execute("select pg_sleep(60)")
            except driver.error as error:
                raised.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while not any(session.state == "active" for session in postgres_database.sessions()):
            assert thread.is_alive()
        cancel = driver.canceller(connection)
        assert cancel is not None
        cancel()
        thread.join(30)
        assert "cancel" in str(raised[0])
        connection.close()
        assert driver.canceller(connection) is None


def test_an_interrupted_connect_of_pg8000_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not when the garbage collector comes: PostgreSQL would wait a minute for the rest."""

    class Interruption(BaseException):
        pass

    def interrupt(file: Any) -> None:
        file.flush()
        raise Interruption

    driver = find_driver("pg8000.dbapi")
    monkeypatch.setattr(pg8000.core, "_flush", interrupt)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        args = {"host": "127.0.0.1", "port": server.getsockname()[1], "ssl_context": False}
        gc.disable()
        try:
            with pytest.raises(Interruption):
                driver.connect(("user",), args)
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(30)
                while accepted.recv(4096):  # what it has sent before
                    pass
        finally:
            gc.enable()
