from __future__ import annotations

import psycopg
import pytest

from .pgbouncer import Pgbouncer
from .postgres import PostgresDatabase, PostgresServer


def test_it_leads_to_any_database_of_its_server(
    pgbouncer: Pgbouncer, postgres_database: PostgresDatabase
) -> None:
    database = pgbouncer.through(postgres_database)
    assert database.port == pgbouncer.port != postgres_database.port
    assert database.query("select current_database()") == [(postgres_database.database,)]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(**{**database.connect_args("psycopg"), "password": "wrong"})


def test_in_transaction_mode_clients_take_turns_on_a_connection(postgres: PostgresServer) -> None:
    with Pgbouncer(postgres, pool_size=1) as pgbouncer:
        one, another = psycopg.connect(pgbouncer.url), psycopg.connect(pgbouncer.url)
        with one, another:
            pids = set()
            for connection in (one, another, one):
                pids.add(connection.execute("select pg_backend_pid()").fetchall()[0])
                connection.commit()
    assert len(pids) == 1


def test_in_session_mode_a_client_keeps_its_connection(postgres: PostgresServer) -> None:
    with Pgbouncer(postgres, pool_mode="session", pool_size=1, query_wait_timeout=1) as pgbouncer:
        one, another = psycopg.connect(pgbouncer.url), psycopg.connect(pgbouncer.url)
        with one, another:
            one.execute("select 1")
            one.commit()
            with pytest.raises(psycopg.OperationalError, match="query_wait_timeout"):
                another.execute("select 1")
