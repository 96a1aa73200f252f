"""Puts of one record, each on disk before its reply: of one client, and of many that share commits."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._record_store import connect, embedded, receive

TITLE = "records: puts of 1 record, durable"
UNIT = "puts/s"
PEER = "DuckDB, a commit each"
SERVER = embedded
SECONDS = 3.0


def a_commit_each(folder: Path) -> float:
    import duckdb

    with duckdb.connect(str(folder / "alone.duckdb")) as connection:
        connection.execute(
            "create table records "
            "(cid integer, mid bigint, moid integer, cap bigint, acq bigint, value ubigint)"
        )
        count, end = 0, time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            connection.execute("insert into records values (1, $1, 7, 3, 4, 5)", [count])
            count += 1
    return count / SECONDS


def clients(number: int) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like.green.backends import choice as backend

        here = backend.detect()
        counts = []
        end = time.perf_counter() + SECONDS

        def put_one_after_the_other(cid: int) -> None:
            count = 0
            with connect() as sock:
                while time.perf_counter() < end:
                    record = struct.pack("<iqiqq", 28, count, 7, count, 5)
                    sock.sendall(struct.pack("<iQii", 5, 0, cid, 32) + record + b"\xff\xff\xff\xff")
                    receive(sock, 28)
                    count += 1
            counts.append(count)

        for thread in [here.spawn(put_one_after_the_other, cid) for cid in range(number)]:
            here.get(thread)
        return sum(counts) / SECONDS

    return measure


CONTENDERS = {
    PEER: a_commit_each,
    "1 client, gevent": clients(1),
    "64 clients, gevent": clients(64),
    "256 clients, gevent": clients(256),
}
TARGETS = [Target("64 clients, gevent", PEER, at_least=5)]
