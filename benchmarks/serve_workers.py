"""Requests a second of a served platform with 1, 2 and 4 workers, on SQLite and on PostgreSQL.

32 callers in one process under gevent. Server, database and callers share the cores, so more workers than
cores gain nothing. The PostgreSQL is the tests', which does not wait for its disk; with it there is a Redis.
"""

from __future__ import annotations

from functools import partial

from benchmarks._engines import CALLS, ENGINES
from benchmarks._served_store import databases, requests_per_second

TITLE = "a served platform, 32 callers"
UNIT = "requests/s"
SERVER = databases
PEER = "read, 1 worker on sqlite, gevent"
CONTENDERS = {
    f"{what}, {workers} worker{'s' if workers > 1 else ''} on {engine}, gevent": partial(
        requests_per_second, engine=engine, workers=workers, what=what
    )
    for what in CALLS
    for engine in ENGINES
    for workers in (1, 2, 4)
}
