"""Queries of one row each by 64 callers, on a PostgreSQL server on loopback, over 16 connections."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks import Target
from benchmarks._database import ADBAPI, OURS, PSYCOPG_POOL, QUERIES, on_postgres, postgres

TITLE = "queries of one row, 64 callers, PostgreSQL"
UNIT = "queries/s"
PEER = PSYCOPG_POOL
SERVER = postgres
TARGETS = [Target(OURS, PSYCOPG_POOL, at_least=0.8), Target(OURS, ADBAPI, at_least=3.0)]


def rate(contender: str, folder: Path) -> float:
    return QUERIES / on_postgres(contender).seconds


CONTENDERS = {
    name: partial(rate, name)
    for name in (
        PSYCOPG_POOL,
        ADBAPI,
        OURS,
        "ConnectionPool, psycopg, eventlet",
        "ConnectionPool, psycopg, threads",
        "ConnectionPool, pg8000, gevent",
    )
}
