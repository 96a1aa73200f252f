"""StreamSet: many streams, whose calls are made at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar, overload
from uuid import UUID

from ...green.calls.markers import plain, reads
from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BTRDBTypeError
from ..in_parallel import InParallel
from .arguments import to_uuid
from .selection import Selection
from .set_frames import SetFrames
from .set_points import SetPointCalls, to_versions
from .stream import Stream

if TYPE_CHECKING:
    from .owner import Owner
    from .parallel import AsyncStreamSet, LazyStreamSet

__all__ = ["StreamSet"]

R = TypeVar("R")
Pattern = str | re.Pattern[str]

MOST_DRAWN = 10
"""Streams of a set that are drawn in a notebook; the others are only counted."""


class StreamSet(SetPointCalls, SetFrames, InParallel, Sequence[Stream]):
    """Many streams. Calls are made for all of them at once, within the client's concurrency limit.

    It is a sequence of Stream objects, which can also be looked up by UUID. It may be empty.

    Args:
        streams: the streams.
        client: their client; that of the first stream by default.
    """

    def __init__(self, streams: Iterable[Stream] = (), *, client: Owner | None = None) -> None:
        self._streams = list(resolve(streams))
        for stream in self._streams:
            if not isinstance(stream, Stream):
                raise BTRDBTypeError(f"a StreamSet takes Stream objects, not {type(stream).__name__}")
        self._client = client or (self._streams[0].btrdb if self._streams else None)
        self._selection = Selection()
        self._pinned: dict[UUID, int] = {}

    def _map(self, function: Callable[[Stream], R], streams: Iterable[Stream] | None = None) -> list[R]:
        given = self._streams if streams is None else list(streams)
        if self._client is None:
            return []
        return self._client._map(function, given)

    def _async_lib(self) -> Any:
        return None if self._client is None else self._client._async_lib()

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncStreamSet: ...
        def lazy(self, pool: Any = None) -> LazyStreamSet: ...

    # As a sequence

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams)

    def __contains__(self, item: object) -> bool:
        if isinstance(item, Stream):
            return item in self._streams
        try:
            uuid = to_uuid(item)
        except BTRDBTypeError:
            return False
        return any(stream.uuid == uuid for stream in self._streams)

    @overload
    def __getitem__(self, item: int | UUID | str) -> Stream: ...
    @overload
    def __getitem__(self, item: slice) -> StreamSet: ...
    def __getitem__(self, item: Any) -> Any:
        """A stream by its number or its UUID; or a set with some of the streams.

        Raises:
            KeyError: no stream has this UUID.
            IndexError: there are not so many.
        """
        item = resolve(item)
        if isinstance(item, slice):
            return self._with(self._streams[item])
        if not isinstance(item, UUID | str):
            return self._streams[item]
        uuid = to_uuid(item)
        for stream in self._streams:
            if stream.uuid == uuid:
                return stream
        raise KeyError(f"the set has no stream {uuid}")

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The number of a stream."""
        return self._streams.index(value, start, len(self) if stop is None else stop)

    def __repr__(self) -> str:
        return f"<StreamSet of {len(self)} stream{'' if len(self) == 1 else 's'}>"

    def _repr_html_(self) -> str:
        from .drawing import paragraph

        drawn = self._map(lambda stream: stream._repr_html_(), self._streams[:MOST_DRAWN])
        more = len(self) - len(drawn)
        return "".join([paragraph(repr(self)), *drawn, paragraph(f"and {more} more") if more else ""])

    # Choosing

    @plain
    def clone(self) -> StreamSet:
        """A copy, with what was chosen and pinned. It has the same Stream objects."""
        return self._with(self._streams)

    def _with(self, streams: Iterable[Stream]) -> StreamSet:
        made = copy(self)
        made._streams, made._pinned = list(streams), dict(self._pinned)
        return made

    @reads
    def filter(
        self,
        start: Any = None,
        end: Any = None,
        collection: Pattern | None = None,
        name: Pattern | None = None,
        unit: Pattern | None = None,
        tags: Mapping[str, str] | None = None,
        annotations: Mapping[str, Any] | None = None,
        sampling_frequency: float | None = None,
        schema: Any = None,
    ) -> StreamSet:
        """A set of those of the streams whose metadata match, which remembers a range of times.

        Args:
            start, end: the range for calls that are given none. What is left out stays as it was.
            collection, name, unit: text that must be equal, in upper or lower case; or a compiled regular
                expression that must be found.
            tags, annotations: those that a stream must have, among others.
            sampling_frequency: samples a second: in rows and tables, raw points are moved to the nearest of
                these instants.
            schema: a pyarrow.Schema for tables.

        Raises:
            BTRDBValueError: the end is not after the start.
            BTRDBTypeError: a pattern is neither text nor a compiled expression.
        """
        selection = self._selection.narrowed(start, end, sampling_frequency, schema)
        matches = [
            _matcher(what, pattern)
            for what, pattern in (("collection", collection), ("name", name), ("unit", unit))
            if pattern is not None
        ]
        if (matches or tags or annotations) and self._streams:
            self._fetch_missing()
        made = self._with(
            stream
            for stream in self._streams
            if all(match(stream) for match in matches)
            and (not tags or tags.items() <= stream.tags().items())
            and (not annotations or _has(stream.annotations()[0], annotations))
        )
        made._selection = selection
        return made

    def _fetch_missing(self) -> None:
        unknown = [stream for stream in self._streams if stream._descriptor is None]
        self._map(lambda stream: stream.refresh_metadata(), unknown)

    @property
    def allow_window(self) -> bool:
        """Whether `windows` or `aligned_windows` may still be chosen."""
        return not self._selection.has_windows

    @reads
    def pin_versions(self, versions: Mapping[UUID, int] | None = None) -> StreamSet:
        """Read from now on these versions wherever a call names none.

        Args:
            versions: a version for each UUID; None for those that are the latest now.

        Returns:
            The set itself.
        """
        self._pinned = self.get_latest_version() if versions is None else to_versions(versions)
        return self

    @reads
    def versions(self) -> dict[UUID, int]:
        """The pinned versions by UUID; without any, the latest ones."""
        return dict(self._pinned) if self._pinned else self.get_latest_version()

    @reads
    def refresh_metadata(self) -> None:
        """Fetch collection, tags and annotations of all streams again."""
        self._map(lambda stream: stream.refresh_metadata())


def _matcher(what: str, pattern: Any) -> Callable[[Stream], bool]:
    """A function that tells whether a stream's collection, name or unit matches."""
    pattern = resolve(pattern)
    if isinstance(pattern, re.Pattern):
        return lambda stream: pattern.search(getattr(stream, what)) is not None
    if isinstance(pattern, str):
        wanted = pattern.lower()
        return lambda stream: getattr(stream, what).lower() == wanted
    raise BTRDBTypeError(f"{what} is {type(pattern).__name__}; give a str or a compiled regular expression")


def _has(found: dict[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(key in found and found[key] == value for key, value in wanted.items())
