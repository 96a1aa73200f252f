from __future__ import annotations

import time

import pymysql
import pytest

from .mariadb import MariadbDatabase, MariadbServer, Session


def test_the_server_tells_what_a_driver_does(mariadb_database: MariadbDatabase) -> None:
    mariadb_database.query("create table shops (name text)")
    with pymysql.connect(**mariadb_database.connect_args("pymysql")) as connection:
        assert mariadb_database.sessions() == [Session(connection.thread_id(), "Sleep", "")]
        connection.cursor().execute("insert into shops values ('bakery')")
        assert mariadb_database.open_transactions() == [connection.thread_id()]
        connection.commit()
        assert mariadb_database.open_transactions() == []
    assert mariadb_database.query("select * from shops where name = %s", "bakery") == [("bakery",)]


def test_the_password_is_quoted_in_the_url_and_checked_by_the_server(mariadb: MariadbServer) -> None:
    assert mariadb.password not in mariadb.url
    assert mariadb.password not in repr(mariadb)
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(**{**mariadb.connect_args("pymysql"), "password": "wrong"})


def test_a_database_is_dropped_although_a_transaction_is_open(mariadb: MariadbServer) -> None:
    database = mariadb.new_database()
    database.query("create table shops (name text)")
    with pymysql.connect(**database.connect_args("pymysql")) as connection:
        connection.cursor().execute("insert into shops values ('bakery')")
        mariadb.drop(database)
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("select 1")
    assert (database.database,) not in mariadb.query("show databases")


def test_idle_connections_are_ended_as_asked(
    mariadb: MariadbServer, mariadb_database: MariadbDatabase
) -> None:
    before = mariadb.query("select @@global.wait_timeout")
    with mariadb.wait_timeout(1), pymysql.connect(**mariadb_database.connect_args("pymysql")):
        deadline = time.monotonic() + 30
        while mariadb_database.sessions():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert mariadb.query("select @@global.wait_timeout") == before


def test_a_restart_ends_connections_and_keeps_port_and_data() -> None:
    with MariadbServer() as server:
        server.query("create table shops (name text)")
        server.query("insert into shops values (%s)", "bakery")
        with pymysql.connect(**server.connect_args("pymysql")) as connection:
            server.restart()
            with pytest.raises(pymysql.OperationalError):
                connection.cursor().execute("select 1")
        assert server.query("select name from shops") == [("bakery",)]
