"""Reading alone: the newest drops of a flow, drops by id, an aggregate by month, from 26,115 observations."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._store import open_store
from benchmarks._weather import as_row, drops, plain_table

TITLE = "store: reads of a flow of 26,115 drops"
UNIT = "calls/s"
PEER = "sqlite3, the newest 20"
AGGREGATE = {"output": ["$avg:temp", "$max:wind_speed", "$count"], "groupBy": ["$month"]}


def repeat(call: Callable[[], Any], seconds: float = 1.0) -> float:
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        call()
        calls += 1
    return calls / (time.perf_counter() - started)


CALLERS = 16


def at_once(call: Callable[[], Any]) -> float:
    """How often a second a call can be made by CALLERS green or OS threads together."""
    from flowthings_like.green.backends.choice import detect

    threads = [detect().spawn(repeat, call) for _ in range(CALLERS)]
    return float(sum(thread.get() for thread in threads))


def straight_from_sqlite(folder: Path) -> float:
    connection = plain_table(folder)
    rows = [as_row(number, model) for number, model in enumerate(drops())]
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO drops VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")
    query = "SELECT * FROM drops WHERE flow = 'f1' ORDER BY id DESC LIMIT 20"
    return repeat(lambda: connection.execute(query).fetchall())


def reading(
    what: str, *elements: str, measured: Callable[[Callable[[], Any]], float] = repeat
) -> Callable[[Path], float]:
    """How often a call can be made in a flow that indexes these elements."""

    def measure(folder: Path) -> float:
        from flowthings_like.platform.resources.aggregates.aggregate import aggregate
        from flowthings_like.platform.resources.base import verbs as resources
        from flowthings_like.platform.resources.drops import verbs as noun
        from flowthings_like.platform.resources.flows import FLOW
        from flowthings_like.platform.resources.query.query import Query

        models = drops()
        store, caller, flow = open_store(folder, tracks=False)
        with store:
            if elements:
                flow = "/acme/indexed"
                asked = {"path": flow, "capacity": 100_000, "index": list(elements)}
                resources.create(store, caller, FLOW, asked)
            made = []
            for first in range(0, len(models), 1000):
                made += noun.create_many(store, caller, flow, models[first : first + 1000])
            one, hundred = made[5000]["id"], [drop["id"] for drop in made[5000:5100]]
            hot = Query.from_values({"filter": "temp > 90", "limit": 10})
            hottest = Query.from_values({"sort": "temp", "limit": 1})
            calls: dict[str, Callable[[], Any]] = {
                "newest": lambda: noun.find(store, caller, flow),
                "one": lambda: noun.read(store, caller, flow, one),
                "hundred": lambda: noun.read_many(store, caller, flow, hundred),
                "filter": lambda: noun.find(store, caller, flow, hot),
                "sort": lambda: noun.find(store, caller, flow, hottest),
                "aggregate": lambda: aggregate(store, caller, flow, AGGREGATE),
            }
            return measured(calls[what])

    return measure


CONTENDERS = {
    PEER: straight_from_sqlite,
    "the newest 20": reading("newest"),
    "one by id": reading("one"),
    "a hundred by id": reading("hundred"),
    "ten by a filter": reading("filter"),
    "the hottest": reading("sort"),
    "months, average and maximum": reading("aggregate"),
    "ten by a filter, indexed": reading("filter", "temp"),
    "the hottest, indexed": reading("sort", "temp"),
    "months, indexed": reading("aggregate", "temp", "wind_speed"),
    "the newest 20, gevent": reading("newest"),
    "the newest 20, eventlet": reading("newest"),
    "the newest 20, 16 callers, threads": reading("newest", measured=at_once),
    "the newest 20, 16 callers, gevent": reading("newest", measured=at_once),
    "the newest 20, 16 callers, eventlet": reading("newest", measured=at_once),
}
TARGETS = [
    Target("the newest 20", PEER, at_least=0.2),
    Target("months, indexed", at_least=100),  # 10 ms
]
