"""Clients of a things node, each with the same work: in turn, many at once, in bursts, events of a room.

`ours` and `genuine` take a piece of work and give a contender of it. The work is told twice, as a function
and as a coroutine, so that each client is used the way its documentation shows.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks._canned_things import ROOM, SCOPE, SUM
from flowthings_like.wire.things.packages import Kind, PackageParser, package
from flowthings_like.wire.things.values import pack

ROUNDS = 5
"""Into which the calls of a run are divided; one more comes before, unmeasured."""

Contender = Callable[[Path], float]


class Address(NamedTuple):
    """Where the node of this run is, and who may ask it."""

    host: str
    port: int
    user: str
    password: str


def address() -> Address:
    """From the environment, where it says `user:password@host:port`."""
    user, password, host, port = re.split("[:@]", os.environ["BENCHMARK_SERVER"])
    return Address(host, int(port), user, password)


def ours(work: Callable[[Any], float]) -> Contender:
    """The work with a Client of this library."""

    def contender(_folder: Path) -> float:
        from flowthings_like import Client

        client, node = Client(), address()
        client.connect(node.host, node.port)
        client.authenticate(node.user, node.password)
        client.set_default_scope(SCOPE)
        try:
            return work(client)
        finally:
            client.close_and_wait()

    return contender


def genuine(work: Callable[[Any], Awaitable[float]], *, uvloop: bool = False) -> Contender:
    """The work with python-thingsdb's client."""

    async def main() -> float:
        from thingsdb.client import Client

        client, node = Client(), address()
        await client.connect(node.host, node.port)
        await client.authenticate(node.user, node.password)
        client.set_default_scope(SCOPE)
        try:
            return await work(client)
        finally:
            await client.close_and_wait()

    def contender(_folder: Path) -> float:
        if uvloop:
            import uvloop as loops

            return float(loops.run(main()))
        return asyncio.run(main())

    return contender


def contenders(
    mine: Callable[[Any], float], theirs: Callable[[Any], Awaitable[float]]
) -> dict[str, Contender]:
    """The genuine client on both of its loops, and ours on all backends."""
    return {
        "python-thingsdb, asyncio": genuine(theirs),
        "python-thingsdb, uvloop": genuine(theirs, uvloop=True),
        "Client, gevent": ours(mine),
        "Client, eventlet": ours(mine),
        "Client, threads": ours(mine),
    }


# Work


def rate(run: Callable[[int], None], calls: int) -> float:
    """Calls a second, in the best of the rounds: in the others a neighbour on the machine had its share."""
    each = calls // ROUNDS
    found = []
    run(each)
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run(each)
        found.append(each / (time.perf_counter() - started))
    return max(found)


async def rate_async(run: Callable[[int], Awaitable[None]], calls: int) -> float:
    each = calls // ROUNDS
    found = []
    await run(each)
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await run(each)
        found.append(each / (time.perf_counter() - started))
    return max(found)


def in_turn(client: Any, act: Callable[[Any], object]) -> Callable[[int], None]:
    """One call after the other."""

    def run(calls: int) -> None:
        for _ in range(calls):
            act(client)

    return run


def in_turn_async(client: Any, act: Callable[[Any], Awaitable[object]]) -> Callable[[int], Awaitable[None]]:
    async def run(calls: int) -> None:
        for _ in range(calls):
            await act(client)

    return run


def at_once(client: Any, in_flight: int) -> Callable[[int], None]:
    """Queries by so many callers, each of which makes one after the other."""
    from flowthings_like.green.backends import choice as backend

    library = backend.detect()

    def caller(calls: int) -> None:
        for _ in range(calls):
            client.query(SUM)

    def run(calls: int) -> None:
        each = -(-calls // in_flight)
        for thread in [library.spawn(caller, each) for _ in range(in_flight)]:
            library.get(thread)

    return run


def at_once_async(client: Any, in_flight: int) -> Callable[[int], Awaitable[None]]:
    async def caller(calls: int) -> None:
        for _ in range(calls):
            await client.query(SUM)

    async def run(calls: int) -> None:
        each = -(-calls // in_flight)
        await asyncio.gather(*(caller(each) for _ in range(in_flight)))

    return run


def lazily(client: Any, in_flight: int) -> Callable[[int], None]:
    """So many lazy queries under way at any moment: for each result that is taken another one is sent."""
    from flowthings_like.green import LazyAPI, force

    lazy = LazyAPI(SimpleNamespace(things=client)).things

    def run(calls: int) -> None:
        sent = deque(lazy.query(SUM) for _ in range(in_flight))
        for _ in range(calls - in_flight):
            force(sent.popleft())
            sent.append(lazy.query(SUM))
        for thunk in sent:
            force(thunk)

    return run


# The ceiling: a socket of one's own, and no client at all


def raw(window: int, code: str = SUM) -> Callable[[int], None]:
    """So many queries in one write, wait for their answers, repeat."""
    node = address()
    connection = socket.create_connection((node.host, node.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    parser = PackageParser()
    body = pack([SCOPE, code])

    def exchange(data: bytes, answers: int) -> None:
        connection.sendall(data)
        while answers > 0:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            answers -= sum(each.kind >= Kind.PONG for each in parser.feed(connection.recv(65_536)))

    exchange(package(Kind.AUTH, 0, pack([node.user, node.password])), 1)
    burst = b"".join(package(Kind.QUERY, id, body) for id in range(window))

    def run(calls: int) -> None:
        for _ in range(-(-calls // window)):
            exchange(burst, window)

    return run


def raw_rate(calls: int, window: int, code: str = SUM) -> Contender:
    return lambda _folder: rate(raw(window, code), calls)


# Rooms


def our_room(client: Any, each: Callable[[], object], room: int | str = ROOM) -> Any:
    """A joined Room of ours, which calls `each` for each event."""
    from flowthings_like import Room, event

    class Chat(Room):
        @event("msg")
        def on_msg(self, _text: str) -> None:
            each()

    chat = Chat(room, scope=SCOPE)
    chat.join(client)
    return chat


async def genuine_room(client: Any, each: Callable[[], object], room: int | str = ROOM) -> Any:
    from thingsdb.room import Room, event

    class Chat(Room):
        @event("msg")
        def on_msg(self, _text: str) -> None:
            each()

    chat = Chat(room, scope=SCOPE)
    await chat.join(client)
    return chat
