"""Loading in bulk: 26,115 observations with hashes and three tracks, through the public API."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._weather import as_row, drops, plain_table

TITLE = "bulk load, 1,000 drops a call"
UNIT = "drops/s"
PEER = "sqlite3, executemany by 1,000"
BATCH = 1000


def straight_into_sqlite(folder: Path) -> float:
    models = drops()
    connection = plain_table(folder)
    started = time.perf_counter()
    for first in range(0, len(models), BATCH):
        rows = [as_row(first + n, model) for n, model in enumerate(models[first : first + BATCH])]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO drops VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return len(models) / (time.perf_counter() - started)


def through_the_api(tracks: bool) -> Callable[[Path], float]:
    def load(folder: Path) -> float:
        from flowthings_like import API, EXISTS, NOT, mem

        models = drops()
        rules = [mem.elems.wind_speed >= 32, (mem.elems.temp <= 32) & (mem.elems.precip > 0)]
        rules.append(NOT(EXISTS(mem.elems.wind_speed)))
        with API.embedded(folder) as api:
            flow = api.flow.create({"path": "/acme/weather", "capacity": 100_000})
            for number, rule in enumerate(rules if tracks else ()):
                alert = api.flow.create({"path": f"/acme/alert-{number}", "capacity": 100_000})
                api.track.create({"source": flow["path"], "destination": alert["path"], "filter": str(rule)})
            started = time.perf_counter()
            for first in range(0, len(models), BATCH):
                api.drop(flow).create_many(models[first : first + BATCH])
            return len(models) / (time.perf_counter() - started)

    return load


CONTENDERS = {
    PEER: straight_into_sqlite,
    "API, threads": through_the_api(tracks=True),
    "API, gevent": through_the_api(tracks=True),
    "API, eventlet": through_the_api(tracks=True),
    "API without tracks, gevent": through_the_api(tracks=False),
}
