"""`query("1 + 1")`, 1,000 of them in flight on one connection."""

from __future__ import annotations

from benchmarks import Target
from benchmarks._canned_things import canned
from benchmarks._things import at_once, at_once_async, contenders, lazily, ours, rate, rate_async, raw_rate

TITLE = "ThingsDB: 1,000 queries in flight on one connection"
UNIT = "queries/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned()
CALLS, IN_FLIGHT = 60_000, 1_000

CONTENDERS = {
    **contenders(
        lambda client: rate(at_once(client, IN_FLIGHT), CALLS),
        lambda client: rate_async(at_once_async(client, IN_FLIGHT), CALLS),
    ),
    **{
        f"lazy, {backend}": ours(lambda client: rate(lazily(client, IN_FLIGHT), CALLS))
        for backend in ("gevent", "eventlet", "threads")
    },
    "raw socket": raw_rate(CALLS * 5, IN_FLIGHT),
}
TARGETS = [
    Target("Client, gevent", PEER, at_least=1.7),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=1.7),
]
