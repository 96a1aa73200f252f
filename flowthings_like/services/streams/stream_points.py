"""The calls of a stream about its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import FlowThingsError
from ...green.batching.bulk_marker import bulk
from ...green.calls.markers import plain, reads
from .arguments import check_merge, check_version, check_width
from .counting import count_points
from .needed import needed
from .point_filter import matching_points
from .pointwidths import check_point_width, pointwidth
from .times import MAXIMUM_TIME, MINIMUM_TIME, check_range, check_time, currently_as_ns, to_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from ...filters.nodes import Filter
    from ...wire.btrdb.points import RawColumns
    from .dialect import Dialect
    from .points import RawPoint, RawPoints, StatPoints

    Where = Filter | str | None

__all__ = ["PointCalls"]

MOST_TOGETHER = 500
"""Lazy inserts that travel in one call, at most."""

SMALL = 1000
"""Points of an insert that may travel together with others."""

INSERT_TOO_BIG = 414
DEEPEST = 63

Change = dict[str, int]


class PointCalls:
    """The calls of a stream that are about its points.

    Every range of times includes its start and excludes its end. Times are nanoseconds since 1970 UTC, or
    anything else that `to_nanoseconds` takes. Version 0 is the latest one, or the pinned one.
    """

    _uuid: UUID
    _pinned: int = 0

    def _dialect(self) -> Dialect:
        raise NotImplementedError

    def _version(self, version: Any) -> int:
        return check_version(version) or self._pinned

    # Reading

    @reads
    def values(self, start: Any, end: Any, version: int = 0, *, where: Where = None) -> RawPoints:
        """The points in a range of times.

        Args:
            where: a filter that the points have to match, such as `mem.value > 30`. It is tested here, on
                arrays, as the points arrive. See `points.where` for its members.

        Returns:
            RawPoints: arrays, which iterate as (RawPoint, version) pairs. Points with equal times are in the
            order in which they were inserted.

        Raises:
            StreamNotFoundError, VersionNotAvailable: there is no such stream or version.
            InvalidTimeRange: a time is out of range, or the end is not after the start.
        """
        with needed():
            from .collecting import collect_raw
        return collect_raw(self.values_iter(start, end, version, where=where), self._version(version))

    @plain
    def values_iter(
        self, start: Any, end: Any, version: int = 0, *, where: Where = None
    ) -> Iterator[RawPoints]:
        """The points in a range of times, in parts of some thousand points as they arrive.

        The next part is received when it is asked for, so the memory is bounded whatever the range has.
        """
        first, last = check_range(start, end)
        parts = self._dialect().raw_values(self._uuid, first, last, self._version(version))
        return matching_points(parts, where)

    raw_values = values
    raw_values_iter = values_iter

    @reads
    def windows(
        self, start: Any, end: Any, width: int, depth: int = 0, version: int = 0, *, where: Where = None
    ) -> StatPoints:
        """Statistics of windows of any width. The last one ends at or before `end`.

        Args:
            width: of each window, in nanoseconds.
            depth: an accuracy of 2 ** depth nanoseconds is enough. Only servers of version 4 use it.
            where: a filter that the windows have to match, such as `mem.mean > 30`; see `values`.

        Returns:
            StatPoints: arrays, which iterate as (StatPoint, version) pairs. A window without points has the
            count 0.

        Raises:
            As `values`; and BTRDBValueError: the width is not above 0.
        """
        with needed():
            from .collecting import collect_stat
        parts = self.windows_iter(start, end, width, depth, version, where=where)
        return collect_stat(parts, self._version(version))

    @plain
    def windows_iter(
        self, start: Any, end: Any, width: int, depth: int = 0, version: int = 0, *, where: Where = None
    ) -> Iterator[StatPoints]:
        """The windows of `windows`, in parts as they arrive; see `values_iter`."""
        first, last = check_range(start, end)
        size, accuracy = check_width(width), int(check_point_width(depth))
        parts = self._dialect().windows(self._uuid, first, last, self._version(version), size, accuracy)
        return matching_points(parts, where)

    @reads
    def precise_windows(
        self, start: Any, end: Any, width: int, version: int = 0, *, where: Where = None
    ) -> StatPoints:
        """The same as `windows`, by its name in version 6."""
        return self.windows(start, end, width, version=version, where=where)

    @plain
    def precise_windows_iter(
        self, start: Any, end: Any, width: int, version: int = 0, *, where: Where = None
    ) -> Iterator[StatPoints]:
        """The same as `windows_iter`, by its name in version 6."""
        return self.windows_iter(start, end, width, version=version, where=where)

    @reads
    def aligned_windows(
        self,
        start: Any,
        end: Any,
        pointwidth: int | pointwidth,
        version: int = 0,
        *,
        where: Where = None,
    ) -> StatPoints:
        """Statistics of windows of 2 ** pointwidth nanoseconds: much faster than `windows`.

        Each window begins at a multiple of its length. `start` and `end` are rounded down to such times.

        Args:
            where: a filter that the windows have to match, such as `mem.mean > 30`; see `values`.

        Returns:
            StatPoints: arrays, which iterate as (StatPoint, version) pairs. Windows without points are left
            out.

        Raises:
            As `values`; and InvalidPointWidth: the point width is not 0 to 63.
        """
        with needed():
            from .collecting import collect_stat
        parts = self.aligned_windows_iter(start, end, pointwidth, version, where=where)
        return collect_stat(parts, self._version(version))

    @plain
    def aligned_windows_iter(
        self,
        start: Any,
        end: Any,
        pointwidth: int | pointwidth,
        version: int = 0,
        *,
        where: Where = None,
    ) -> Iterator[StatPoints]:
        """The windows of `aligned_windows`, in parts as they arrive; see `values_iter`."""
        first, last = check_range(start, end)
        width = check_point_width(pointwidth)
        parts = self._dialect().aligned_windows(self._uuid, first, last, self._version(version), width)
        return matching_points(parts, where)

    @reads
    def count(
        self,
        start: Any = MINIMUM_TIME,
        end: Any = MAXIMUM_TIME,
        pointwidth: int | pointwidth | None = None,
        precise: bool = False,
        version: int = 0,
    ) -> int:
        """How many points there are in a range of times, exactly.

        Args:
            pointwidth: count those in the aligned windows of this length instead, unless `precise` is set:
                with `start` and `end` rounded down, as btrdb does.
        """
        first, last = check_range(start, end)
        dialect, wanted = self._dialect(), self._version(version)
        if pointwidth is None or precise:
            return count_points(dialect, self._uuid, first, last, wanted)
        parts = dialect.aligned_windows(self._uuid, first, last, wanted, check_point_width(pointwidth))
        return sum(int(part.counts.sum()) for part in parts)

    @reads
    def nearest(self, time: Any, version: int = 0, backward: bool = False) -> tuple[RawPoint, int] | None:
        """The first point at or after a time; or with `backward` the last one before it.

        Returns:
            The pair of the point and the version; None if there is no such point.
        """
        at = check_time(time, "time")
        return self._dialect().nearest(self._uuid, at, self._version(version), bool(backward))

    @reads
    def earliest(self, version: int = 0) -> tuple[RawPoint, int] | None:
        """The first point and the version; None if there is none."""
        return self.nearest(MINIMUM_TIME, version)

    @reads
    def latest(self, version: int = 0) -> tuple[RawPoint, int] | None:
        """The last point and the version; None if there is none."""
        return self.nearest(MAXIMUM_TIME, version, backward=True)

    @reads
    def current(self, version: int = 0) -> tuple[RawPoint, int] | None:
        """The last point before now, and the version; None if there is none."""
        return self.nearest(currently_as_ns(), version, backward=True)

    @reads
    def version(self) -> int:
        """The number of the latest version. Each committed change makes a new one."""
        return self._dialect().stream_info(self._uuid, descriptor=False).version

    get_latest_version = version

    @reads
    def get_version_at_time(self, time: Any) -> int:
        """The version that the stream had at a time of the clock. Only the embedded platform's store knows.

        Raises:
            NotSupported: the server does not keep that.
        """
        with needed():
            from .store_calls import version_at_time
        return version_at_time(self._dialect(), self._uuid, to_nanoseconds(time))

    @reads
    def changes(self, from_version: int, to_version: int = 0, resolution: int = 0) -> list[Change]:
        """Which ranges of times have changed.

        Args:
            from_version: what has changed since this version; 0 for all that there is.
            to_version: up to this version and with it; 0 for the latest.
            resolution: an accuracy of 2 ** resolution nanoseconds is enough.

        Returns:
            Dicts with "start" and "end". The ranges may be longer than what has changed.
        """
        return list(self.changes_iter(from_version, to_version, resolution))

    @plain
    def changes_iter(self, from_version: int, to_version: int = 0, resolution: int = 0) -> Iterator[Change]:
        """The ranges of `changes`, as they arrive."""
        since, until = check_version(from_version, "from_version"), check_version(to_version, "to_version")
        found = self._dialect().changes(self._uuid, since, until, check_point_width(resolution))
        return ({"start": start, "end": end} for part in found for start, end in part.ranges)

    # Writing

    @bulk("_insert_each", entry="_as_entry", most=MOST_TOGETHER, writes=True, across=True, in_order=True)
    def insert(self, data: Any, merge: str = "never") -> int:
        """Insert points.

        Args:
            data: an iterable of (time, value) pairs; a pair of arrays (times, values); a mapping or a
                structured array of numpy with "time" and "value"; a pandas.DataFrame or Series; a table of
                Arrow or polars; RawPoints.
            merge: "never" keeps all points; "equal" drops those that are there already, with the same time
                and value; of points with the same time, "retain" keeps the old and "replace" the new one.

        Returns:
            The version of the stream. Without points it is the latest, and nothing is sent.

        Raises:
            BadValue: a value is None, NaN or infinite. Nothing was sent, as after the next two.
            InvalidTimeRange: a time is out of range.
            BTRDBTypeError: the data are none of these.
            Exception: a call failed. Large inserts take several calls, each with up to 50,000 points; the
                error's `inserted` says how many points the calls before it have stored.
        """
        policy = check_merge(merge)
        with needed():
            from .inserting import to_columns
        return self._insert(to_columns(data), policy)

    def _insert(self, points: RawColumns, policy: int) -> int:
        if not len(points):
            return self._dialect().stream_info(self._uuid, descriptor=False).version
        dialect = self._dialect()
        done = version = 0
        while done < len(points):
            part = slice(done, done + dialect.batch_size)
            times, values = points.times[part], points.values[part]
            try:
                version = dialect.insert(self._uuid, times, values, policy)
            except FlowThingsError as error:
                if getattr(error, "code", 0) != INSERT_TOO_BIG or len(times) == 1:
                    vars(error)["inserted"] = done  # of a BTrDBError it is an attribute of the class
                    raise
                dialect.batch_size = max(1, len(times) // 2)
            else:
                done += len(times)
        return version

    def _as_entry(self, data: Any, merge: str = "never") -> tuple[None, Any] | None:
        """A small insert for the list of `_insert_each`, without a key, because several into one stream may
        travel together; None for a large one, which is sent alone."""
        with needed():
            from .insert_together import Entry
            from .inserting import to_columns
        points = to_columns(data)
        if not 0 < len(points) <= SMALL:
            return None
        return None, Entry(self, points, check_merge(merge))

    def _insert_each(self, entries: list[Any]) -> list[Any]:
        """Make many small inserts, into any streams. Returns for each its version, or its error."""
        from .insert_together import insert_together

        return insert_together(entries)

    def delete(self, start: Any, end: Any) -> int:
        """Delete the points in a range of times. Older versions keep them. Returns the new version."""
        first, last = check_range(start, end)
        return self._dialect().delete(self._uuid, first, last)

    def flush(self) -> int:
        """Commit what the server still buffers. Returns the version."""
        return self._dialect().flush(self._uuid)
