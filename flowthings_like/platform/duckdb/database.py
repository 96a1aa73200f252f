"""One DuckDB file in the platform's folder, and a pool of connections to it."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ..leader.after_fork import abandon_in_children
from ..store.group_commit import NativeLock
from ..store.pause import pause
from .copy_lock import CopyLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Database", "Schema"]

_MOST_IDLE = 16
_OPEN_SECONDS = 10.0
_CLOSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a database.

    Attributes:
        subject: what they hold, for messages: "streams".
        format: the number of their layout. It changes when an older program could not use them.
        tables: the statements that make them if they are missing.
        extras: what has to be installed, as in `pip install 'flowthings_like[embedded,streams]'`.
    """

    subject: str
    format: int
    tables: str
    extras: str = "embedded"


class Database:
    """The open database. Its methods are called in native threads, any number at a time.

    Args:
        path: the file, which is made if it is missing. One process at a time can have it open. It has a
            folder of its own, because DuckDB makes files beside it that the umask would let others read.
        schema: the tables.
        closed: makes the exception for a call after `close`.
        memory: how much DuckDB may hold, such as "1GB".

    Raises:
        ConfigurationError: DuckDB is not installed, the file cannot be used, or another process has it open.
    """

    def __init__(
        self, path: Path, schema: Schema, closed: Callable[[], Exception], memory: str = "1GB"
    ) -> None:
        try:
            import duckdb
        except ImportError as error:
            raise ConfigurationError(
                f"the {schema.subject} of an embedded platform need the package duckdb; "
                f"run: pip install 'flowthings_like[{schema.extras}]'"
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
            self._copy_lock = CopyLock(path.parent)
            try:
                self._root: Any = _connect(path, settings, self._copy_lock)
                with self._copy_lock.held():
                    self._make_tables(path, schema)
                path.chmod(0o600)
            except BaseException:
                self._copy_lock.close()
                raise
        except (duckdb.Error, OSError) as error:
            raise ConfigurationError(f"{str(path)!r} cannot be opened: {error}") from error
        self._idle: deque[Any] = deque()
        self._inherited: list[Any] = []
        abandon_in_children(self)

        self._closed = closed
        self._is_closed = False
        self._making = NativeLock()  # DuckDB refuses to make two connections at once

    def _make_tables(self, path: Path, schema: Schema) -> None:
        self._root.execute("set TimeZone = 'UTC'")
        self._root.execute("create table if not exists format (number integer not null)")
        self._root.execute(schema.tables)
        ((found,),) = self._root.execute("select coalesce(max(number), 0) from format").fetchall()
        if found == 0:
            self._root.execute("insert into format values ($1)", [schema.format])
        elif found != schema.format:
            self._root.close()
            raise ConfigurationError(
                f"{str(path)!r} was written by another version of this package: "
                f"its tables have format {found}, this version has {schema.format}"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A block in which the file may be changed, because nobody copies it. Called in a native thread."""
        with self._copy_lock.held():
            yield

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
            raise self._closed()
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
        with self._making, self._copy_lock.held():
            self._close_root()
        self._copy_lock.close()

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
        self._copy_lock.close()
        self._inherited.append((self._root, list(self._idle)))
        _kept.append(self._inherited)
        self._idle = deque()


def _connect(
    path: Path, settings: dict[str, str | bool | int | float | list[str]], copy_lock: CopyLock
) -> Any:
    """Open the file. Waits for a process that is about to close it, and needs the lock for that."""
    import duckdb

    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            with copy_lock.held():  # DuckDB brings the file up to date with its log
                return duckdb.connect(str(path), config=settings)
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise
        pause(0.05)


_kept: list[Any] = []
"""What forked children never close."""
