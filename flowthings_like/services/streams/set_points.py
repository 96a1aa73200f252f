"""The calls of a set of streams about its points: each is made for all streams at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from ...errors import InvalidInput
from ...filters.target import filter_of
from ...green.calls.markers import reads
from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BTRDBTypeError, BTRDBValueError
from ...wire.gc_paused import with_gc_paused
from .arguments import check_merge, check_version, to_uuid
from .needed import needed
from .times import currently_as_ns

if TYPE_CHECKING:
    from ...filters.nodes import Filter
    from .points import Points, RawPoint, RawPoints, StatPoints
    from .selection import Selection
    from .stream import Stream

    Where = Filter | str | None

__all__ = ["SetPointCalls"]

R = TypeVar("R")
Versions = Mapping[UUID, int]


class SetPointCalls:
    """The calls of a set of streams that are about its points.

    There are two ways to call it. With start and end as arguments, as in version 6, a call returns what it
    found. Without them, as in version 5, the times are those that `filter` has remembered, and `windows` and
    `aligned_windows` only remember what `values` is to return.
    """

    _streams: list[Stream]
    _selection: Selection
    _pinned: dict[UUID, int]

    def _map(self, function: Callable[[Stream], R], streams: Iterable[Stream] | None = None) -> list[R]:
        raise NotImplementedError

    def _pins(self, versions: Versions | None) -> dict[UUID, int]:
        """The versions to read: the given ones, else those that are pinned."""
        return self._pinned if versions is None else to_versions(versions)

    def _range(self, start: Any, end: Any) -> tuple[int, int]:
        return self._selection.narrowed(start, end, None, None).range

    # Reading

    @reads
    def values(
        self,
        start: Any = None,
        end: Any = None,
        versions: Versions | None = None,
        *,
        where: Where = None,
    ) -> list[Any]:
        """The points or windows of each stream.

        Without arguments: for each stream a list of RawPoint or StatPoint objects, by what `filter`,
        `windows` and `aligned_windows` have chosen. With a start, an end or a filter: what `raw_values`
        returns.
        """
        if start is not None or end is not None or versions is not None or where is not None:
            return self.raw_values(start, end, versions, where=where)
        return [with_gc_paused(list, part.points()) for part in self._selected()]

    @reads
    def raw_values(
        self,
        start: Any = None,
        end: Any = None,
        versions: Versions | None = None,
        *,
        where: Where = None,
    ) -> list[RawPoints]:
        """The points of each stream in a range of times, as columns.

        Args:
            start, end: the range; those that `filter` has remembered by default.
            versions: the version of each stream to read; the pinned ones by default, else the latest.
            where: a filter that the points have to match, such as `mem.value > 30`.
        """
        first, last = self._range(start, end)
        pins, node = self._pins(versions), filter_of(where)
        return self._map(lambda stream: stream.values(first, last, pins.get(stream.uuid, 0), where=node))

    @reads
    def windows(
        self,
        start: Any = None,
        end: Any = None,
        width: int | None = None,
        depth: int = 0,
        *,
        versions: Versions | None = None,
        where: Where = None,
    ) -> Any:
        """`windows(start, end, width)` returns the windows of each stream, a list of StatPoints.

        `windows(width)` has `values` and the like return windows, and returns the set itself.

        Args:
            width: of each window, in nanoseconds.
            depth: is ignored.
            where: a filter that the windows have to match, such as `mem.mean > 30`. It is for the call with
                all arguments.

        Raises:
            InvalidOperation: windows were chosen already.
        """
        if width is None or (start is None and end is None):
            _refuse_filter(where, "windows(start, end, width, where=…)")
            self._selection = self._selection.with_windows(start if width is None else width)
            return self
        first, last = self._range(start, end)
        pins, size, node = self._pins(versions), width, filter_of(where)
        return self._map(
            lambda stream: stream.windows(first, last, size, version=pins.get(stream.uuid, 0), where=node)
        )

    @reads
    def precise_windows(
        self, start: Any, end: Any, width: int, versions: Versions | None = None, *, where: Where = None
    ) -> list[StatPoints]:
        """The windows of each stream; `windows` with all arguments, by its name in version 6."""
        found: list[StatPoints] = self.windows(start, end, width, versions=versions, where=where)
        return found

    windowed_values = precise_windows

    @reads
    def aligned_windows(
        self,
        start: Any = None,
        end: Any = None,
        pointwidth: Any = None,
        versions: Versions | None = None,
        *,
        where: Where = None,
    ) -> Any:
        """`aligned_windows(start, end, pointwidth)` returns the aligned windows of each stream, a list of
        StatPoints.

        `aligned_windows(pointwidth)` has `values` and the like return windows, and returns the set itself.

        Raises:
            InvalidOperation: windows were chosen already.
        """
        if pointwidth is None or (start is None and end is None):
            _refuse_filter(where, "aligned_windows(start, end, pointwidth, where=…)")
            self._selection = self._selection.with_aligned_windows(
                start if pointwidth is None else pointwidth
            )
            return self
        first, last = self._range(start, end)
        pins, node = self._pins(versions), filter_of(where)
        return self._map(
            lambda stream: stream.aligned_windows(
                first, last, pointwidth, pins.get(stream.uuid, 0), where=node
            )
        )

    def _selected(self, margin: int = 0) -> Sequence[Points[Any]]:
        """What the remembered choice is, of each stream.

        Args:
            margin: nanoseconds before the start from which raw points are read too.
        """
        chosen = self._selection
        first, last = chosen.range
        if chosen.point_width is not None:
            found: list[StatPoints] = self.aligned_windows(first, last, chosen.point_width)
            return found
        if chosen.width:
            return self.precise_windows(first, last, chosen.width)
        return self.raw_values(first - margin if chosen.start is not None else first, last)

    @reads
    def count(self, precise: bool = False, start: Any = None, end: Any = None) -> int:
        """How many points all streams have together in the range of times, exactly.

        Args:
            precise: is ignored.
            start, end: the range; those that `filter` has remembered by default.
        """
        first, last = self._range(start, end)
        pins = self._pinned
        return sum(self._map(lambda stream: stream.count(first, last, version=pins.get(stream.uuid, 0))))

    @reads
    def earliest(self) -> tuple[RawPoint | None, ...]:
        """The first point of each stream in the range that `filter` has remembered; None where there is
        none."""
        first, last = self._selection.range
        found = self._nearest(first, backward=False)
        return tuple(point if point is not None and point.time < last else None for point in found)

    @reads
    def latest(self) -> tuple[RawPoint | None, ...]:
        """The last point of each stream in the range that `filter` has remembered; None where there is
        none."""
        first, last = self._selection.range
        found = self._nearest(last, backward=True)
        return tuple(point if point is not None and point.time >= first else None for point in found)

    @reads
    def current(self) -> tuple[RawPoint | None, ...]:
        """The last point of each stream before now; None where there is none.

        Raises:
            BTRDBValueError: now is not in the range that `filter` has remembered.
        """
        now = currently_as_ns()
        first, last = self._selection.range
        if not first <= now < last:
            raise BTRDBValueError("the time now is not in the range of times of this set")
        return tuple(self._nearest(now, backward=True))

    def _nearest(self, time: int, *, backward: bool) -> list[RawPoint | None]:
        pins = self._pinned
        found = self._map(lambda stream: stream.nearest(time, pins.get(stream.uuid, 0), backward))
        return [None if each is None else each[0] for each in found]

    @reads
    def changes(
        self,
        from_version_map: Versions,
        to_version_map: Versions | None = None,
        resolution: int = 0,
    ) -> dict[UUID, list[dict[str, int]]]:
        """Which ranges of times have changed, by the UUIDs of the streams.

        Args:
            from_version_map: for each stream, what has changed since this version.
            to_version_map: up to this version and with it; the latest where there is none.
            resolution: an accuracy of 2 ** resolution nanoseconds is enough.
        """
        since, until = to_versions(from_version_map), to_versions(to_version_map or {})
        found = self._map(
            lambda stream: stream.changes(since.get(stream.uuid, 0), until.get(stream.uuid, 0), resolution)
        )
        return self._by_uuid(found)

    @reads
    def get_latest_version(self) -> dict[UUID, int]:
        """The latest version of each stream, by UUID."""
        return self._by_uuid(self._map(lambda stream: stream.version()))

    @reads
    def get_version_at_time(self, time: Any) -> dict[UUID, int]:
        """The version that each stream had at a time of the clock, by UUID."""
        return self._by_uuid(self._map(lambda stream: stream.get_version_at_time(time)))

    # Writing

    def insert(self, data_map: Mapping[UUID, Any], merge: str = "never") -> dict[UUID, int]:
        """Insert points into several streams at once.

        Args:
            data_map: for each stream's UUID what `Stream.insert` takes. Streams that it does not name stay as
                they are.
            merge: as for `Stream.insert`.

        Returns:
            The versions of the streams, by UUID.

        Raises:
            BadValue, InvalidTimeRange, BTRDBTypeError: some data are not valid. Nothing was sent.
            InvalidInput: a UUID is not one of this set.
        """
        policy = check_merge(merge)
        with needed():
            from .inserting import to_columns
        known = {stream.uuid: stream for stream in self._streams}
        points = {to_uuid(uuid): to_columns(data) for uuid, data in resolve(data_map).items()}
        for uuid in points:
            if uuid not in known:
                raise InvalidInput(f"the set has no stream {uuid}")
        versions = self._map(
            lambda stream: stream._insert(points[stream.uuid], policy), [known[uuid] for uuid in points]
        )
        return dict(zip(points, versions, strict=True))

    arrow_insert = insert

    def delete(self, start: Any, end: Any) -> dict[UUID, int]:
        """Delete the points of all streams in a range of times. Returns the new versions, by UUID."""
        return self._by_uuid(self._map(lambda stream: stream.delete(start, end)))

    def flush(self) -> dict[UUID, int]:
        """Commit what the server still buffers. Returns the versions, by UUID."""
        return self._by_uuid(self._map(lambda stream: stream.flush()))

    def _by_uuid(self, found: list[R]) -> dict[UUID, R]:
        return dict(zip((stream.uuid for stream in self._streams), found, strict=True))


def _refuse_filter(where: Any, instead: str) -> None:
    """Raise InvalidInput if a filter is given where windows are only chosen for later calls."""
    if where is not None:
        raise InvalidInput(f"a filter on windows needs a start and an end: {instead}")


def to_versions(versions: Any) -> dict[UUID, int]:
    """Check a mapping of UUIDs to versions.

    Raises:
        BTRDBTypeError: it is none.
    """
    versions = resolve(versions)
    if not isinstance(versions, Mapping):
        raise BTRDBTypeError(f"versions is {type(versions).__name__}; give a dict of UUIDs and versions")
    if not all(isinstance(uuid, UUID) for uuid in versions):
        raise BTRDBTypeError("the keys of versions must be UUIDs")
    return {uuid: check_version(version) for uuid, version in versions.items()}
