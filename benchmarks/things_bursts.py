"""Bursts of 100 queries, each after the answers to the one before, against a node that writes each answer by
itself and has not set TCP_NODELAY, as real ones: without TCP_QUICKACK each burst waits 40 ms for an
acknowledgement."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from benchmarks import Target
from benchmarks._canned_things import SUM, canned
from benchmarks._things import contenders, rate, rate_async, raw_rate

TITLE = "ThingsDB: bursts of 100 queries, a node without TCP_NODELAY"
UNIT = "queries/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned("--as-a-node")
CALLS, BURST = 5_000, 100


def ours(client: Any) -> float:
    from flowthings_like.green import LazyAPI, force

    lazy = LazyAPI(SimpleNamespace(things=client)).things

    def run(calls: int) -> None:
        for _ in range(calls // BURST):
            for thunk in [lazy.query(SUM) for _ in range(BURST)]:
                force(thunk)

    return rate(run, CALLS)


async def theirs(client: Any) -> float:
    async def run(calls: int) -> None:
        for _ in range(calls // BURST):
            await asyncio.gather(*(client.query(SUM) for _ in range(BURST)))

    return await rate_async(run, CALLS)


CONTENDERS = {**contenders(ours, theirs), "raw socket": raw_rate(CALLS, BURST)}
TARGETS = [
    Target("Client, gevent", PEER, at_least=15),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=15),
]
