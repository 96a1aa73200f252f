"""Whatever a request is, the answer is a message or a refusal, and the store goes on."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flowthings_like.platform.streams.handlers.registry import handlers
from flowthings_like.platform.streams.store import StreamStore
from flowthings_like.wire.btrdb import v5api
from flowthings_like.wire.grpc.status import GrpcError

from .harness import Direct, FakeContext, authenticate, pairs


def requests(uuid: bytes) -> list[bytes]:
    """Valid requests, whose fields mostly have the same numbers in all calls."""
    messages: list[Any] = [
        v5api.InsertParams(uuid=uuid, values=[v5api.RawPoint(time=n, value=1.5) for n in range(20)]),
        v5api.CreateParams(uuid=b"y" * 16, collection="c", tags=pairs({"name": "n"})),
        v5api.RawValuesParams(uuid=uuid, start=0, end=100, versionMajor=11),
        v5api.WindowsParams(uuid=uuid, start=0, end=1000, width=100),
        v5api.AlignedWindowsParams(uuid=uuid, start=0, end=1000, pointWidth=5),
        v5api.NearestParams(uuid=uuid, time=5, backward=True),
        v5api.SQLQueryParams(query="select name from streams where name = $1", params=["n"]),
        v5api.LookupStreamsParams(collection="c", isCollectionPrefix=True),
        v5api.SetStreamTagsParams(uuid=uuid, expectedPropertyVersion=1, tags=pairs({"unit": "V"})),
        v5api.ArrowMultiValuesParams(uuid=[uuid], start=0, end=100, snapPeriodNs=7),
    ]
    return [message.SerializeToString() for message in messages]


def mutated(chance: random.Random, request: bytes) -> bytes:
    data = bytearray(request)
    for _ in range(chance.randint(1, 6)):
        kind = chance.randrange(4)
        place = chance.randrange(len(data) + 1)
        if kind == 0 and data:
            data[place % len(data)] = chance.randrange(256)
        elif kind == 1:
            data[place:place] = chance.randbytes(chance.randint(1, 9))
        elif kind == 2:
            del data[place : place + chance.randint(1, 9)]
        else:
            data += data[place : place + 30]
    return bytes(data)


def attack(direct: Direct, count: int, seed: int) -> None:
    chance = random.Random(seed)
    uuid = direct.create()
    direct.insert(uuid, [(n, float(n)) for n in range(50)])
    valid = requests(uuid.bytes)
    found = handlers(direct.store, authenticate)
    for _ in range(count):
        handle = found[chance.choice(list(found))]
        try:
            answer = handle(mutated(chance, chance.choice(valid)), FakeContext("acme"))
            if not isinstance(answer, bytes):
                for _, data in zip(range(5), answer, strict=False):
                    assert isinstance(data, bytes)
        except GrpcError as error:
            if error.code != 3:
                raise
    assert direct.lookup() is not None
    direct.insert(direct.create(), [(1, 1.0)])


@pytest.mark.once
def test_mutated_requests(direct: Direct) -> None:
    attack(direct, 1500, 7)


@pytest.mark.once
@pytest.mark.exhaustive
def test_very_many_mutated_requests(streams: StreamStore) -> None:
    attack(Direct(streams), 100_000, 8)
