"""Pools on the tests' own servers, and what their statements are called there."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect
from tests.servers.address import Database

__all__ = ["POSTGRES_DRIVERS", "SERVER_DRIVERS", "open_pool", "until"]

POSTGRES_DRIVERS = ("psycopg", "psycopg2", "pg8000")
SERVER_DRIVERS = (*POSTGRES_DRIVERS, "pymysql")


def open_pool(driver: str, database: Database, address: str | None = None, **options: Any) -> ConnectionPool:
    """A pool of connections to a database; through the proxy at `address`, if one is given."""
    args = database.connect_args(driver)
    if address is not None:
        host, _, port = address.rpartition(":")
        args |= {"host": host, "port": int(port)}
    if driver == "pg8000":
        args["ssl_context"] = False
    return ConnectionPool("pg8000.dbapi" if driver == "pg8000" else driver, **args, **options)


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return once a condition holds. Fail if it does not within so many seconds."""
    begun = time.monotonic()
    while not condition():
        waited = time.monotonic() - begun
        assert waited < seconds, "waited in vain"
        if waited > 1:
            gc.collect()
        detect().sleep(0.005)
