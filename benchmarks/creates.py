"""One `create` at a time, each committed before it is acknowledged, from 64 green threads."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks._weather import as_row, drops, plain_table

TITLE = "single creates, acknowledged = committed"
UNIT = "drops/s"
PEER = "sqlite3, a commit each"
DROPS = 10_000
CALLERS = 64


def straight_into_sqlite(folder: Path, count: int = DROPS) -> float:
    models = drops()[:count]
    connection = plain_table(folder)
    started = time.perf_counter()
    for number, model in enumerate(models):
        connection.execute("INSERT INTO drops VALUES (?, ?, ?, ?, ?)", as_row(number, model))
    return count / (time.perf_counter() - started)


def through_the_api(folder: Path) -> float:
    from flowthings_like import API
    from flowthings_like.green.backends import choice as backend

    models = drops()[:DROPS]
    with API.embedded(folder) as api:
        flow = api.flow.create({"path": "/acme/weather", "capacity": 100_000})

        def caller(first: int) -> None:
            for model in models[first::CALLERS]:
                api.drop(flow["id"]).create(model)

        library = backend.detect()
        started = time.perf_counter()
        callers = [library.spawn(caller, first) for first in range(CALLERS)]
        for thread in callers:
            library.get(thread)
        return DROPS / (time.perf_counter() - started)


CONTENDERS = {
    PEER: straight_into_sqlite,
    "API, 64 callers, gevent": through_the_api,
    "API, 64 callers, eventlet": through_the_api,
    "API, 64 callers, threads": through_the_api,
}
