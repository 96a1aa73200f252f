"""What the client itself costs: CPU time of its process for a query, 100 of them in flight."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from benchmarks import Target
from benchmarks._canned_things import canned
from benchmarks._things import at_once, at_once_async, contenders, lazily, ours, raw

TITLE = "ThingsDB: the client's CPU time for a query, 100 in flight"
UNIT = "CPU us"
PEER = "python-thingsdb, asyncio"
SERVER = canned()
ROUNDS, CALLS, IN_FLIGHT = 5, 10_000, 100
"""The best of the rounds counts: the others have a neighbour's share of the caches in them."""


def cost(run: Callable[[int], None]) -> float:
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        run(CALLS)
        found.append(time.process_time() - started)
    return min(found) / CALLS * 1e6


async def cost_async(run: Callable[[int], Awaitable[None]]) -> float:
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        await run(CALLS)
        found.append(time.process_time() - started)
    return min(found) / CALLS * 1e6


CONTENDERS = {
    **contenders(
        lambda client: cost(at_once(client, IN_FLIGHT)),
        lambda client: cost_async(at_once_async(client, IN_FLIGHT)),
    ),
    **{
        f"lazy, {backend}": ours(lambda client: cost(lazily(client, IN_FLIGHT)))
        for backend in ("gevent", "eventlet", "threads")
    },
    "raw socket": lambda _folder: cost(raw(IN_FLIGHT)),
}
TARGETS = [
    Target("Client, gevent", PEER, at_most=0.6),
    Target("Client, gevent", "python-thingsdb, uvloop", at_most=0.6),
]
