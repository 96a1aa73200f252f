"""Fixtures of the databases' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .targets import DRIVERS, DuckDB, Mariadb, Postgres, SQLite, Target

__all__ = ["target"]


def make_target(driver: str, request: pytest.FixtureRequest, folder: Path) -> Target:
    """A driver with an empty database. The server is started if the driver needs one."""
    if driver == "sqlite3":
        return SQLite(driver, folder / "test.db")
    if driver == "duckdb":
        pytest.importorskip("duckdb")
        return DuckDB(driver, folder / "test.db")
    if driver == "pymysql":
        return Mariadb(driver, request.getfixturevalue("mariadb_database"))
    return Postgres(driver, request.getfixturevalue("postgres_database"))


@pytest.fixture(params=DRIVERS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Each driver, one after the other."""
    return make_target(request.param, request, tmp_path)
