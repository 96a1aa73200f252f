"""A served platform on either engine, with some workers, and what clients ask of it."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._engines import BULK, CALLS, DROPS, KEYS, analyze, models, new_database, postgresql

if TYPE_CHECKING:
    from flowthings_like import API

__all__ = ["CALLS_AND_PUSH", "databases", "quantile_of", "requests_per_second"]

CALLS_AND_PUSH = (*CALLS, "push")
CALLERS = 32
SECONDS = 4.0
PUSHES = 1000
PACE = 0.005  # seconds between two drops that are pushed
BUS = "FLOWTHINGS_BUS_URL"


@contextmanager
def databases(folder: Path) -> Iterator[str]:
    """A PostgreSQL server and a Redis, which is the bus of what is served; the URL of the former."""
    from tests.servers.redis import Redis

    with Redis() as redis, postgresql(folder) as url:
        os.environ[BUS] = redis.url()
        try:
            yield url
        finally:
            del os.environ[BUS]


@contextmanager
def served(folder: Path, engine: str, workers: int) -> Iterator[API]:
    """A client of a new server, which has an account and nothing else, and may use all cores."""
    from flowthings_like import API, Token

    command = [
        sys.executable,
        "-m",
        "flowthings_like.cli.main",
        "serve",
        "--port",
        "0",
        "--workers",
        str(workers),
    ]
    environment = dict(os.environ)
    if engine == "postgresql":
        environment["FLOWTHINGS_STORE_URL"] = new_database()
    else:
        environment.pop(BUS)  # the folder does as well
    command += ["--data", str(folder / "served")]
    cores = range(os.cpu_count() or 1)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as server:
        try:
            said: dict[str, str] = {}
            assert server.stdout is not None
            while "listening" not in said:
                name, _, value = server.stdout.readline().strip().partition(": ")
                said[name] = value
            host = said["listening"].partition("://")[2].rstrip("/")
            with API(Token("acme", said["token"]), host=host, secure=False) as api:
                yield api
        finally:
            server.terminate()
            server.wait()


def _calls(api: API) -> dict[str, Callable[[], Any]]:
    """What is measured, on a flow of 20,000 drops with an indexed element."""
    from flowthings_like import mem

    flow = api.flow.create({"path": "/acme/many", "capacity": 10_000_000, "index": ["n"]})
    drops = api.drop(flow)
    ids = [made["id"] for first in range(0, DROPS, BULK) for made in drops.create_many(models(first, BULK))]
    analyze()
    return {
        "read": lambda: drops.read(random.choice(ids)),
        "find": lambda: drops.find(limit=20),
        "indexed find": lambda: drops.find(mem.n > DROPS - 50, limit=20),
        "mget 500": lambda: drops.read_many(random.sample(ids, KEYS)),
        "create": lambda: drops.create(models(1, 1)[0]),
        "bulk create": lambda: drops.create_many(models(1, BULK)),
    }


def _times(folder: Path, engine: str, workers: int, what: str, callers: int) -> tuple[list[float], float]:
    """The seconds of each call that so many callers make, one after the other each; and of all together."""
    from flowthings_like.green.backends import choice as backend

    here = backend.detect()
    times: list[float] = []
    with ExitStack() as closing:
        call = _calls(closing.enter_context(served(folder, engine, workers)))[what]
        call()

        def ask() -> None:
            while time.perf_counter() < until:
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)

        started = time.perf_counter()
        until = started + SECONDS
        for asking in [here.spawn(ask) for _ in range(callers)]:
            here.get(asking)
        return times, time.perf_counter() - started


def _pushes(folder: Path, engine: str) -> list[float]:
    """The seconds from each create to its push at a follower, one drop every 5 ms, two workers."""
    from flowthings_like.green.backends import choice as backend

    here = backend.detect()
    sent: dict[int, float] = {}
    with served(folder, engine, 2) as api:
        drops = api.drop(api.flow.create({"path": "/acme/a", "capacity": 100_000}))

        def send() -> None:
            for number in range(PUSHES):
                here.sleep(PACE)
                sent[number] = time.perf_counter()
                drops.create(models(number, 1)[0])

        with drops.follow() as follower:
            sending = here.spawn(send)
            arrived = {next(follower)["elems"]["n"]: time.perf_counter() for _ in range(PUSHES)}
            here.get(sending)
    return [arrived[number] - sent[number] for number in range(PUSHES // 10, PUSHES)]


def requests_per_second(folder: Path, engine: str, workers: int, what: str) -> float:
    """What 32 callers get done."""
    times, seconds = _times(folder, engine, workers, what, CALLERS)
    return len(times) / seconds


def quantile_of(folder: Path, engine: str, what: str, at: float) -> float:
    """A quantile of the microseconds of a call, one caller, two workers."""
    times = _pushes(folder, engine) if what == "push" else _times(folder, engine, 2, what, 1)[0]
    return statistics.quantiles(times, n=100)[int(at * 100) - 1] * 1e6
