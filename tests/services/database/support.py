"""What several of these tests need: pools on the tests' own servers, and waiting for a condition."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect
from tests.servers.address import Database

__all__ = ["POSTGRES_DRIVERS", "SERVER_DRIVERS", "open_pool", "plain_args", "until"]

POSTGRES_DRIVERS = ("psycopg", "psycopg2", "pg8000")
SERVER_DRIVERS = (*POSTGRES_DRIVERS, "pymysql")

# PyMySQL and pg8000 load all certificates of the machine for each connection, which takes most of its time.
_WITHOUT_TLS: dict[str, dict[str, Any]] = {
    "pg8000": {"ssl_context": False},
    "pymysql": {"ssl_disabled": True},
}


def plain_args(driver: str, database: Database) -> dict[str, Any]:
    """The arguments of a driver's `connect` for a connection without TLS."""
    return {**database.connect_args(driver), **_WITHOUT_TLS.get(driver, {})}


def open_pool(driver: str, database: Database, address: str | None = None, **options: Any) -> ConnectionPool:
    """A pool of connections to a database; through the proxy at `address`, if one is given."""
    args = plain_args(driver, database)
    if address is not None:
        host, _, port = address.rpartition(":")
        args |= {"host": host, "port": int(port)}
    return ConnectionPool("pg8000.dbapi" if driver == "pg8000" else driver, **args, **options)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return once a condition holds. Fail if it does not within so many seconds."""
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, "waited in vain"
        if waited > 0.1:
            gc.collect()  # callers that are gone may have left garbage behind
        detect().sleep(0.005)
