"""The store: what can be asked of the streams of a folder, by callers in any green or plain thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...green.backends.choice import native
from . import catalog, tables
from .catalog import Catalog
from .changes import changed_ranges
from .database import FILE, Database
from .multi import Grid, Joined, join
from .nearest import nearest
from .points import MergePolicy, Points, apply_within_batch
from .problems import Code, StreamProblem
from .reading import next_cut, read_points
from .recent import Recent
from .sql import SQL
from .state import CREATED, Stream, StreamState, no_such_stream
from .times import FIRST_TIME, LAST_TIME, check_nearest, check_point_width, check_range, floor
from .transaction import Numbers
from .windows import aligned_windows, aligned_windows_cut, windows
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from numpy.typing import NDArray

    from .catalog import Descriptor
    from .statistics import Statistics
    from .transaction import Transaction

__all__ = ["StreamStore"]

T = TypeVar("T")

MOST_INSERTED = 1_000_000
"""Points in one insert."""

READ_AT_ONCE = 1 << 18
"""About how many points, or rows of statistics, are in memory at once for one reader."""

WINDOWS_AT_ONCE = 1 << 16

MOST_WINDOWS = 100_000_000
"""Windows of any width in one answer: those without points are in it too."""


class StreamStore:
    """The streams of a folder. One process at a time can have it open.

    Methods wait, and other green threads go on meanwhile. What an account has no stream for raises a
    StreamProblem with the code NO_SUCH_STREAM, also if another account has such a stream.

    Args:
        folder: where the database is, or is made.
        memory: how much DuckDB may hold, such as "1GB".

    Attributes:
        folder: the same.
        database: the open database.
        catalog: what finds streams by their metadata.
        writer: what commits changes.

    Raises:
        ConfigurationError: DuckDB is not installed, or the database cannot be used.
    """

    def __init__(self, folder: Path, memory: str = "1GB") -> None:
        self.folder = folder
        self.database: Database = native(Database, folder / FILE, memory)
        try:
            self._streams: dict[tuple[str, UUID], Stream] = {}
            self.catalog = Catalog(self.database)
            self.writer = Writer(self.database, native(self._numbers), self._streams)
            self._sql = SQL(self.database, lambda: self.writer.generation)
        except BaseException:
            native(self.database.close)
            raise

    def close(self) -> None:
        """Write what is queued and close the database."""
        self.writer.close()
        native(self.database.close)

    # Metadata

    def create(
        self,
        account: str,
        uuid: UUID,
        collection: str,
        tags: Mapping[str, str | None],
        annotations: Mapping[str, str | None],
    ) -> None:
        """Add a stream. See `catalog.create`."""
        self.writer.submit(
            lambda transaction: catalog.create(transaction, account, uuid, collection, tags, annotations)
        )

    def describe(self, account: str, uuid: UUID) -> Descriptor:
        """A stream's metadata."""
        return native(lambda: self.catalog.descriptor(self._find(account, uuid).id))  # type: ignore[no-any-return]

    def version(self, account: str, uuid: UUID) -> int:
        """A stream's latest version."""
        return self.find(account, uuid).current().version

    def change(self, account: str, uuid: UUID, work: Callable[[Transaction, Stream], T]) -> T:
        """The result of a change of one stream, once it is on disk."""
        return self.writer.submit(lambda transaction: work(transaction, self._find(account, uuid)))

    def find(self, account: str, uuid: UUID) -> Stream:
        """The stream. Raises NO_SUCH_STREAM."""
        found = self._streams.get((account, uuid))
        if found is not None and found.state is not None:
            return found
        return native(self._find, account, uuid)  # type: ignore[no-any-return]

    def sql(self, account: str, statement: str, parameters: Sequence[str]) -> list[bytes]:
        """The rows of a SELECT over the account's streams, devices and units, each as a JSON object."""
        return self._sql.query(account, statement, parameters)

    # Points

    def insert(
        self,
        account: str,
        uuid: UUID,
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        policy: MergePolicy = MergePolicy.NEVER,
    ) -> int:
        """Add points. Returns the stream's version, which is a new one unless nothing was added.

        Raises:
            StreamProblem: a time or a value cannot be stored, there are too many, or there is no such stream.
        """
        if len(times) > MOST_INSERTED:
            raise StreamProblem(
                Code.INSERT_TOO_BIG, f"one insert has at most {MOST_INSERTED:,} points, not {len(times):,}"
            )
        if len(times) and (times.min() < FIRST_TIME or times.max() > LAST_TIME):
            raise StreamProblem(
                Code.INVALID_TIME_RANGE, f"the times of points are {FIRST_TIME} to {LAST_TIME}"
            )
        if not np.isfinite(values).all():
            raise StreamProblem(Code.BAD_VALUE, "a value is a finite number, not NaN or infinite")
        times, values = apply_within_batch(times, values, policy)
        return self.change(
            account, uuid, lambda transaction, stream: transaction.insert(stream, times, values, policy)
        )

    def delete(self, account: str, uuid: UUID, start: int, end: int) -> int:
        """Remove the points in [start, end). Returns the new version."""
        check_range(start, end)
        return self.change(account, uuid, lambda transaction, stream: transaction.delete(stream, start, end))

    def obliterate(self, account: str, uuid: UUID) -> None:
        """Remove a stream with all its versions."""
        self.change(account, uuid, lambda transaction, stream: transaction.obliterate(stream))

    def values(
        self, account: str, uuid: UUID, start: int, end: int, version: int = 0
    ) -> tuple[int, Iterator[Points]]:
        """The points in [start, end) in order, and the version that they are of.

        Raises:
            StreamProblem: the range is not valid, the version does not exist, or there is no such stream.
        """
        check_range(start, end)
        stream, version = self._at(account, uuid, version)

        def read(state: StreamState, start: int, end: int) -> tuple[Points, int]:
            cut = next_cut(state, version, start, end, READ_AT_ONCE)
            with self.database.cursor() as cursor:
                return read_points(cursor, state, version, start, cut), cut

        return version, self._parts(stream, start, end, read)

    def multi_values(self, account: str, streams: Sequence[tuple[UUID, int]], grid: Grid) -> Iterator[Joined]:
        """The points of several streams at given versions, joined by their times; at least one part.

        Raises:
            StreamProblem: as `values`.
        """
        check_range(grid.start, grid.end)
        found = [self._at(account, uuid, version) for uuid, version in streams]
        return self._joined(found, grid)

    def nearest(
        self, account: str, uuid: UUID, time: int, version: int = 0, backward: bool = False
    ) -> tuple[int, float, int]:
        """The first point at `time` or later, or the last one before it: its time, its value, the version.

        Raises:
            StreamProblem: there is none, or as `values`.
        """
        check_nearest(time)
        stream, version = self._at(account, uuid, version)

        def read(state: StreamState) -> tuple[int, float] | None:
            with self.database.cursor() as cursor:
                return nearest(cursor, state, version, time, backward)

        found = native(stream.read, read)
        if found is None:
            raise StreamProblem(Code.NO_SUCH_POINT, "no such point")
        return found[0], found[1], version

    def aligned_windows(
        self, account: str, uuid: UUID, start: int, end: int, point_width: int, version: int = 0
    ) -> tuple[int, Iterator[Statistics]]:
        """The windows of 2**point_width ns that have points, and the version that they are of.

        Start and end are rounded down to multiples of that width. Each window has all its points.

        Raises:
            StreamProblem: as `values`, or there is no such width.
        """
        check_range(start, end)
        check_point_width(point_width)
        stream, version = self._at(account, uuid, version)

        def read(state: StreamState, start: int, end: int) -> tuple[Statistics, int]:
            cut = aligned_windows_cut(state, version, start, end, point_width, READ_AT_ONCE)
            with self.database.cursor() as cursor:
                return aligned_windows(cursor, state, version, start, cut, point_width), cut

        first, last = floor(start, point_width), floor(end, point_width)
        return version, self._parts(stream, first, last, read)

    def windows(
        self, account: str, uuid: UUID, start: int, end: int, width: int, version: int = 0
    ) -> tuple[int, Iterator[Statistics]]:
        """All windows of `width` ns from `start` on that end by `end`, and the version that they are of.

        Those without points have a count of 0, and zeros for the other statistics.

        Raises:
            StreamProblem: as `values`, or the width is 0 or wider than the range.
        """
        check_range(start, end)
        if not 0 < width <= end - start:
            raise StreamProblem(
                Code.INVALID_TIME_RANGE,
                f"a window's width is 1 to the {end - start} ns of the range, not {width}",
            )
        count = (end - start) // width
        if count > MOST_WINDOWS:
            raise StreamProblem(
                Code.INVALID_TIME_RANGE, f"one answer has at most {MOST_WINDOWS:,} windows, not {count:,}"
            )
        stream, version = self._at(account, uuid, version)

        def read(state: StreamState, start: int, end: int) -> tuple[Statistics, int]:
            most = min((end - start) // width, WINDOWS_AT_ONCE)
            with self.database.cursor() as cursor:
                return windows(cursor, state, version, start, width, most), start + most * width

        return version, self._parts(stream, start, start + count * width, read)

    def changes(
        self, account: str, uuid: UUID, after: int, until: int = 0, resolution: int = 0
    ) -> tuple[int, list[tuple[int, int]]]:
        """The ranges that changed after one version and up to another, and that other.

        Args:
            after: 0 for all since the stream was created.
            until: 0 for the latest.
            resolution: ranges start and end at multiples of 2**resolution ns.
        """
        check_point_width(resolution)
        stream, until = self._at(account, uuid, until)
        if after > until:
            raise StreamProblem(
                Code.INVALID_VERSIONS,
                f"the first version is not above the second, as {after} is above {until}",
            )

        def read(state: StreamState) -> list[tuple[int, int]]:
            with self.database.cursor() as cursor:
                return changed_ranges(cursor, state, after, until, resolution)

        return until, native(stream.read, read)

    # Maintenance

    def sweep(self) -> bool:
        """Delete some points of segments that nobody needs any more. Returns whether there may be more."""
        return self.writer.submit(_sweep)

    # The rest runs in native threads.

    def _at(self, account: str, uuid: UUID, version: int) -> tuple[Stream, int]:
        stream = self.find(account, uuid)
        latest = stream.current().version
        if version > latest:
            raise StreamProblem(
                Code.VERSION_NOT_AVAILABLE, f"the latest version is {latest}, so {version} is not available"
            )
        return stream, version or latest

    def _joined(self, streams: list[tuple[Stream, int]], grid: Grid) -> Iterator[Joined]:
        def read(start: int) -> tuple[Joined, int]:
            wanted = min(
                next_cut(stream.current(), version, start, grid.end, READ_AT_ONCE // len(streams) + 1)
                for stream, version in streams
            )
            cut = grid.cut(start, wanted)
            parts = []
            for stream, version in streams:

                def points(state: StreamState, version: int = version) -> Points:
                    with self.database.cursor() as cursor:
                        return read_points(cursor, state, version, start, cut)

                parts.append(stream.read(points))
            return join(parts, grid), cut

        start = grid.first
        while start < grid.end:
            part, start = native(read, start)
            yield part

    @staticmethod
    def _parts(
        stream: Stream, start: int, end: int, read: Callable[[StreamState, int, int], tuple[T, int]]
    ) -> Iterator[T]:
        """The parts of [start, end) that `read` returns, each with where the next one starts."""
        while start < end:
            begin = start
            part, start = native(stream.read, lambda state: read(state, begin, end))  # noqa: B023
            yield part

    def _find(self, account: str, uuid: UUID) -> Stream:
        key = account, uuid
        found = self._streams.get(key)
        if found is None:
            # Two threads may be here at once. The one that comes last takes what the other has put there,
            # which has all commits since: a commit needs the stream to be there.
            found = self._streams.setdefault(key, self._load(account, uuid))
        if found.state is None:
            raise no_such_stream()
        return found

    def _load(self, account: str, uuid: UUID) -> Stream:
        with self.database.cursor() as cursor:
            cursor.execute("begin")
            row = cursor.execute(
                "select id, trimmed, version from streams where account = $1 and uuid = $2",
                [account, str(uuid)],
            ).fetchone()
            if row is None:
                cursor.execute("commit")
                raise no_such_stream()
            id, trimmed, version = row
            segments = tables.load_segments(cursor, id)
            removals = tables.load_removals(cursor, id)
            recent = tables.load_recent(cursor, id)
            cursor.execute("commit")
        columns = segments["max_added"], removals["version"], recent.added
        version = max(version, CREATED, *(int(column.max()) for column in columns if len(column)))
        return Stream(id, account, uuid, StreamState(version, segments, Recent.of(recent), removals, trimmed))

    def _numbers(self) -> Numbers:
        ((streams, segments),) = self.database.rows(
            "select (select coalesce(max(id), 0) from streams), "
            "(select coalesce(max(id), 0) from "
            "(select id from segments union all select segment from garbage))"
        )
        return Numbers.after(streams, segments)


def _sweep(transaction: Transaction) -> bool:
    rows = transaction.cursor.execute("select segment from garbage order by segment limit 64").fetchall()
    if rows:
        ids = np.array([id for (id,) in rows], np.int64)
        tables.delete_segments(transaction.cursor, ids)
        transaction.cursor.execute(
            "delete from garbage where segment between $1 and $2", [int(ids[0]), int(ids[-1])]
        )
    return len(rows) == 64
