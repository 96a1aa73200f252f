"""A million records with one put, until they are on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._record_store import MILLION, connect, embedded, put, rows

TITLE = "records: a put of 1,000,000, durable"
UNIT = "records/s"
PEER = "DuckDB alone, 8 bytes"
SERVER = embedded


def duckdb_alone(folder: Path) -> float:
    """The same columns, inserted in this process."""
    import duckdb
    import numpy as np

    with duckdb.connect(str(folder / "alone.duckdb")) as connection:
        connection.execute(
            "create table records "
            "(cid integer, mid bigint, moid integer, cap bigint, acq bigint, value ubigint)"
        )
        taken = []
        for number in range(5):
            given = rows(number)
            columns = {name: np.ascontiguousarray(given[name]) for name in ("mid", "moid", "cap")}
            columns["value"] = np.ascontiguousarray(given["payload"]).view("<u8")
            started = time.perf_counter()
            columns["cid"] = np.full(MILLION, 1, np.int32)
            columns["acq"] = np.full(MILLION, number, np.int64)
            connection.register("incoming", columns)
            connection.execute("insert into records select cid, mid, moid, cap, acq, value from incoming")
            taken.append(time.perf_counter() - started)
    return MILLION / sorted(taken)[2]


def through_the_store(payload_size: int) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        taken = []
        with connect() as sock:
            for number in range(5):
                given = rows(number, payload_size)
                started = time.perf_counter()
                put(sock, given)
                taken.append(time.perf_counter() - started)
        return MILLION / sorted(taken)[2]

    return measure


CONTENDERS = {
    PEER: duckdb_alone,
    "the store, 8 bytes": through_the_store(8),
    "the store, 24 bytes": through_the_store(24),
    "the store, 100 bytes": through_the_store(100),
}
TARGETS = [
    Target("the store, 8 bytes", at_least=3_000_000),
    Target("the store, 8 bytes", PEER, at_least=0.5),
]
