"""A query that returns a list of 10,000 things."""

from __future__ import annotations

from benchmarks import Target
from benchmarks._canned_things import THINGS, canned
from benchmarks._things import contenders, in_turn, in_turn_async, rate, rate_async, raw_rate

TITLE = "ThingsDB: a list of 10,000 things"
UNIT = "lists/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned()
CALLS = 60

CONTENDERS = {
    **contenders(
        lambda client: rate(in_turn(client, lambda it: it.query(THINGS)), CALLS),
        lambda client: rate_async(in_turn_async(client, lambda it: it.query(THINGS)), CALLS),
    ),
    "raw socket": raw_rate(CALLS, 1, THINGS),
}
TARGETS = [
    Target("Client, gevent", PEER, at_least=2),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=2),
]
