"""A flow of a million drops that indexes two elements: one drop looked up, and an average by month.

The store is filled once a run, which takes about a minute.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._store import open_store

TITLE = "a million drops, two indexed elements"
UNIT = "µs a call"
PEER = "one by id"
DROPS = 1_000_000
BATCH = 5_000
FIRST = 1_356_998_400_000
STEP = 31_536_000_000 // DROPS
FLOW = "/acme/indexed"
TOKEN = "i" + "0" * 24


@contextmanager
def filled(folder: Path) -> Iterator[str]:
    """A folder with the store, and the ids of some drops in a file beside it."""
    from flowthings_like.platform.resources.base import verbs as resources
    from flowthings_like.platform.resources.drops import verbs as noun
    from flowthings_like.platform.resources.flows import FLOW as KIND

    store, caller, _ = open_store(folder / "store", tracks=False)
    with store:
        model = {"path": FLOW, "capacity": DROPS, "index": ["elems.station", "elems.temp"]}
        resources.create(store, caller, KIND, model)
        chosen = []
        for first in range(0, DROPS, BATCH):
            models = [drop(number) for number in range(first, first + BATCH)]
            made = noun.create_many(store, caller, FLOW, models)
            chosen.append(made[0]["id"])
    (folder / "ids").write_text("\n".join(chosen))
    yield str(folder)


def drop(number: int) -> dict[str, Any]:
    elems = {"station": f"s{number}", "temp": number * 7919 % 1000 / 10, "wind_speed": 10.4, "humid": 40.5}
    return {"elems": elems, "creationDate": FIRST + number * STEP}


def measured(what: str) -> Callable[[Path], float]:
    def measure(_: Path) -> float:
        from flowthings_like.platform.resources.access.rights import Caller
        from flowthings_like.platform.resources.aggregates.aggregate import aggregate
        from flowthings_like.platform.resources.drops import verbs as noun
        from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
        from flowthings_like.platform.resources.query.query import Query

        folder = Path(os.environ["BENCHMARK_SERVER"])
        ids, caller = (folder / "ids").read_text().split(), Caller("acme", TOKEN)
        dice = random.Random(7)

        def by_element() -> Any:
            filter = f'elems.station == "s{dice.randrange(DROPS)}"'
            return noun.find(store, caller, FLOW, Query.from_values({"filter": filter, "limit": 1}))

        def hottest() -> Any:
            return noun.find(store, caller, FLOW, Query.from_values({"sort": "temp", "limit": 20}))

        def months() -> Any:
            return aggregate(store, caller, FLOW, {"output": ["$avg:temp"], "groupBy": ["$month"]})

        calls: dict[str, tuple[Callable[[], Any], int]] = {
            "id": (lambda: noun.read(store, caller, FLOW, dice.choice(ids)), 5000),
            "element": (by_element, 5000),
            "sort": (hottest, 1000),
            "months": (months, 5),
        }
        call, times = calls[what]
        with Store(folder / "store") as store:
            assert call()
            started = time.perf_counter()
            for _ in range(times):
                call()
            return (time.perf_counter() - started) / times * 1e6

    return measure


SERVER = filled
CONTENDERS = {
    PEER: measured("id"),
    "one by an indexed element": measured("element"),
    "the hottest 20": measured("sort"),
    "average by month": measured("months"),
}
TARGETS = [
    Target("one by an indexed element", at_most=1000),  # even without what a read by id takes
    Target("average by month", at_most=500_000),
]
