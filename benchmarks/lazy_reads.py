"""Reading 10,000 drops by id, one after the other in the program, from the served platform."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Target
from benchmarks._platform import platform, served

TITLE = "drops read by id from the served platform"
UNIT = "drops/s"
PEER = "grequests, 64 at once, gevent"
SINGLE = 2000
"""Drops that those read who make a request for each: their rate does not depend on it."""

SERVER = platform


def grequests_map(folder: Path) -> float:
    import grequests
    import requests

    there = served()
    headers = {"X-Auth-Account": "acme", "X-Auth-Token": there.token}
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
    where = f"http://{there.host}/v4.0/acme/drop/{there.flow}/"

    def read(ids: list[str]) -> None:
        asked = [grequests.get(where + id, headers=headers, session=session) for id in ids]
        answers = [answer.json()["body"] for answer in grequests.map(asked, size=64)]
        assert [drop["id"] for drop in answers] == ids

    return rate(read, there.ids[:SINGLE])


def lazy(folder: Path) -> float:
    there = served()
    with there.api() as api:

        def read(ids: list[str]) -> None:
            reader = api.lazy()
            found = [reader.drop(there.flow).read(id) for id in ids]
            assert [drop["id"] for drop in found] == ids

        return rate(read, there.ids)


def spawned(folder: Path) -> float:
    there = served()
    with there.api() as api:

        def read(ids: list[str]) -> None:
            calls = api.async_()
            for id in ids:
                calls.drop(there.flow).read(id)
            assert [drop["id"] for drop in calls.results()] == ids

        return rate(read, there.ids[:SINGLE])


def by_hand(folder: Path) -> float:
    there = served()
    with there.api() as api:

        def read(ids: list[str]) -> None:
            found = {}
            for first in range(0, len(ids), 500):
                found.update(api.drop(there.flow).read_many(ids[first : first + 500]))
            assert list(found) == ids

        return rate(read, there.ids)


def rate(read: Callable[[list[str]], None], ids: list[str]) -> float:
    """Drops a second, the best of three rounds after a warm-up: it is the server that has its off moments."""
    read(ids[:100])
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        read(ids)
        best = min(best, time.perf_counter() - started)
    return len(ids) / best


CONTENDERS = {
    PEER: grequests_map,
    "async_(), gevent": spawned,
    "lazy(), gevent": lazy,
    "lazy(), eventlet": lazy,
    "lazy(), threads": lazy,
    "read_many by hand, 500 at once": by_hand,
}
TARGETS = [Target("lazy(), gevent", PEER, at_least=50)]
