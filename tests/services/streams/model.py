"""A BTrDB server in memory, by the specification's bytes: what the client is tested against.

`ModelServer` answers as version 5, `OldServer` as the open server of version 4, with its peculiarities. Both
are tables of handlers; `Wire` calls them in place of a channel.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flowthings_like.services.streams.times import MAXIMUM_TIME, MINIMUM_TIME
from flowthings_like.wire.btrdb import store, v4api, v5api
from flowthings_like.wire.grpc.status import GrpcError

KEY = "secret-key"
PART = 500
"""Points in one message of an answer."""

LAST = MAXIMUM_TIME + 1


class Refused(Exception):
    """An answer with a status."""

    def __init__(self, code: int, message: str = "refused") -> None:
        self.code = code
        self.message = message


@dataclass
class Model:
    """One stream: its points in each version."""

    collection: str
    tags: dict[str, str]
    annotations: dict[str, str]
    property_version: int = 1
    versions: dict[int, list[tuple[int, float]]] = field(default_factory=lambda: {10: []})
    touched: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def latest(self) -> int:
        return max(self.versions)

    def points(self, version: int) -> list[tuple[int, float]]:
        if not version:
            return self.versions[self.latest]
        if version > self.latest:
            raise Refused(450, "no such version")
        return self.versions.get(version, [])

    def commit(self, points: list[tuple[int, float]], touched: tuple[int, int]) -> int:
        number = self.latest + 1
        self.versions[number] = sorted(points, key=lambda point: point[0])  # stable: equal times keep order
        self.touched[number] = touched
        return number


class ModelServer:
    """Version 5.

    Attributes:
        calls: the method and the request of each call.
        most: the most points of an insert.
        wires: the channels that clients have opened.
    """

    service = "v5api.BTrDB"
    messages: Any = v5api

    def __init__(self) -> None:
        self.streams: dict[bytes, Model] = {}
        self.obliterated: set[bytes] = set()
        self.calls: list[tuple[str, bytes]] = []
        self.wires: list[Wire] = []
        self.retention: dict[Any, int] = {}
        self.tables: dict[str, dict[int, dict[str, Any]]] = {"devices": {}, "units": {}}
        self.most = 50_000

    def handlers(self) -> dict[str, Callable[[bytes], Any]]:
        """The handlers by the path of their call."""
        named = {f"/{self.service}/{name}": getattr(self, name) for name in dir(self) if name[:1].isupper()}
        if self.service == "v5api.BTrDB":
            of_store = (
                *("GetRetention", "SetRetention"),
                *(f"{verb}{what}" for verb in ("Create", "Update", "Delete") for what in ("Device", "Unit")),
            )
            named |= {
                f"/flowthings_like.StreamStore/{name}": (lambda body, name=name: self._own(name, body))
                for name in of_store
            }
        return named

    # Streams

    def Info(self, body: bytes) -> Any:
        return v5api.InfoResponse(
            majorVersion=5,
            minorVersion=34,
            build="model",
            proxy=v5api.ProxyInfo(proxyEndpoints=["here:4410"]),
        )

    def Create(self, body: bytes) -> Any:
        asked = self.messages.CreateParams.FromString(body)
        if asked.uuid in self.obliterated:
            raise Refused(429)
        if asked.uuid in self.streams:
            raise Refused(417, "stream exists")
        tags = {each.key: self._text(each) for each in asked.tags}
        for stream in self.streams.values():
            if (stream.collection, stream.tags) == (asked.collection, tags):
                raise Refused(418, "ambiguous")
        annotations = {each.key: self._text(each) for each in asked.annotations}
        self.streams[asked.uuid] = Model(asked.collection, tags, annotations)
        return v5api.CreateResponse()

    def _text(self, pair: Any) -> str:
        text: str = pair.val.value
        return text

    def _stream(self, uuid: bytes) -> Model:
        if uuid not in self.streams:
            raise Refused(404, "stream does not exist")
        return self.streams[uuid]

    def _descriptor(self, uuid: bytes) -> Any:
        stream = self.streams[uuid]
        return v5api.StreamDescriptor(
            uuid=uuid,
            collection=stream.collection,
            tags=self._pairs(stream.tags),
            annotations=self._pairs(stream.annotations),
            propertyVersion=stream.property_version,
        )

    def _pairs(self, texts: dict[str, str]) -> list[Any]:
        return [v5api.KeyOptValue(key=key, val=v5api.OptValue(value=value)) for key, value in texts.items()]

    def StreamInfo(self, body: bytes) -> Any:
        asked = v5api.StreamInfoParams.FromString(body)
        stream = self._stream(asked.uuid)
        answer = self._info()
        if not asked.omitVersion:
            answer.versionMajor = stream.latest
        if not asked.omitDescriptor:
            answer.descriptor.CopyFrom(self._descriptor(asked.uuid))
        return answer

    def _info(self) -> Any:
        return v5api.StreamInfoResponse()

    def SetStreamTags(self, body: bytes) -> Any:
        asked = v5api.SetStreamTagsParams.FromString(body)
        stream = self._stream(asked.uuid)
        if asked.expectedPropertyVersion != stream.property_version:
            raise Refused(423, "property version mismatch")
        stream.tags |= {each.key: each.val.value for each in asked.tags}
        stream.collection = asked.collection
        stream.property_version += 1
        return v5api.SetStreamTagsResponse()

    def SetStreamAnnotations(self, body: bytes) -> Any:
        asked = v5api.SetStreamAnnotationsParams.FromString(body)
        stream = self._stream(asked.uuid)
        if asked.expectedPropertyVersion != stream.property_version:
            raise Refused(423, "property version mismatch")
        stream.annotations |= {each.key: each.val.value for each in asked.changes}
        for key in asked.removals:
            del stream.annotations[key]
        stream.property_version += 1
        return v5api.SetStreamAnnotationsResponse()

    def ListCollections(self, body: bytes) -> Iterator[Any]:
        prefix = v5api.ListCollectionsParams.FromString(body).prefix
        names = sorted({each.collection for each in self.streams.values()})
        yield v5api.ListCollectionsResponse(collections=[name for name in names if name.startswith(prefix)])

    def LookupStreams(self, body: bytes) -> Iterator[Any]:
        asked = self.messages.LookupStreamsParams.FromString(body)
        found = [uuid for uuid, stream in self.streams.items() if self._matches(stream, asked)]
        yield self.messages.LookupStreamsResponse(results=[self._descriptor(uuid) for uuid in found])

    def _matches(self, stream: Model, asked: Any) -> bool:
        name = stream.collection
        if not (name.startswith(asked.collection) if asked.isCollectionPrefix else name == asked.collection):
            return False
        for wanted, found in ((asked.tags, stream.tags), (asked.annotations, stream.annotations)):
            for each in wanted:
                if each.key not in found or (each.HasField("val") and self._text(each) != found[each.key]):
                    return False
        return True

    def GetMetadataUsage(self, body: bytes) -> Any:
        answer = v5api.MetadataUsageResponse()
        for counts, name in ((answer.tags, "tags"), (answer.annotations, "annotations")):
            keys = [key for stream in self.streams.values() for key in getattr(stream, name)]
            for key in sorted(set(keys)):
                counts.add(key=key, count=keys.count(key))
        return answer

    # Points

    def Insert(self, body: bytes) -> Any:
        asked = v5api.InsertParams.FromString(body)
        stream = self._stream(asked.uuid)
        if len(asked.values) > self.most:
            raise Refused(414, "too many")
        new = [(each.time, each.value) for each in asked.values]
        if any(not MINIMUM_TIME <= time <= LAST - 2 for time, _ in new):
            raise Refused(413)
        points = list(stream.points(0))
        if asked.merge_policy == v5api.NEVER:
            points += new
        else:
            for point in new:
                points = _merged(points, point, asked.merge_policy)
        times = [time for time, _ in new]
        return v5api.InsertResponse(versionMajor=stream.commit(points, (min(times), max(times) + 1)))

    def Delete(self, body: bytes) -> Any:
        asked = v5api.DeleteParams.FromString(body)
        stream = self._stream(asked.uuid)
        kept = [point for point in stream.points(0) if not asked.start <= point[0] < asked.end]
        return v5api.DeleteResponse(versionMajor=stream.commit(kept, (asked.start, asked.end)))

    def Flush(self, body: bytes) -> Any:
        return v5api.FlushResponse(versionMajor=self._stream(v5api.FlushParams.FromString(body).uuid).latest)

    def Obliterate(self, body: bytes) -> Any:
        uuid = v5api.ObliterateParams.FromString(body).uuid
        self._stream(uuid)
        del self.streams[uuid]
        self.obliterated.add(uuid)
        return v5api.ObliterateResponse()

    def Nearest(self, body: bytes) -> Any:
        asked = v5api.NearestParams.FromString(body)
        stream = self._stream(asked.uuid)
        points = stream.points(asked.versionMajor)
        found = (
            [point for point in points if point[0] < asked.time][-1:]
            if asked.backward
            else [point for point in points if point[0] >= asked.time][:1]
        )
        if not found:
            raise Refused(401, "no such point")
        time, value = found[0]
        return v5api.NearestResponse(
            versionMajor=asked.versionMajor or stream.latest, value=v5api.RawPoint(time=time, value=value)
        )

    def RawValues(self, body: bytes) -> Iterator[Any]:
        asked = v5api.RawValuesParams.FromString(body)
        stream, points = self._range(asked)
        for first in range(0, len(points), PART):
            answer = v5api.RawValuesResponse(versionMajor=asked.versionMajor or stream.latest)
            for time, value in points[first : first + PART]:
                answer.values.add(time=time, value=value)
            yield answer

    def _range(self, asked: Any) -> tuple[Model, list[tuple[int, float]]]:
        if not MINIMUM_TIME <= asked.start < asked.end < LAST:
            raise Refused(413, "bad range")
        stream = self._stream(asked.uuid)
        points = stream.points(asked.versionMajor)
        return stream, [point for point in points if asked.start <= point[0] < asked.end]

    def AlignedWindows(self, body: bytes) -> Iterator[Any]:
        asked = v5api.AlignedWindowsParams.FromString(body)
        if asked.pointWidth > 63:
            raise Refused(415)
        self._range(asked)
        first, last = asked.start >> asked.pointWidth, asked.end >> asked.pointWidth
        if first >= last and self.service != "v5api.BTrDB":
            raise Refused(413)
        stream = self._stream(asked.uuid)
        windows: dict[int, list[float]] = {}
        for time, value in stream.points(asked.versionMajor):
            if first <= time >> asked.pointWidth < last:
                windows.setdefault(time >> asked.pointWidth << asked.pointWidth, []).append(value)
        yield from self._windows(asked.versionMajor or stream.latest, list(windows.items()))

    def Windows(self, body: bytes) -> Iterator[Any]:
        asked = v5api.WindowsParams.FromString(body)
        stream, points = self._range(asked)
        count = (asked.end - asked.start) // asked.width
        windows = (
            [(asked.start + number * asked.width, []) for number in range(count)] if count < 9999 else []
        )
        for time, value in points:
            number = (time - asked.start) // asked.width
            if number < len(windows):
                windows[number][1].append(value)
        yield from self._windows(asked.versionMajor or stream.latest, self._shown(windows))

    def _shown(self, windows: list[tuple[int, list[float]]]) -> list[tuple[int, list[float]]]:
        return windows

    def _windows(self, version: int, windows: list[tuple[int, list[float]]]) -> Iterator[Any]:
        for first in range(0, len(windows), PART):
            answer = v5api.WindowsResponse(versionMajor=version)
            for time, values in windows[first : first + PART]:
                point = answer.values.add(time=time, count=len(values))
                if values:
                    mean = sum(values) / len(values)
                    point.min, point.mean, point.max = min(values), mean, max(values)
                    if self.service == "v5api.BTrDB":
                        point.stddev = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
            yield answer

    def Changes(self, body: bytes) -> Iterator[Any]:
        asked = v5api.ChangesParams.FromString(body)
        stream = self._stream(asked.uuid)
        until = asked.toMajor or stream.latest
        if asked.fromMajor > until:
            raise Refused(427)
        answer = v5api.ChangesResponse(versionMajor=until)
        for number, (start, end) in sorted(stream.touched.items()):
            if asked.fromMajor < number <= until:
                shift = asked.resolution
                answer.ranges.add(start=start >> shift << shift, end=-(-end >> shift) << shift)
        yield answer

    # Queries and the store's own calls

    def SQLQuery(self, body: bytes) -> Iterator[Any]:
        asked = v5api.SQLQueryParams.FromString(body)
        query = asked.query.lower()
        rows: list[Any]
        if "drop" in query:
            raise Refused(441, "only select")
        if " devices" in query or " units" in query:
            rows = list(self.tables["devices" if " devices" in query else "units"].values())
            if "where id = " in query:
                rows = [row for row in rows if row["id"] == int(query.rpartition("= ")[2])]
        elif "distinct" in query:
            keys: set[str] = set()
            for stream in self.streams.values():
                if stream.collection.startswith(asked.params[0]):
                    of = stream.annotations if "skeys" in query else stream.tags
                    keys |= set(of) if "skeys" in query else {of["name" if "name" in query else "unit"]}
            rows = [{"value": key} for key in sorted(keys)]
        else:
            rows = [{"count": len(self.streams), "params": list(asked.params)}]
        yield v5api.SQLQueryResponse(SQLQueryRow=[json.dumps(row).encode() for row in rows])

    def _own(self, name: str, body: bytes) -> Any:
        if name == "SetRetention":
            asked = store.SetRetentionParams.FromString(body)
            place = asked.uuid or asked.collection
            self.retention.pop(place, None)
            if asked.HasField("retention"):
                self.retention[place] = asked.retention.removeOlderThan
            if asked.overridePerStream:
                for uuid, stream in self.streams.items():
                    if stream.collection == asked.collection:
                        self.retention.pop(uuid, None)
            return store.SetRetentionResponse()
        if name == "GetRetention":
            given = store.GetRetentionParams.FromString(body)
            place = given.uuid or given.collection
            inherited = bool(given.uuid) and given.uuid not in self.retention
            if inherited:
                place = self._stream(given.uuid).collection
            kept = self.retention.get(place)
            policy = None if kept is None else store.Retention(removeOlderThan=kept)
            return store.GetRetentionResponse(retention=policy, isInherited=inherited)
        params = store.WriteRowParams.FromString(body)
        table = self.tables["devices" if name.endswith("Device") else "units"]
        id = params.id or len(table) + 1
        if name.startswith("Create"):
            table[id] = {"id": id, **json.loads(params.fields)}
        elif id not in table:
            raise Refused(445, "not found")
        elif name.startswith("Update"):
            table[id] |= json.loads(params.fields)
        else:
            del table[id]
        return store.WriteRowResponse(id=id)


def _merged(
    points: list[tuple[int, float]], point: tuple[int, float], policy: int
) -> list[tuple[int, float]]:
    same = [each for each in points if each[0] == point[0]]
    if (policy == v5api.EQUAL and point in same) or (policy == v5api.RETAIN and same):
        return points
    if policy == v5api.REPLACE:
        points = [each for each in points if each[0] != point[0]]
    return [*points, point]


class OldServer(ModelServer):
    """Version 4: no SQL, no merge policies, no standard deviations, at most 25,000 points in an insert."""

    service = "grpcinterface.BTrDB"
    messages = v4api
    SQLQuery = SetStreamTags = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.most = 25_000

    def handlers(self) -> dict[str, Callable[[bytes], Any]]:
        return {path: handler for path, handler in super().handlers().items() if handler is not None}

    def Info(self, body: bytes) -> Any:
        return v5api.InfoResponse(majorVersion=4, minorVersion=15, build="4.15.9")

    def _text(self, pair: Any) -> str:
        value: bytes = pair.val.value if hasattr(pair, "val") else pair.value
        return value.decode()

    def _info(self) -> Any:
        return v4api.StreamInfoResponse()

    def _descriptor(self, uuid: bytes) -> Any:
        stream = self.streams[uuid]
        return v4api.StreamDescriptor(
            uuid=uuid,
            collection=stream.collection,
            tags=[v4api.KeyValue(key=key, value=value.encode()) for key, value in stream.tags.items()],
            annotations=[
                v4api.KeyValue(key=key, value=value.encode()) for key, value in stream.annotations.items()
            ],
            annotationVersion=stream.property_version,
        )

    def SetStreamAnnotations(self, body: bytes) -> Any:
        asked = v4api.SetStreamAnnotationsParams.FromString(body)
        stream = self._stream(asked.uuid)
        if asked.expectedAnnotationVersion != stream.property_version:
            raise Refused(423)
        for each in asked.annotations:
            if each.HasField("val"):
                stream.annotations[each.key] = each.val.value.decode()
            else:
                del stream.annotations[each.key]
        stream.property_version += 1
        return v5api.SetStreamAnnotationsResponse()

    def ListCollections(self, body: bytes) -> Any:
        asked = v4api.ListCollectionsParams.FromString(body)
        if not 0 < asked.limit <= 10_000:
            raise Refused(411)
        if not asked.startWith.startswith(asked.prefix):
            raise Refused(421)
        names = sorted({each.collection for each in self.streams.values()})
        found = [name for name in names if name.startswith(asked.prefix) and name >= asked.startWith]
        return v4api.ListCollectionsResponse(collections=found[: asked.limit])

    def _range(self, asked: Any) -> Any:
        if asked.versionMajor > self._stream(asked.uuid).latest:
            raise Refused(404, "stream not found")
        return super()._range(asked)

    def Nearest(self, body: bytes) -> Any:
        asked = v5api.NearestParams.FromString(body)
        if asked.versionMajor > self._stream(asked.uuid).latest:
            raise Refused(404, "stream not found")
        return super().Nearest(body)

    def Windows(self, body: bytes) -> Any:
        asked = v5api.WindowsParams.FromString(body)
        if asked.width > asked.end - asked.start:
            raise Refused(413)
        return super().Windows(body)

    def _shown(self, windows: Any) -> Any:
        return windows if windows[-1][1] else windows[:-1]  # the last window is missing where it is empty


class Wire:
    """Calls the handlers of a server in place of a channel."""

    def __init__(self, server: ModelServer, key: str | None = KEY, concurrency: int = 0) -> None:
        self.server = server
        self.key = key
        self.concurrency = concurrency
        self.is_closed = False
        self.fail: list[Exception] = []
        """Exceptions to be raised by the next calls, in their place."""
        self.pause: Callable[[], object] = lambda: None
        """Called by each call before it is answered."""

    def unary(self, method: str, request: bytes, timeout: float | None = None) -> bytes:
        """One answer."""
        (answer,) = self.stream(method, request)
        return answer

    def stream(self, method: str, request: bytes, timeout: float | None = None) -> Iterator[bytes]:
        """The answers."""
        self.server.calls.append((method.rpartition("/")[2], request))
        self.pause()
        if self.fail:
            raise self.fail.pop(0)
        if self.key != KEY:
            raise GrpcError(16, "invalid api key", method)
        handler = self.server.handlers().get(method)
        if handler is None:
            raise GrpcError(12, f"unknown method {method}", method)
        try:
            answers = handler(request)
            for answer in [answers] if hasattr(answers, "SerializeToString") else answers:
                yield answer.SerializeToString()
        except Refused as refused:
            yield status(refused.code, refused.message)

    def close(self) -> None:
        """Close it."""
        self.is_closed = True


def status(code: int, message: str = "") -> bytes:
    """An answer that has nothing but a status."""
    text = message.encode()
    body = b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text
    return b"\x0a" + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += struct.pack("B", number & 0x7F | 0x80)
        number >>= 7
    return found + struct.pack("B", number)
