"""Load from a process of its own: asks a server for the hours of many users at once, and checks each answer.

    python load.py PORT REQUESTS CONCURRENCY < users.json

`users.json` is a list of (path, token). Each user has its own flow, and its drops carry the path of their
flow: an answer with another user's drops is cross-talk. It prints a summary as JSON.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import http.client
import json
import sys
import time
from collections import Counter
from typing import Any

import gevent
from gevent.pool import Pool

PATIENCE = 60


class Load:
    """Counts what the requests of many users have been answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []

    def ask(self, path: str, token: str) -> None:
        began = time.monotonic()
        try:
            outcome = self._outcome(path, token)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        self.outcomes[outcome] += 1
        self.seconds.append(time.monotonic() - began)

    def _outcome(self, path: str, token: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            headers = {"X-Auth-Account": "acme", "X-Auth-Token": token}
            connection.request("GET", f"/hours?path={path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            return f"{answer.status}: {body[:200].decode(errors='replace')}"
        hours: list[Any] = json.loads(body)["hours"]
        drops = [drop["elems"] for drops in hours for drop in drops]
        if {drop["of"] for drop in drops} - {path}:
            return "cross-talk"
        return "right" if [drop["hour"] for drop in drops] == list(range(20)) else f"wrong: {body[:300]!r}"


def main() -> None:
    port, requests, concurrency = map(int, sys.argv[1:])
    users = json.load(sys.stdin)
    load = Load(port)
    pool = Pool(concurrency)
    began = time.monotonic()
    for number in range(requests):
        pool.spawn(load.ask, *users[number % len(users)])
    pool.join()
    took = sorted(load.seconds)
    print(
        json.dumps(
            {
                "outcomes": load.outcomes,
                "seconds": time.monotonic() - began,
                "p50": took[len(took) // 2],
                "p99": took[len(took) * 99 // 100],
            }
        )
    )


if __name__ == "__main__":
    gevent.spawn(main).get()
