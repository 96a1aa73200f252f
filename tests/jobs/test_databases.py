"""Loads from and into real databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowthings_like import InvalidInput, jobs
from flowthings_like.database import ConnectionPool

from .sinks import BATCH, TABLE, TYPES, refused, write_rows


@pytest.mark.parametrize("driver", ["psycopg", pytest.param("pymysql", marks=pytest.mark.once)])
def test_a_table_of_a_server(driver: str, server_database: Any, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.csv", 100)
    with (tmp_path / "in.csv").open("a") as file:
        file.write("99999999999,JFK,1,2\n")  # does not fit the column
    pool = ConnectionPool(driver, **server_database.connect_args(driver))
    try:
        pool.run_operation(TABLE)
        sink = jobs.SQLSink(pool, "weather")
        for _ in range(2):
            report = jobs.load(
                tmp_path / "in.csv",
                sink,
                types=TYPES,
                batch=BATCH,
                checkpoint=tmp_path / "checkpoint",
                rejects=tmp_path / "rejects",
            )
            assert (report.rows, report.stored, report.refused) == (101, 100, 1)
        assert refused(tmp_path / "rejects") == [101]
        assert sorted(n for (n,) in pool.run_query("select n from weather")) == list(range(1, 101))
        assert pool.run_query("select * from flowthings_loads") == []
        query = jobs.QuerySource(pool, "select n, value from weather where n > %s order by n", (90,))
        pool.run_operation("create table copy (n bigint, value double precision)")
        assert jobs.load(query, jobs.SQLSink(pool, "copy"), batch=3).stored == 10
        with pytest.raises(InvalidInput, match="the table nowhere cannot be used"):
            jobs.load(query, jobs.SQLSink(pool, "nowhere"))
    finally:
        pool.close()
