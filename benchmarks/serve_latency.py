"""How long a request to a served platform takes, on SQLite and on PostgreSQL: one caller, two workers."""

from __future__ import annotations

from functools import partial

from benchmarks._engines import CALLS, ENGINES, postgresql
from benchmarks._served_store import quantile_of

TITLE = "a request to a served platform"
UNIT = "us"
SERVER = postgresql
PEER = "read, p50 on sqlite, gevent"
CONTENDERS = {
    f"{what}, p{round(at * 100)} on {engine}, gevent": partial(quantile_of, engine=engine, what=what, at=at)
    for what in CALLS
    for engine in ENGINES
    for at in (0.5, 0.99)
}
