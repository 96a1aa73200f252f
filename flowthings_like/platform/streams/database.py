"""The database: one DuckDB file in the folder, and a pool of connections to it.

Points stand in the table `points`, a segment after the other, so that each column is compressed well: a
segment is up to 65,536 points of one stream in the order of their times. `segments` says what a segment has,
`rollups` has its statistics for windows of several sizes. Points that came last stand in `recent`, in the
order in which they came.

A stream's points carry the version that has added them. A version that takes points away adds a row to
`removals`: a range of times, which it takes away from the points that were added before it. So every version
of a stream stays readable.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ..leader.after_fork import abandon_in_children
from ..store.group_commit import NativeLock
from .pause import pause
from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["FILE", "Database"]

FILE = "streams/streams.duckdb"
"""The database in the platform's folder. It has a folder of its own, because DuckDB makes files beside it
that the umask would let others read."""

FORMAT = 1
"""The number of the tables' layout. It changes when an older program could not use them."""

_TABLES = """
create table if not exists format (number integer not null);
create table if not exists streams (
    id integer not null,
    account varchar not null,
    uuid uuid not null,
    collection varchar not null,
    name varchar not null,
    unit varchar not null,
    ingress varchar not null,
    distiller varchar not null,
    annotations json not null,
    property_version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    retention bigint,
    trimmed bigint not null,
    version bigint not null
);
create table if not exists obliterated (account varchar not null, uuid uuid not null);
create table if not exists segments (
    id integer not null,
    stream integer not null,
    first bigint not null,
    last bigint not null,
    count integer not null,
    min_added bigint not null,
    max_added bigint not null,
    base tinyint not null,
    top tinyint not null
);
create table if not exists points (
    segment integer not null, time bigint not null, value double not null, added bigint not null
);
create table if not exists rollups (
    segment integer not null,
    level tinyint not null,
    time bigint not null,
    min double not null,
    mean double not null,
    max double not null,
    count integer not null,
    m2 double not null
);
create table if not exists recent (
    stream integer not null, time bigint not null, value double not null, added bigint not null
);
create table if not exists removals (
    stream integer not null, version bigint not null, first bigint not null, until bigint not null
);
create table if not exists commits (stream integer not null, version bigint not null, time bigint not null);
create table if not exists garbage (segment integer not null);
create table if not exists retention (
    account varchar not null, collection varchar not null, remove_older_than bigint not null
);
create table if not exists devices (
    account varchar not null,
    id bigint not null,
    fields json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create table if not exists units (
    account varchar not null,
    id bigint not null,
    fields json not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
"""

_MOST_IDLE = 16
_OPEN_SECONDS = 10.0
_CLOSE_SECONDS = 30.0


class Database:
    """The open database. Its methods are called in native threads, any number at a time.

    Args:
        path: the file, which is made if it is missing. One process at a time can have it open.
        memory: how much DuckDB may hold, such as "1GB".

    Raises:
        ConfigurationError: DuckDB is not installed, the file cannot be used, or another process has it open.
    """

    def __init__(self, path: Path, memory: str = "1GB") -> None:
        try:
            import duckdb
        except ImportError as error:
            raise ConfigurationError(
                "the streams of an embedded platform need the package duckdb; "
                "run: pip install 'flowthings_like[embedded,streams]'"
            ) from error
        self.Error: type[Exception] = duckdb.Error
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "checkpoint_threshold": "64MB",
        }
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.parent.chmod(0o700)
            self._root: Any = _connect(path, settings)
            self._root.execute("set TimeZone = 'UTC'")
            self._root.execute(_TABLES)
            ((found,),) = self._root.execute("select coalesce(max(number), 0) from format").fetchall()
            if found == 0:
                self._root.execute("insert into format values ($1)", [FORMAT])
            elif found != FORMAT:
                self._root.close()
                raise ConfigurationError(
                    f"{str(path)!r} was written by another version of this package: "
                    f"its tables have format {found}, this version has {FORMAT}"
                )
            path.chmod(0o600)
        except (duckdb.Error, OSError) as error:
            raise ConfigurationError(f"{str(path)!r} cannot be opened: {error}") from error
        self._idle: deque[Any] = deque()
        self._inherited: list[Any] = []
        abandon_in_children(self)

        self._is_closed = False
        self._making = NativeLock()  # DuckDB refuses to make two connections at once

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A connection of its own for the block: a cursor of DuckDB."""
        try:
            cursor = self._idle.pop()
        except IndexError:
            cursor = self.connect()
        yield cursor
        # After an exception the connection may have a transaction or a result: it is dropped.
        if self._is_closed or len(self._idle) >= _MOST_IDLE:
            cursor.close()
        else:
            self._idle.append(cursor)

    def connect(self) -> Any:
        """A connection that the caller keeps and closes."""
        if self._is_closed:
            raise StreamProblem(Code.RESOURCES_DEPLETED, "the store is closed")
        with self._making:
            return self._root.cursor()

    def columns(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """The result of a query as arrays of numpy, by the names of its columns."""
        with self.cursor() as cursor:
            found: dict[str, Any] = cursor.execute(sql, parameters).fetchnumpy()
            return found

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The result of a query as tuples."""
        with self.cursor() as cursor:
            found: list[tuple[Any, ...]] = cursor.execute(sql, parameters).fetchall()
            return found

    def in_memory(self, settings: dict[str, str | bool | int | float | list[str]]) -> Any:
        """A database of its own, in memory. The caller keeps its connection."""
        import duckdb

        return duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                **settings,
            },
        )

    def close(self) -> None:
        """Close all connections and write the log into the file."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()
        with self._making:
            self._close_root()

    def _close_root(self) -> None:
        # It closes the connections that were made of it, and refuses while one is in use.
        deadline = time.monotonic() + _CLOSE_SECONDS
        while True:
            try:
                self._root.close()
                return
            except self.Error:
                if time.monotonic() > deadline:
                    raise
            pause(0.01)

    def abandon(self) -> None:
        """In a forked child: keep what is inherited, because closing it would wait for threads that the child
        does not have."""
        self._inherited.append((self._root, list(self._idle)))
        _kept.append(self._inherited)
        self._idle = deque()


def _connect(path: Path, settings: dict[str, str | bool | int | float | list[str]]) -> Any:
    """Open the file. Waits for a process that is about to close it."""
    import duckdb

    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            return duckdb.connect(str(path), config=settings)
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise
        pause(0.05)


_kept: list[Any] = []
"""What forked children never close."""
