"""The open BTrDB server 4: the calls of `grpcinterface`, and what is hidden of its peculiarities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from ...errors import InvalidResponse
from ...wire.btrdb import v4api, v5api
from ...wire.btrdb.errors import BTrDBError, NotSupported, StreamNotFoundError, VersionNotAvailable
from .arguments import MERGE_POLICIES
from .constants import BATCH_SIZE_V4
from .dialect import Descriptor, Nearest, StreamState, Texts
from .points import RawPoints, StatPoints
from .v5 import V5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .connection import Connection

__all__ = ["V4"]

_MOST_COLLECTIONS = 10_000


class V4(V5):
    """Speaks version 4 over a connection.

    It differs from version 5 in this: a range of windows without any is empty, not refused; a last window
    without points is there, as the others without points are; a version that does not exist is
    VersionNotAvailable. Standard deviations are NaN, because the server does not compute them.
    """

    SERVICE = "grpcinterface.BTrDB"
    exact_windows = False
    has_sql = False

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.batch_size = BATCH_SIZE_V4

    def create(self, uuid: UUID, collection: str, tags: Texts, annotations: Texts) -> None:
        params = v4api.CreateParams(
            uuid=uuid.bytes, collection=collection, tags=_values(tags), annotations=_values(annotations)
        )
        self._call("Create", params, v5api.CreateResponse, is_repeatable=False)

    def stream_info(self, uuid: UUID, *, version: bool = True, descriptor: bool = True) -> StreamState:
        params = v5api.StreamInfoParams(
            uuid=uuid.bytes, omitVersion=not version, omitDescriptor=not descriptor
        )
        answer = self._call("StreamInfo", params, v4api.StreamInfoResponse)
        return StreamState(answer.versionMajor, _descriptor(answer.descriptor) if descriptor else None)

    def set_tags(self, uuid: UUID, expected: int, tags: Texts, collection: str) -> None:
        raise NotSupported("a server of version 4 changes neither tags nor collections")

    def set_annotations(
        self, uuid: UUID, expected: int, changes: Mapping[str, str], removals: Sequence[str]
    ) -> None:
        annotations = {**changes, **dict.fromkeys(removals)}
        params = v4api.SetStreamAnnotationsParams(
            uuid=uuid.bytes, expectedAnnotationVersion=expected, annotations=_pairs(annotations)
        )
        self._call("SetStreamAnnotations", params, v5api.SetStreamAnnotationsResponse, is_repeatable=False)

    def list_collections(self, prefix: str) -> Iterator[str]:
        last = prefix
        while True:
            params = v4api.ListCollectionsParams(prefix=prefix, startWith=last, limit=_MOST_COLLECTIONS)
            answer = self._call("ListCollections", params, v4api.ListCollectionsResponse)
            # The page begins with the last name of the page before.
            found = [name for name in answer.collections if name > last or (name == last == prefix)]
            yield from found
            if len(answer.collections) < _MOST_COLLECTIONS or not found:
                return
            last = found[-1]

    def lookup(
        self, collection: str, is_prefix: bool, tags: Texts, annotations: Texts
    ) -> Iterator[Descriptor]:
        params = v4api.LookupStreamsParams(
            collection=collection,
            isCollectionPrefix=is_prefix,
            tags=_pairs(tags),
            annotations=_pairs(annotations),
        )
        for answer in self._stream("LookupStreams", params, v4api.LookupStreamsResponse):
            yield from map(_descriptor, answer.results)

    def insert(
        self,
        uuid: UUID,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        merge: int,
    ) -> int:
        if merge:
            raise NotSupported(
                f"a server of version 4 has no merge policy {MERGE_POLICIES[merge]!r}; it keeps all points"
            )
        return super().insert(uuid, times, values, merge)

    def nearest(self, uuid: UUID, time: int, version: int, backward: bool) -> Nearest | None:
        try:
            return super().nearest(uuid, time, version, backward)
        except StreamNotFoundError as error:
            raise self._explained(error, uuid, version) from None

    def raw_values(self, uuid: UUID, start: int, end: int, version: int) -> Iterator[RawPoints]:
        try:
            yield from super().raw_values(uuid, start, end, version)
        except StreamNotFoundError as error:
            raise self._explained(error, uuid, version) from None

    def windows(
        self, uuid: UUID, start: int, end: int, version: int, width: int, depth: int
    ) -> Iterator[StatPoints]:
        last = start + ((end - start) // width - 1) * width
        if last < start:
            return
        read = 0
        try:
            for part in super().windows(uuid, start, end, version, width, depth):
                read = part.version
                if len(part):
                    start = int(part.times[-1]) + width
                yield _without_deviations(part)
        except StreamNotFoundError as error:
            raise self._explained(error, uuid, version) from None
        if start == last:
            yield _empty_window(last, read)

    def aligned_windows(
        self, uuid: UUID, start: int, end: int, version: int, point_width: int
    ) -> Iterator[StatPoints]:
        if start >> point_width == end >> point_width:
            return
        try:
            for part in super().aligned_windows(uuid, start, end, version, point_width):
                yield _without_deviations(part)
        except StreamNotFoundError as error:
            raise self._explained(error, uuid, version) from None

    def sql(self, query: str, params: Sequence[str]) -> Iterator[Any]:
        raise NotSupported("a server of version 4 takes no SQL")

    def call_store(self, method: str, params: Any, answer: Any) -> Any:
        raise NotSupported("a server of version 4 has neither retention policies nor devices and units")

    def _explained(self, error: BTrDBError, uuid: UUID, version: int) -> BTrDBError:
        """The same error, or a better one: the server says of a version too that it was not found."""
        if not version:
            return error
        latest = self.stream_info(uuid, descriptor=False).version
        explained = VersionNotAvailable(f"the stream has no version {version}; its latest is {latest}")
        return explained if version > latest else error


def _without_deviations(part: StatPoints) -> StatPoints:
    part.stddevs = part.means * float("nan")
    return part


def _empty_window(time: int, version: int) -> StatPoints:
    import numpy as np

    zero, unknown = np.zeros(1), np.full(1, np.nan)
    return StatPoints(np.array([time]), zero, zero, zero, np.zeros(1, "u8"), unknown, version)


def _values(texts: Texts) -> list[Any]:
    return [v4api.KeyValue(key=key, value=(value or "").encode()) for key, value in texts.items()]


def _pairs(texts: Texts) -> list[Any]:
    return [
        v4api.KeyOptValue(key=key, val=None if value is None else v4api.OptValue(value=value.encode()))
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
        {each.key: each.value.decode("utf-8", "replace") for each in found.tags},
        {each.key: each.value.decode("utf-8", "replace") for each in found.annotations},
        found.annotationVersion,
    )
