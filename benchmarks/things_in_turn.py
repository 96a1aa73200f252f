"""`query("1 + 1")`, one after the other."""

from __future__ import annotations

from benchmarks import Target
from benchmarks._canned_things import SUM, canned
from benchmarks._things import contenders, in_turn, in_turn_async, rate, rate_async, raw_rate

TITLE = "ThingsDB: queries one after the other"
UNIT = "queries/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned()
CALLS = 20_000

CONTENDERS = {
    **contenders(
        lambda client: rate(in_turn(client, lambda it: it.query(SUM)), CALLS),
        lambda client: rate_async(in_turn_async(client, lambda it: it.query(SUM)), CALLS),
    ),
    "raw socket": raw_rate(CALLS, 1),
}
TARGETS = [
    Target("Client, gevent", PEER, at_least=1.5),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=1.5),
]
