from __future__ import annotations

from typing import Any

import psycopg
import psycopg2
import pytest

from .postgres import PostgresDatabase, PostgresServer


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_the_server_tells_what_a_driver_does(driver: Any, postgres_database: PostgresDatabase) -> None:
    connection = driver.connect(**postgres_database.connect_args(driver.__name__))
    try:
        connection.cursor().execute("create table shops (name text)")
        [session] = postgres_database.sessions()
        assert session.state == "idle in transaction"
        assert session.statement == "create table shops (name text)"
    finally:
        connection.close()


def test_the_password_is_quoted_in_the_url_and_checked_by_the_server(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.info.password == postgres.password
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(**{**postgres.connect_args("psycopg"), "password": "wrong"})
    assert postgres.password not in repr(postgres)


def test_each_database_is_empty_and_dropped_although_someone_is_connected(postgres: PostgresServer) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    first.query("create table shops (name text)")
    second.query("create table shops (name text)")
    connection = psycopg.connect(first.url)
    postgres.drop(first)
    postgres.drop(second)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    connection.close()
    names = [name for (name,) in postgres.query("select datname from pg_database")]
    assert first.database not in names
    assert second.database not in names


def test_terminated_sessions_are_gone(postgres_database: PostgresDatabase) -> None:
    connection = psycopg.connect(postgres_database.url)
    postgres_database.terminate_sessions()
    assert postgres_database.sessions() == []
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 1")
    connection.close()


def test_a_restart_ends_connections_and_keeps_port_and_data() -> None:
    with PostgresServer() as server:
        server.query("create table shops (name text)")
        server.query("insert into shops values (%s)", "bakery")
        connection = psycopg.connect(server.url)
        before = server.pid
        server.restart()
        assert server.pid != before
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        connection.close()
        assert server.query("select name from shops") == [("bakery",)]
