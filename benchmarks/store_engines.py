"""The store on SQLite and on PostgreSQL, each beside the same statements straight from its driver.

A flow has 20,000 drops with an indexed element. A store's call checks rights and makes documents, too.
SQLite waits for the disk at each commit. The PostgreSQL is the tests', which does not: its figures for
creates are those of a server whose disk takes no time.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import Target
from benchmarks._engines import BULK, CALLS, DROPS, ENGINES, KEYS, analyze, models, new_database, postgresql

TITLE = "store: SQLite and PostgreSQL, and what their drivers take alone"
UNIT = "calls/s"
SERVER = postgresql
SECONDS = 1.5
COLUMNS = "id, flow_id, created, creator, edited, fhash, elems, types, location, parent"


class Filled(NamedTuple):
    """A store that has the drops, and the ids of them."""

    store: Any
    caller: Any
    flow: str
    ids: list[str]
    url: str


def filled(engine: str, folder: Path) -> Filled:
    from benchmarks._store import open_store
    from flowthings_like.platform.resources.base import verbs as resources
    from flowthings_like.platform.resources.drops import verbs as noun
    from flowthings_like.platform.resources.flows import FLOW

    url = f"sqlite:///{folder / 'platform.db'}" if engine == "sqlite" else new_database()
    store, caller, _ = open_store(url, tracks=False)  # type: ignore[arg-type]
    flow = resources.create(
        store, caller, FLOW, {"path": "/acme/many", "capacity": 10_000_000, "index": ["n"]}
    )
    ids = []
    for first in range(0, DROPS, BULK):
        made = noun.create_many(store, caller, flow["id"], models(first, BULK))
        ids += [drop["id"] for drop in made]
    if engine == "postgresql":
        analyze()
    return Filled(store, caller, flow["id"], ids, url)


def repeat(call: Callable[[], Any]) -> float:
    """How often a second the call can be made, by one caller."""
    call()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        call()
        calls += 1
    return calls / (time.perf_counter() - started)


def through_the_store(engine: str, what: str) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like.platform.resources.drops import verbs as noun
        from flowthings_like.platform.resources.query.query import Query

        store, caller, flow, ids, _ = filled(engine, folder)
        high = Query.from_values({"filter": f"n > {DROPS - 50}", "limit": 20})
        calls: dict[str, Callable[[], Any]] = {
            "read": lambda: noun.read(store, caller, flow, random.choice(ids)),
            "find": lambda: noun.find(store, caller, flow),
            "indexed find": lambda: noun.find(store, caller, flow, high),
            "mget 500": lambda: noun.read_many(store, caller, flow, random.sample(ids, KEYS)),
            "create": lambda: noun.create(store, caller, flow, models(1, 1)[0]),
            "bulk create": lambda: noun.create_many(store, caller, flow, models(1, BULK)),
        }
        with store:
            return repeat(calls[what])

    return measure


def straight(engine: str, what: str) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        found = filled(engine, folder)
        found.store.close()
        connection, mark, slot = connect(engine, found.url)
        begin = "BEGIN IMMEDIATE" if engine == "sqlite" else "BEGIN"
        flow, ids, creator = found.flow, found.ids, found.flow
        numbers, now = itertools.count(time.time_ns() // 1_000_000), int(time.time())

        def select(rest: str, *values: Any) -> Any:
            text = f"SELECT {COLUMNS} FROM drops WHERE flow_id = {mark} {rest}".replace("?", mark)
            return connection.execute(text, (flow, *values)).fetchall()

        def insert(count: int) -> None:
            text = (
                f"INSERT INTO drops (flow_id, id, created, creator, elems, arrived, indexed, {slot}) "
                f"VALUES ({', '.join([mark] * 8)})"
            )
            rows = []
            for n, number in zip(range(1, count + 1), numbers, strict=False):
                elems = f'{{"n":{n},"name":"drop {n}"}}'
                rows.append((flow, f"d{now:08x}{number:016x}", number, creator, elems, number, number, n))
            connection.execute(begin)
            connection.cursor().executemany(text, rows)
            connection.execute(
                f"UPDATE sizes SET count = count + {mark}, arrivals = arrivals + {mark} "
                f"WHERE flow_id = {mark}",
                (count, count, flow),
            )
            connection.execute("COMMIT")

        keys = ", ".join("?" * KEYS)
        calls: dict[str, Callable[[], Any]] = {
            "read": lambda: select("AND id = ?", random.choice(ids)),
            "find": lambda: select("ORDER BY id DESC LIMIT 20"),
            "indexed find": lambda: select(f"AND {slot} > ? ORDER BY id DESC LIMIT 20", DROPS - 50),
            "mget 500": lambda: select(f"AND id IN ({keys})", *random.sample(ids, KEYS)),
            "create": lambda: insert(1),
            "bulk create": lambda: insert(BULK),
        }
        return repeat(calls[what])

    return measure


def connect(engine: str, url: str) -> tuple[Any, str, str]:
    """A connection of the driver, its mark for a parameter, and the column of the indexed element."""
    if engine == "sqlite":
        import sqlite3

        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        return connection, "?", "s0"
    import psycopg

    return psycopg.connect(url, autocommit=True), "%s", "n0"


DRIVER = {"sqlite": "sqlite3", "postgresql": "psycopg"}
PEER = f"read, {DRIVER['sqlite']}"
CONTENDERS = {
    name: measure
    for what in CALLS
    for engine in ENGINES
    for name, measure in (
        (f"{what}, {DRIVER[engine]}", straight(engine, what)),
        (f"{what}, store on {engine}", through_the_store(engine, what)),
    )
}
TARGETS = [
    Target(f"{what}, store on {engine}", f"{what}, {DRIVER[engine]}", at_least=1 / 3)
    for what in ("mget 500", "bulk create")
    for engine in ENGINES
]
