"""One server of each kind per test process, started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .mariadb import MariadbDatabase, MariadbServer
from .mosquitto import Mosquitto
from .pgbouncer import Pgbouncer
from .platform_store import _platforms_on_postgres, platform_databases, store_databases
from .postgres import PostgresDatabase, PostgresServer
from .rabbitmq import RabbitMQ
from .redis import Redis

__all__ = [
    "_platforms_on_postgres",
    "mariadb",
    "mariadb_database",
    "mosquitto",
    "pgbouncer",
    "platform_databases",
    "postgres",
    "postgres_database",
    "rabbitmq",
    "redis_server",
    "server_database",
    "store_databases",
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, shared by all tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """An empty PostgreSQL database for one test."""
    database = postgres.new_database()
    yield database
    postgres.drop(database)


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer) -> Iterator[Pgbouncer]:
    """A PgBouncer in transaction mode in front of `postgres`, shared by all tests of this process."""
    with Pgbouncer(postgres) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A MariaDB server, shared by all tests of this process."""
    with MariadbServer() as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb: MariadbServer) -> Iterator[MariadbDatabase]:
    """An empty MariaDB database for one test."""
    database = mariadb.new_database()
    yield database
    mariadb.drop(database)


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    """A Mosquitto that lets everybody in, shared by all tests of this process."""
    with Mosquitto() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis, shared by all tests of this process. `url(n)` is that of one of its databases."""
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ, shared by all tests of this process."""
    with RabbitMQ() as server:
        yield server


@pytest.fixture
def server_database(driver: str, request: pytest.FixtureRequest) -> Any:
    """An empty database for one test, on the server that the test's parameter `driver` speaks to."""
    return request.getfixturevalue("mariadb_database" if driver == "pymysql" else "postgres_database")
