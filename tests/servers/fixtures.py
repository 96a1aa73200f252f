"""One server of each kind per test process, started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgres import PostgresDatabase, PostgresServer

__all__ = ["postgres", "postgres_database"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, shared by all tests of this process."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """An empty PostgreSQL database for one test."""
    database = postgres.new_database()
    try:
        yield database
    finally:
        postgres.drop(database)
