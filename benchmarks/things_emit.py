"""Events emitted into one's own room, one after the other: the node sends the event and then its OK, which
without TCP_QUICKACK waits 40 ms for an acknowledgement of the event."""

from __future__ import annotations

from typing import Any

from benchmarks import Target
from benchmarks._canned_things import canned
from benchmarks._things import contenders, genuine_room, in_turn, in_turn_async, our_room, rate, rate_async

TITLE = "ThingsDB: emits into one's own room, one after the other, a node without TCP_NODELAY"
UNIT = "emits/s"
PEER = "python-thingsdb, asyncio"
SERVER = canned("--as-a-node")
MANY, FEW = 20_000, 50


def ours(client: Any) -> float:
    room = our_room(client, lambda: None)
    return rate(in_turn(room, lambda it: it.emit("msg", "hello")), MANY)


async def theirs(client: Any) -> float:
    room = await genuine_room(client, lambda: None)
    await in_turn_async(room, lambda it: it.emit("msg", "hello"))(
        20
    )  # the kernel acknowledges the first at once
    return await rate_async(in_turn_async(room, lambda it: it.emit("msg", "hello")), FEW)


CONTENDERS = contenders(ours, theirs)
TARGETS = [
    Target("Client, gevent", PEER, at_least=300),
    Target("Client, gevent", "python-thingsdb, uvloop", at_least=300),
]
