"""From a create to its push at a follower, beside Redis: a publish of the same payload to its subscriber.

A create is on disk before it is pushed; Redis keeps nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import Target
from benchmarks._live import REDIS_SOCKET, Redis, platform_and_redis
from benchmarks._platform import served

TITLE = "from a create to its push, one every 5 ms"
UNIT = "us"
PEER = "Redis, publish to message, p99, gevent"
SERVER = platform_and_redis
COUNT = 1000
PACE = 0.005
ELEMS = {"temp": 39.02, "wind_speed": 10.4, "station": "jfk"}


def measured(send: Callable[[int], Any], receive: Callable[[], int], at: float) -> float:
    """The quantile `at` of the times from just before `send(n)` to the `receive()` that returns n, in us."""
    from flowthings_like.green.backends import choice as backend

    here = backend.detect()
    sent: dict[int, float] = {}
    times: list[float] = []

    def listen() -> None:
        while len(times) < COUNT:
            number = receive()
            times.append(time.perf_counter() - sent[number])

    listening = here.spawn(listen)
    for n in range(COUNT):
        here.sleep(PACE)
        sent[n] = time.perf_counter()
        send(n)
    here.get(listening)
    return statistics.quantiles(times[COUNT // 10 :], n=1000)[int(at * 1000) - 1] * 1e6


def push(folder: Path, at: float) -> float:
    told = served()
    with told.api() as api, told.api() as other, other.drop(told.flow).follow() as follower:
        drops = api.drop(told.flow)
        return measured(
            lambda n: drops.create({"elems": {**ELEMS, "n": n}}), lambda: next(follower)["elems"]["n"], at
        )


def embedded(folder: Path, at: float) -> float:
    from flowthings_like import API

    with API.embedded(folder) as api:
        flow = api.flow.create({"path": "/acme/a", "capacity": 100_000})["id"]
        with api.drop(flow).follow() as follower:
            drops = api.drop(flow)
            return measured(
                lambda n: drops.create({"elems": {**ELEMS, "n": n}}), lambda: next(follower)["elems"]["n"], at
            )


def redis(folder: Path, at: float) -> float:
    place = Path(os.environ["BENCHMARK_SERVER"]).parent / REDIS_SOCKET
    publisher, subscriber = Redis(place), Redis(place)
    subscriber.send(b"SUBSCRIBE", b"drops")
    subscriber.reply()

    def send(n: int) -> None:
        publisher.send(b"PUBLISH", b"drops", json.dumps({"elems": {**ELEMS, "n": n}}).encode())
        publisher.reply()

    def receive() -> int:
        found: Any = subscriber.reply()
        return int(json.loads(found[2])["elems"]["n"])

    return measured(send, receive, at)


CONTENDERS = {
    **(
        {
            "Redis, publish to message, p50, gevent": partial(redis, at=0.5),
            PEER: partial(redis, at=0.99),
        }
        if shutil.which("redis-server")
        else {}
    ),
    "create to push, p50, gevent": partial(push, at=0.5),
    "create to push, p99, gevent": partial(push, at=0.99),
    "embedded, p50, gevent": partial(embedded, at=0.5),
    "embedded, p99, gevent": partial(embedded, at=0.99),
}
TARGETS = [Target("create to push, p99, gevent", PEER, at_most=3)]
