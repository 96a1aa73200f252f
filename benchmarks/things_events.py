"""Events of a room: received, unpacked and handed to a handler."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

from benchmarks import Target
from benchmarks._canned_things import EVENTS, FLOOD, canned
from benchmarks._things import contenders, genuine_room, our_room, raw_rate

TITLE = "ThingsDB: events of a room, handed to a handler"
UNIT = "events/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned()


def ours(client: Any) -> float:
    from flowthings_like.green.backends import choice as backend

    done, number = backend.detect().event(), count(1)

    def each() -> None:
        if next(number) == EVENTS:
            done.set()

    our_room(client, each)
    started = time.perf_counter()
    client.query(FLOOD)
    done.wait()
    return EVENTS / (time.perf_counter() - started)


async def theirs(client: Any) -> float:
    done, number = asyncio.Event(), count(1)

    def each() -> None:
        if next(number) == EVENTS:
            done.set()

    await genuine_room(client, each)
    started = time.perf_counter()
    await client.query(FLOOD)
    await done.wait()
    return EVENTS / (time.perf_counter() - started)


CONTENDERS = {
    **contenders(ours, theirs),
    "raw socket": lambda folder: EVENTS * raw_rate(5, 1, FLOOD)(folder),
}
TARGETS = [
    Target("Client, gevent", PEER, at_least=3),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=3),
]
