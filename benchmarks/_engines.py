"""The two kinds of database that a platform's store can be in, and the drops that are put into one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["BULK", "CALLS", "DROPS", "ENGINES", "KEYS", "analyze", "models", "new_database", "postgresql"]

DROPS = 20_000
BULK = 1000
KEYS = 500
CALLS = ("read", "find", "indexed find", "mget 500", "create", "bulk create")
ENGINES = ("sqlite", "postgresql")


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; its URL."""
    from tests.servers.postgres import PostgresServer

    with PostgresServer() as server:
        yield server.url


def new_database() -> str:
    """A new database on the server; its URL."""
    import psycopg

    server = os.environ["BENCHMARK_SERVER"]
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server.rpartition('/')[0]}/{name}"


def analyze() -> None:
    """Let the planner know all databases of the server, which a server does by itself after a while."""
    import psycopg

    server = os.environ["BENCHMARK_SERVER"]
    with psycopg.connect(server, autocommit=True) as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'bench\\_%'"
        ).fetchall()
    for (name,) in names:
        with psycopg.connect(f"{server.rpartition('/')[0]}/{name}", autocommit=True) as connection:
            connection.execute("ANALYZE")


def models(first: int, count: int) -> list[dict[str, Any]]:
    """So many drops, numbered from `first` on."""
    return [{"elems": {"n": number, "name": f"drop {number}"}} for number in range(first, first + count)]
