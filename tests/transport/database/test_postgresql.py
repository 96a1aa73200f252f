"""Statements that are cancelled at the server."""

from __future__ import annotations

import threading
from typing import Any

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
