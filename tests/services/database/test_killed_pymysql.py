"""A green thread that is killed while PyMySQL sends a statement.

PyMySQL takes its connection for open, with half a statement sent. Whoever gets it next writes the rest.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pymysql
import pytest

from flowthings_like.green.backends.choice import detect
from tests.servers.mariadb import MariadbDatabase

from .support import open_pool, plain_args, until

LARGE = 12_000_000  # bytes, more than the socket takes at once
pytestmark = pytest.mark.needs("green", "a thread cannot be killed")


class TimeUp(Exception):
    """As of a web framework that ends a request. Being an Exception, it looks like an error of the call."""


def time_limit(seconds: float) -> Any:
    module = __import__(detect().name)
    return module.Timeout(seconds, TimeUp())


def prepare(database: MariadbDatabase) -> None:
    database.query("create table moved (amount int)")
    database.query("create table texts (text longtext)")


def half_done(execute: Any) -> None:
    """A transfer that is interrupted in its second statement."""
    execute("insert into moved values (-10)")
    with time_limit(0):
        execute("insert into texts values (%s)", ("x" * LARGE,))


def interrupted_connection(database: MariadbDatabase) -> Any:
    """A connection that was interrupted while it sent. The driver closes one that waits for the answer."""
    for _ in range(20):
        connection = pymysql.connect(**plain_args("pymysql", database))
        with pytest.raises(TimeUp):
            half_done(connection.cursor().execute)
        if connection.open:
            return connection
    raise AssertionError("all was sent each time")


def only_gevent() -> None:
    if detect().name != "gevent":
        pytest.skip("eventlet's time-out comes only when all was sent")


def test_the_driver_goes_on_with_a_half_sent_statement(mariadb_database: MariadbDatabase) -> None:
    """The control: without the pool, the transaction stays open and its connection never answers again."""
    only_gevent()
    prepare(mariadb_database)
    connection = interrupted_connection(mariadb_database)
    try:
        assert mariadb_database.open_transactions() == [connection.thread_id()]
        with pytest.raises(TimeUp), time_limit(0.5):
            connection.rollback()
    finally:
        connection._force_close()


def test_the_pool_closes_it_and_the_server_rolls_back(mariadb_database: MariadbDatabase) -> None:
    prepare(mariadb_database)
    with open_pool("pymysql", mariadb_database, cp_min=1, cp_max=1) as pool:
        for _ in range(5):
            with suppress(TimeUp):
                pool.run_interaction(lambda cursor: half_done(cursor.execute))
            assert pool.run_query("select count(*) from texts") == [(0,)]
        until(lambda: mariadb_database.open_transactions() == [])
        until(lambda: len(mariadb_database.sessions()) == 1)
        assert mariadb_database.query("select count(*) from moved") == [(0,)]
        stats = pool.stats()
        assert (stats.open, stats.discarded, stats.holders) == (1, 5, ())


def test_the_queue_pool_of_sqlalchemy_hands_it_on(mariadb_database: MariadbDatabase) -> None:
    """The control: giving it back waits for an answer to the rollback, and the room in the pool is lost."""
    only_gevent()
    sqlalchemy = pytest.importorskip("sqlalchemy")
    prepare(mariadb_database)
    args = plain_args("pymysql", mariadb_database)
    engine = sqlalchemy.create_engine(
        "mysql+pymysql://", creator=lambda: pymysql.connect(**args), pool_size=1, max_overflow=0
    )

    transfers = 0

    def transfer() -> None:
        nonlocal transfers
        while True:  # until one is interrupted while it sends
            transfers += 1
            connection = engine.raw_connection()
            try:
                with suppress(TimeUp):
                    half_done(connection.cursor().execute)
            finally:
                connection.close()

    def hangs() -> bool:
        before = transfers
        detect().sleep(1.0)
        return transfers == before and len(mariadb_database.open_transactions()) == 1

    thread = detect().spawn(transfer)
    until(hangs)
    with suppress(Exception):
        detect().kill(thread)
    mariadb_database.terminate_sessions()
