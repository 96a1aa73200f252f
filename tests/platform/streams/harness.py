"""Calls the handlers as the server would: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from flowthings_like.platform.streams.handlers.registry import handlers
from flowthings_like.platform.streams.store import StreamStore
from flowthings_like.wire.btrdb import store as own
from flowthings_like.wire.btrdb import v5api
from flowthings_like.wire.btrdb.points import RETURNED, decode_raw, decode_stat, encode_raw
from flowthings_like.wire.grpc.status import GrpcError, StatusCode

ACME = "acme"


class Refused(Exception):
    """A status that is not OK."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class FakeContext:
    """What the server would tell a handler about a call."""

    def __init__(self, key: str) -> None:
        self.method = ""
        self.metadata: Mapping[str, str] = {"authorization": f"Bearer {key}"}
        self.peer = "127.0.0.1:1"
        self.deadline: float | None = None
        self.is_cancelled = False


def authenticate(context: Any) -> str:
    """The key is the account's name."""
    key = context.metadata["authorization"].removeprefix("Bearer ")
    if key not in (ACME, "bravo"):
        raise GrpcError(StatusCode.UNAUTHENTICATED, "invalid api key")
    return str(key)


class Direct:
    """A client without a network.

    Args:
        store: what the handlers ask.
        key: the account's name.
    """

    def __init__(self, store: StreamStore, key: str = ACME) -> None:
        self.store = store
        self._handlers = handlers(store, authenticate)
        self._key = key

    def bytes(self, method: str, request: bytes) -> Any:
        return self._handlers[method](request, FakeContext(self._key))

    def unary(self, name: str, params: Any, answer: Any, service: str = "v5api.BTrDB") -> Any:
        found = answer.FromString(self.bytes(f"/{service}/{name}", params.SerializeToString()))
        _check(found)
        return found

    def stream(self, name: str, params: Any, answer: Any) -> Iterator[Any]:
        for data in self.bytes(f"/v5api.BTrDB/{name}", params.SerializeToString()):
            found = answer.FromString(data)
            _check(found)
            yield found

    def own(self, name: str, params: Any, answer: Any) -> Any:
        return self.unary(name, params, answer, "flowthings_like.StreamStore")

    # What tests ask for

    def create(
        self,
        collection: str = "c",
        tags: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        uuid: UUID | None = None,
    ) -> UUID:
        uuid = uuid or uuid4()
        tags = {"name": str(uuid)} if tags is None else tags
        params = v5api.CreateParams(
            uuid=uuid.bytes,
            collection=collection,
            tags=pairs(tags),
            annotations=pairs(annotations or {}),
        )
        self.unary("Create", params, v5api.CreateResponse)
        return uuid

    def insert(self, uuid: UUID, points: Any, policy: int = 0, **more: Any) -> int:
        times = np.array([time for time, _ in points], np.int64)
        values = np.array([value for _, value in points], np.float64)
        return self.insert_arrays(uuid, times, values, policy, **more)

    def insert_arrays(self, uuid: UUID, times: Any, values: Any, policy: int = 0, **more: Any) -> int:
        params = v5api.InsertParams(uuid=uuid.bytes, merge_policy=policy, **more)  # type: ignore[arg-type]
        request = params.SerializeToString() + encode_raw(times, values)
        answer = v5api.InsertResponse.FromString(self.bytes("/v5api.BTrDB/Insert", request))
        _check(answer)
        return int(answer.versionMajor)

    def delete(self, uuid: UUID, start: int, end: int) -> int:
        params = v5api.DeleteParams(uuid=uuid.bytes, start=start, end=end)
        return int(self.unary("Delete", params, v5api.DeleteResponse).versionMajor)

    def values(self, uuid: UUID, start: int, end: int, version: int = 0) -> list[tuple[int, float]]:
        params = v5api.RawValuesParams(uuid=uuid.bytes, start=start, end=end, versionMajor=version)
        found: list[tuple[int, float]] = []
        for data in self.bytes("/v5api.BTrDB/RawValues", params.SerializeToString()):
            rest, points = decode_raw(data, RETURNED)
            _check(v5api.RawValuesResponse.FromString(rest))
            found += zip(points.times.tolist(), points.values.tolist(), strict=True)
        return found

    def nearest(self, uuid: UUID, time: int, version: int = 0, backward: bool = False) -> tuple[int, float]:
        params = v5api.NearestParams(uuid=uuid.bytes, time=time, versionMajor=version, backward=backward)
        answer = self.unary("Nearest", params, v5api.NearestResponse)
        return answer.value.time, answer.value.value

    def aligned(self, uuid: UUID, start: int, end: int, width: int, version: int = 0) -> list[Any]:
        params = v5api.AlignedWindowsParams(
            uuid=uuid.bytes, start=start, end=end, versionMajor=version, pointWidth=width
        )
        return self._statistics("AlignedWindows", params, v5api.AlignedWindowsResponse)

    def windows(
        self, uuid: UUID, start: int, end: int, width: int, version: int = 0, depth: int = 0
    ) -> list[Any]:
        params = v5api.WindowsParams(
            uuid=uuid.bytes, start=start, end=end, versionMajor=version, width=width, depth=depth
        )
        return self._statistics("Windows", params, v5api.WindowsResponse)

    def changes(self, uuid: UUID, after: int, until: int = 0, resolution: int = 0) -> list[tuple[int, int]]:
        params = v5api.ChangesParams(uuid=uuid.bytes, fromMajor=after, toMajor=until, resolution=resolution)
        answers = self.stream("Changes", params, v5api.ChangesResponse)
        return [(each.start, each.end) for answer in answers for each in answer.ranges]

    def info(self, uuid: UUID) -> Any:
        return self.unary("StreamInfo", v5api.StreamInfoParams(uuid=uuid.bytes), v5api.StreamInfoResponse)

    def version(self, uuid: UUID) -> int:
        return int(self.info(uuid).versionMajor)

    def lookup(self, collection: str = "", is_prefix: bool = True, **more: Any) -> list[UUID]:
        params = v5api.LookupStreamsParams(collection=collection, isCollectionPrefix=is_prefix, **more)
        answers = self.stream("LookupStreams", params, v5api.LookupStreamsResponse)
        return [UUID(bytes=each.uuid) for answer in answers for each in answer.results]

    def sql(self, query: str, *params: str) -> list[Any]:
        import json

        request = v5api.SQLQueryParams(query=query, params=list(params))
        answers = self.stream("SQLQuery", request, v5api.SQLQueryResponse)
        return [json.loads(row) for answer in answers for row in answer.SQLQueryRow]

    def write_row(self, method: str, id: int = 0, fields: bytes = b"") -> int:
        params = own.WriteRowParams(id=id, fields=fields)
        return int(self.own(method, params, own.WriteRowResponse).id)

    def _statistics(self, name: str, params: Any, answer: Any) -> list[Any]:
        found: list[Any] = []
        for data in self.bytes(f"/v5api.BTrDB/{name}", params.SerializeToString()):
            rest, points = decode_stat(data, RETURNED)
            _check(answer.FromString(rest))
            columns = (points.times, points.mins, points.means, points.maxes, points.counts, points.stddevs)
            found += zip(*(column.tolist() for column in columns), strict=True)
        return found


def pairs(values: Mapping[str, str | None]) -> list[Any]:
    """Keys with optional values, as requests have them."""
    return [
        v5api.KeyOptValue(key=key, val=None if value is None else v5api.OptValue(value=value))
        for key, value in values.items()
    ]


def _check(answer: Any) -> None:
    if answer.stat.code:
        raise Refused(answer.stat.code, answer.stat.msg)
