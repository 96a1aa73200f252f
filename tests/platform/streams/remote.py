"""A client of a served store: protobuf messages over the library's own channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from flowthings_like.transport.grpc.channel import Channel
from flowthings_like.wire.btrdb import status, v5api
from flowthings_like.wire.btrdb.points import RETURNED, decode_raw, encode_raw


class Remote:
    """A connection to a store. Close it."""

    def __init__(self, address: Any, timeout: float = 30.0) -> None:
        host, port, key = address
        self.channel = Channel(host, port, metadata=[("authorization", f"Bearer {key}")], timeout=timeout)

    def call(self, name: str, params: Any, answer: Any) -> Any:
        data = self.channel.unary(f"/v5api.BTrDB/{name}", params.SerializeToString())
        return status.read(answer, data)

    def create(self, uuid: UUID | None = None, collection: str = "c") -> UUID:
        uuid = uuid or uuid4()
        name = v5api.KeyOptValue(key="name", val=v5api.OptValue(value=str(uuid)))
        params = v5api.CreateParams(uuid=uuid.bytes, collection=collection, tags=[name])
        self.call("Create", params, v5api.CreateResponse)
        return uuid

    def insert(self, uuid: UUID, times: Any, values: Any) -> int:
        request = v5api.InsertParams(uuid=uuid.bytes).SerializeToString()
        request += encode_raw(np.asarray(times, np.int64), np.asarray(values, np.float64))
        answer = status.read(v5api.InsertResponse, self.channel.unary("/v5api.BTrDB/Insert", request))
        return int(answer.versionMajor)

    def values(self, uuid: UUID, start: int, end: int) -> Iterator[tuple[int, float]]:
        params = v5api.RawValuesParams(uuid=uuid.bytes, start=start, end=end)
        for data in self.channel.stream("/v5api.BTrDB/RawValues", params.SerializeToString()):
            rest, points = decode_raw(data, RETURNED)
            status.read(v5api.RawValuesResponse, rest)
            yield from zip(points.times.tolist(), points.values.tolist(), strict=True)

    def version(self, uuid: UUID) -> int:
        params = v5api.StreamInfoParams(uuid=uuid.bytes)
        return int(self.call("StreamInfo", params, v5api.StreamInfoResponse).versionMajor)

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
