"""The client's CPU for a query of one row, 64 callers, on a PostgreSQL server on loopback."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks._database import PSYCOPG_POOL, QUERIES, on_postgres, postgres
from benchmarks.database_queries import CONTENDERS as QUERYING

TITLE = "client CPU of a query of one row, 64 callers, PostgreSQL"
UNIT = "us a query"
PEER = PSYCOPG_POOL
SERVER = postgres


def cpu(contender: str, folder: Path) -> float:
    return on_postgres(contender).cpu / QUERIES * 1e6


CONTENDERS = {name: partial(cpu, name) for name in QUERYING}
