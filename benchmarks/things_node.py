"""Queries to the embedded platform's node, 100 in flight: that node is measured, more than its clients."""

from __future__ import annotations

from benchmarks._embedded_things import embedded
from benchmarks._things import at_once, at_once_async, contenders, rate, rate_async, raw_rate

TITLE = "ThingsDB: 100 queries in flight, the embedded node"
UNIT = "queries/s"
PEER = "python-thingsdb, asyncio"
SERVER = embedded
CALLS, IN_FLIGHT = 5_000, 100

CONTENDERS = {
    **contenders(
        lambda client: rate(at_once(client, IN_FLIGHT), CALLS),
        lambda client: rate_async(at_once_async(client, IN_FLIGHT), CALLS),
    ),
    "raw socket": raw_rate(CALLS, IN_FLIGHT),
}
