"""10,000 times `find`, top to bottom, on plain threads: what a script without any green library does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target, _clients
from benchmarks._nginx import nginx

TITLE = "find, one after the other"
UNIT = "calls/s"
PEER = "requests.Session and json()"
SERVER = nginx
CALLS = 10_000


def measured(client: Callable[[], Callable[[], object]]) -> Callable[[Path], float]:
    def run(folder: Path) -> float:
        find = client()
        find()
        started = time.perf_counter()
        for _ in range(CALLS):
            find()
        return CALLS / (time.perf_counter() - started)

    return run


CONTENDERS = {
    PEER: measured(_clients.session_find),
    "api.flow.find": measured(_clients.api_find),
    "api.flow.find, requests transport": measured(_clients.api_requests_transport),
}
TARGETS = [Target("api.flow.find", PEER, at_least=4)]
