"""How long a request to a served platform takes, on SQLite and on PostgreSQL: one caller, two workers.

A push is the time from a create to its arrival at a follower.
"""

from __future__ import annotations

from functools import partial

from benchmarks._engines import ENGINES
from benchmarks._served_store import CALLS_AND_PUSH, databases, quantile_of

TITLE = "a request to a served platform"
UNIT = "us"
SERVER = databases
PEER = "read, p50 on sqlite, gevent"
CONTENDERS = {
    f"{what}, p{round(at * 100)} on {engine}, gevent": partial(quantile_of, engine=engine, what=what, at=at)
    for what in CALLS_AND_PUSH
    for engine in ENGINES
    for at in (0.5, 0.99)
}
