"""BTrDB 5: the calls of `v5api`, and those of the embedded platform's store."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...errors import InvalidResponse
from ...wire.btrdb import status, v5api
from ...wire.btrdb.errors import NoSuchPoint
from ...wire.btrdb.points import INSERTED, decode_raw, decode_stat, encode_raw
from .arguments import MERGE_POLICIES
from .constants import BATCH_SIZE
from .dialect import ChangedRanges, Descriptor, Dialect, Nearest, StreamState, Texts
from .points import RawPoint, RawPoints, StatPoints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .connection import Connection

__all__ = ["V5"]

_NEVER = MERGE_POLICIES.index("never")


class V5(Dialect):
    """Speaks version 5 over a connection."""

    SERVICE = "v5api.BTrDB"
    STORE = "flowthings_like.StreamStore"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.batch_size = BATCH_SIZE

    # Streams

    def info(self) -> dict[str, Any]:
        answer = self._call("Info", v5api.InfoParams(), v5api.InfoResponse)
        endpoints = list(answer.proxy.proxyEndpoints)
        return {
            "major_version": answer.majorVersion,
            "minor_version": answer.minorVersion,
            "build": answer.build,
            "proxy": {"proxy_endpoints": endpoints, "proxyEndpoints": endpoints},
            "majorVersion": answer.majorVersion,
            "minorVersion": answer.minorVersion,
        }

    def create(self, uuid: UUID, collection: str, tags: Texts, annotations: Texts) -> None:
        params = v5api.CreateParams(
            uuid=uuid.bytes, collection=collection, tags=_pairs(tags), annotations=_pairs(annotations)
        )
        self._call("Create", params, v5api.CreateResponse, is_repeatable=False)

    def stream_info(self, uuid: UUID, *, version: bool = True, descriptor: bool = True) -> StreamState:
        params = v5api.StreamInfoParams(
            uuid=uuid.bytes, omitVersion=not version, omitDescriptor=not descriptor
        )
        answer = self._call("StreamInfo", params, v5api.StreamInfoResponse)
        return StreamState(answer.versionMajor, _descriptor(answer.descriptor) if descriptor else None)

    def set_tags(self, uuid: UUID, expected: int, tags: Texts, collection: str) -> None:
        params = v5api.SetStreamTagsParams(
            uuid=uuid.bytes, expectedPropertyVersion=expected, tags=_pairs(tags), collection=collection
        )
        self._call("SetStreamTags", params, v5api.SetStreamTagsResponse, is_repeatable=False)

    def set_annotations(
        self, uuid: UUID, expected: int, changes: Mapping[str, str], removals: Sequence[str]
    ) -> None:
        params = v5api.SetStreamAnnotationsParams(
            uuid=uuid.bytes, expectedPropertyVersion=expected, changes=_pairs(changes), removals=removals
        )
        self._call("SetStreamAnnotations", params, v5api.SetStreamAnnotationsResponse, is_repeatable=False)

    def list_collections(self, prefix: str) -> Iterator[str]:
        params = v5api.ListCollectionsParams(prefix=prefix)
        for answer in self._stream("ListCollections", params, v5api.ListCollectionsResponse):
            yield from answer.collections

    def lookup(
        self, collection: str, is_prefix: bool, tags: Texts, annotations: Texts
    ) -> Iterator[Descriptor]:
        params = v5api.LookupStreamsParams(
            collection=collection,
            isCollectionPrefix=is_prefix,
            tags=_pairs(tags),
            annotations=_pairs(annotations),
        )
        for answer in self._stream("LookupStreams", params, v5api.LookupStreamsResponse):
            yield from map(_descriptor, answer.results)

    def metadata_usage(self, prefix: str) -> tuple[dict[str, int], dict[str, int]]:
        params = v5api.MetadataUsageParams(prefix=prefix)
        answer = self._call("GetMetadataUsage", params, v5api.MetadataUsageResponse)
        return (
            {each.key: each.count for each in answer.tags},
            {each.key: each.count for each in answer.annotations},
        )

    def obliterate(self, uuid: UUID) -> None:
        params = v5api.ObliterateParams(uuid=uuid.bytes)
        self._call("Obliterate", params, v5api.ObliterateResponse, is_repeatable=False)

    # Points

    def insert(
        self,
        uuid: UUID,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        merge: int,
    ) -> int:
        params = v5api.InsertParams(uuid=uuid.bytes, merge_policy=merge)  # type: ignore[arg-type]
        request = params.SerializeToString() + encode_raw(times, values, INSERTED)
        # With the other policies, points that were stored already are not stored again.
        return self._version("Insert", request, v5api.InsertResponse, is_repeatable=merge != _NEVER)

    def delete(self, uuid: UUID, start: int, end: int) -> int:
        params = v5api.DeleteParams(uuid=uuid.bytes, start=start, end=end)
        return self._version("Delete", params.SerializeToString(), v5api.DeleteResponse)

    def flush(self, uuid: UUID) -> int:
        params = v5api.FlushParams(uuid=uuid.bytes)
        return self._version("Flush", params.SerializeToString(), v5api.FlushResponse)

    def nearest(self, uuid: UUID, time: int, version: int, backward: bool) -> Nearest | None:
        params = v5api.NearestParams(uuid=uuid.bytes, time=time, versionMajor=version, backward=backward)
        try:
            answer = self._call("Nearest", params, v5api.NearestResponse)
        except NoSuchPoint:
            return None
        return Nearest(RawPoint(answer.value.time, answer.value.value), answer.versionMajor)

    def raw_values(self, uuid: UUID, start: int, end: int, version: int) -> Iterator[RawPoints]:
        params = v5api.RawValuesParams(uuid=uuid.bytes, start=start, end=end, versionMajor=version)
        return self._connection.stream(self._path("RawValues"), params.SerializeToString(), _read_raw)

    def windows(
        self, uuid: UUID, start: int, end: int, version: int, width: int, depth: int
    ) -> Iterator[StatPoints]:
        params = v5api.WindowsParams(
            uuid=uuid.bytes, start=start, end=end, versionMajor=version, width=width, depth=depth
        )
        return self._connection.stream(self._path("Windows"), params.SerializeToString(), _read_stat)

    def aligned_windows(
        self, uuid: UUID, start: int, end: int, version: int, point_width: int
    ) -> Iterator[StatPoints]:
        params = v5api.AlignedWindowsParams(
            uuid=uuid.bytes, start=start, end=end, versionMajor=version, pointWidth=point_width
        )
        return self._connection.stream(self._path("AlignedWindows"), params.SerializeToString(), _read_stat)

    def changes(self, uuid: UUID, since: int, until: int, resolution: int) -> Iterator[ChangedRanges]:
        params = v5api.ChangesParams(uuid=uuid.bytes, fromMajor=since, toMajor=until, resolution=resolution)
        for answer in self._stream("Changes", params, v5api.ChangesResponse):
            yield ChangedRanges([(each.start, each.end) for each in answer.ranges], answer.versionMajor)

    # Queries, and the store's own calls

    def sql(self, query: str, params: Sequence[str]) -> Iterator[Any]:
        request = v5api.SQLQueryParams(query=query, params=params)
        for answer in self._stream("SQLQuery", request, v5api.SQLQueryResponse):
            for row in answer.SQLQueryRow:
                try:
                    yield json.loads(row)
                except ValueError:
                    raise InvalidResponse("a row of the server's answer is not JSON") from None

    def call_store(self, method: str, params: Any, answer: Any) -> Any:
        read = partial(status.read, answer)
        is_repeatable = method.startswith("Get")
        path = f"/{self.STORE}/{method}"
        return self._connection.unary(path, params.SerializeToString(), read, is_repeatable=is_repeatable)

    # How calls are made

    def _path(self, rpc: str) -> str:
        return f"/{self.SERVICE}/{rpc}"

    def _call(self, rpc: str, params: Any, answer: Any, *, is_repeatable: bool = True) -> Any:
        read = partial(status.read, answer)
        request = params.SerializeToString()
        return self._connection.unary(self._path(rpc), request, read, is_repeatable=is_repeatable)

    def _stream(self, rpc: str, params: Any, answer: Any) -> Iterator[Any]:
        read = partial(status.read, answer)
        return self._connection.stream(self._path(rpc), params.SerializeToString(), read)

    def _version(self, rpc: str, request: bytes, answer: Any, *, is_repeatable: bool = True) -> int:
        read = partial(status.read, answer)
        found = self._connection.unary(self._path(rpc), request, read, is_repeatable=is_repeatable)
        version: int = found.versionMajor
        return version


def _read_raw(message: bytes) -> RawPoints:
    rest, columns = decode_raw(message)
    return RawPoints.of(columns, status.read(v5api.RawValuesResponse, rest).versionMajor)


def _read_stat(message: bytes) -> StatPoints:
    rest, columns = decode_stat(message)
    return StatPoints.of(columns, status.read(v5api.WindowsResponse, rest).versionMajor)


def _pairs(texts: Texts) -> list[Any]:
    return [
        v5api.KeyOptValue(key=key, val=None if value is None else v5api.OptValue(value=value))
        for key, value in texts.items()
    ]


def _descriptor(found: Any) -> Descriptor:
    try:
        uuid = UUID(bytes=found.uuid)
    except ValueError:
        raise InvalidResponse("a stream in the server's answer has no UUID") from None
    return Descriptor(
        uuid,
        found.collection,
        {each.key: each.val.value for each in found.tags},
        {each.key: each.val.value for each in found.annotations},
        found.propertyVersion,
    )
