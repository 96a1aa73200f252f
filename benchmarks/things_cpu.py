"""What the client itself costs: CPU time of its process for a query, 100 of them in flight."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import Target
from benchmarks._canned_things import canned
from benchmarks._things import at_once, at_once_async, contenders, raw

TITLE = "ThingsDB: the client's CPU time for a query, 100 in flight"
UNIT = "CPU us"
PEER = "python-thingsdb, asyncio"
SERVER = canned()
CALLS, WARM_UP, IN_FLIGHT = 10_000, 2_000, 100


def ours(client: Any) -> float:
    run = at_once(client, IN_FLIGHT)
    run(WARM_UP)
    started = time.process_time()
    run(CALLS)
    return (time.process_time() - started) / CALLS * 1e6


async def theirs(client: Any) -> float:
    run = at_once_async(client, IN_FLIGHT)
    await run(WARM_UP)
    started = time.process_time()
    await run(CALLS)
    return (time.process_time() - started) / CALLS * 1e6


def ceiling(_folder: object) -> float:
    run = raw(IN_FLIGHT)
    run(WARM_UP)
    started = time.process_time()
    run(CALLS)
    return (time.process_time() - started) / CALLS * 1e6


CONTENDERS = {**contenders(ours, theirs), "raw socket": ceiling}
TARGETS = [
    Target("Client, gevent", PEER, at_most=0.6),
    Target("Client, gevent", "python-thingsdb, uvloop", at_most=0.6),
]
