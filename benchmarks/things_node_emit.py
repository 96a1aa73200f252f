"""Emits into one's own room on the embedded platform's node, one after the other. It sets TCP_NODELAY, so
nobody has acknowledgements to wait for."""

from __future__ import annotations

from typing import Any

from benchmarks._embedded_things import ROOM, embedded
from benchmarks._things import contenders, genuine_room, in_turn, in_turn_async, our_room, rate, rate_async

TITLE = "ThingsDB: emits into one's own room, one after the other, the embedded node"
UNIT = "emits/s"
PEER = "python-thingsdb, asyncio"
SERVER = embedded
CALLS = 2_000


def ours(client: Any) -> float:
    room = our_room(client, lambda: None, ROOM)
    return rate(in_turn(room, lambda it: it.emit("msg", "hello")), CALLS)


async def theirs(client: Any) -> float:
    room = await genuine_room(client, lambda: None, ROOM)
    return await rate_async(in_turn_async(room, lambda it: it.emit("msg", "hello")), CALLS)


CONTENDERS = contenders(ours, theirs)
