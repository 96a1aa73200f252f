"""How late a 1 ms heartbeat is at worst while 64 green threads fetch and parse answers of two megabytes each.

One such answer holds the interpreter for some milliseconds, in the reading, the unpacking and above all the
parsing. The heartbeat is to be late by no more than 30 ms. On a machine that does other things as well, those
show too: the least of the figures is nearest to what this code does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._bodies import serving

TITLE = "a 1 ms heartbeat beside 64 callers fetching 2 MB of JSON each: latest beat"
UNIT = "ms, less is better"
PEER = "without turns, gevent"
SERVER = serving
CALLERS = 64
ROUNDS = 3


def latest_beat(flow: str = "plain", **options: str) -> float:
    """Milliseconds by which the latest beat was late."""
    from flowthings_like import API, Token
    from flowthings_like.green import detect

    library = detect()
    address = os.environ["BENCHMARK_SERVER"]
    api = API(Token("acme", "measured"), host=address, secure=False, **options)  # type: ignore[arg-type]
    api.drop(flow).find()
    done = False
    latest = 0.0

    def beat() -> None:
        nonlocal latest
        while not done:
            due = time.perf_counter() + 0.001
            library.sleep(0.001)
            latest = max(latest, time.perf_counter() - due)

    def fetch() -> None:
        for _ in range(ROUNDS):
            api.drop(flow).find()

    heart = library.spawn(beat)
    for caller in [library.spawn(fetch) for _ in range(CALLERS)]:
        library.get(caller)
    done = True
    library.get(heart)
    return latest * 1e3


def with_turns(folder: Path) -> float:
    return latest_beat()


def packed(folder: Path) -> float:
    return latest_beat("packed")


def through_requests(folder: Path) -> float:
    return latest_beat(transport="requests")


def without_turns(folder: Path) -> float:
    from flowthings_like.green import detect
    from flowthings_like.wire import gc_paused

    type(detect()).fair_yield = lambda self: None  # type: ignore[method-assign]
    gc_paused._COLLECTS_WITHIN_C = False
    return latest_beat()


CONTENDERS: dict[str, Callable[[Path], float]] = {
    PEER: without_turns,
    "without turns, eventlet": without_turns,
    "in turns, gevent": with_turns,
    "in turns, eventlet": with_turns,
    "in turns, packed, gevent": packed,
    "in turns, packed, eventlet": packed,
    "in turns, requests transport, gevent": through_requests,
    "in turns, requests transport, eventlet": through_requests,
    "threads": with_turns,
}
