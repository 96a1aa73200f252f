"""The store: one database, with many readers and a single writer."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import OperationalError

from ...green.backends.choice import native
from ...green.backends.contract import NATIVE_THREADS
from ..bus.folder_bus import FolderBus
from ..problems import Problem, Unavailable
from . import engine as engines
from .cancellation import CURRENT, cancelled_by
from .retries import Retries
from .statistics import StoreStatistics
from .writer import Writers
from .writer_cache import NoCache, WriterCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sqlalchemy.engine import Connection

    from ..bus.bus import Bus
    from .database import Database

T = TypeVar("T")

_OPEN_SECONDS = 15.0
_IDLE_READERS = NATIVE_THREADS  # as many as there are at once under gevent and eventlet


class Store:
    """A platform's whole data. Usable from any number of green or plain threads, and across a fork.

    Args:
        place: a folder (made if missing, the database is `platform.db` in it) or an SQLAlchemy URL.
        cache: what is cached between write transactions; nothing by default.
        folder: where the platform's files are if `place` is the URL of a server; None for nowhere.
        bus: between the processes that use the database; by default the folder that they share. It is closed
            along with the store.

    Attributes:
        folder: where the platform's files are, None if it has none.
        shared_folder: the folder that all processes share that use the database; None if a server has it.
        bus: between these processes.

    Raises:
        ConfigurationError: the place cannot be used.
        Unavailable: another process kept it locked.
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        cache: WriterCache | None = None,
        folder: str | os.PathLike[str] | None = None,
        bus: Bus | None = None,
    ) -> None:
        located = engines.locate(place, folder)
        self._database = engines.open_database(located.url)
        self.folder = located.folder
        self.shared_folder = self._database.folder
        self.bus = FolderBus(self.shared_folder, self.folder) if bus is None else bus
        cache = NoCache() if cache is None else cache
        self._statistics = StoreStatistics()
        self._writers = Writers(self._database, cache, self._statistics)
        self._readers = _Readers(self._database, self._statistics)
        self._prepare()

    def read(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`, run on a connection that sees one moment of the data throughout.

        Where the context has an CancelScope (`cancellation.CURRENT`), it ends when that says so.

        Raises:
            Unavailable: the database could not be read.
            Problem: the CancelScope's own.
            Whatever `work` raises.
        """
        result: T = native(self._readers.use, work)
        return result

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        clears_cache: bool = False,
        committed: Callable[[], object] | None = None,
    ) -> T:
        """The result of `work`, run by the single writer, after it has reached the disk.

        Args:
            work: takes the connection, within a transaction that it must neither commit nor roll back. It may
                be run more than once and shall have no effect but on the connection. If it raises, nothing of
                it is kept.
            clears_cache: whether it changes what the store's cache holds.
            committed: called once the work is on disk, in the writer's thread, in the order of the commits,
                also if the caller was interrupted. It must neither wait nor raise.

        Raises:
            Unavailable: the database could not be written.
            Whatever `work` raises.
        """
        return self._writers.here().submit(work, clears_cache, committed)

    def statistics(self) -> StoreStatistics:
        """The numbers of this process now."""
        return replace(self._statistics, waiting=self._writers.waiting)

    def close(self) -> None:
        """Write what is queued, then close the files. More calls do nothing."""
        self._writers.close()
        self.bus.close()
        native(self._readers.close)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Make the tables, with retries: SQLite does not wait for another process that does the same."""
        deadline = time.monotonic() + _OPEN_SECONDS
        while True:
            try:
                native(self._database.prepare)
                return
            except OperationalError as error:
                if time.monotonic() > deadline:
                    raise self._database.not_opened(error) from error
            time.sleep(0.02)


class _Readers:
    """A pool of connections for reading. It needs no lock: taking and returning one are atomic."""

    def __init__(self, database: Database, statistics: StoreStatistics) -> None:
        self._database = database
        self._statistics = statistics
        self._pid = os.getpid()
        self._idle: deque[Connection] = deque()
        self._inherited: list[deque[Connection]] = []  # a parent's: neither used nor closed here
        self._closed = False

    def use(self, work: Callable[[Connection], T]) -> T:
        retries = Retries(self._database.RETRY_SECONDS)
        while True:
            try:
                return self._use_once(work)
            except OperationalError as error:
                if not self._database.is_passing(error):
                    raise self._failed(error) from error
                self._statistics.lost(error.orig)
                self._discard_idle()  # the server may have been restarted
                if not retries.wait():
                    raise self._failed(error) from error
                self._statistics.read_retries += 1

    def _failed(self, error: OperationalError) -> Problem:
        if not self._database.is_too_much(error):
            self._statistics.gave_up(error.orig)
        return self._database.unavailable(error)

    def _use_once(self, work: Callable[[Connection], T]) -> T:
        scope = CURRENT.get()
        connection = self._take()
        try:
            with connection.begin(), cancelled_by(scope, connection):
                result = work(connection)
        except Problem:
            self._leave(connection)
            raise
        except OperationalError:
            connection.close()
            if scope is not None and scope.problem is not None:
                raise scope.problem from None
            raise
        except BaseException:
            connection.close()
            raise
        self._statistics.reached()
        self._leave(connection)
        return result

    def close(self) -> None:
        self._closed = True
        self._discard_idle()

    def _discard_idle(self) -> None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return
            connection.close()

    def _take(self) -> Connection:
        if self._closed:
            raise Unavailable("the store is closed")
        if self._pid != os.getpid():
            self._inherited.append(self._idle)
            self._idle, self._pid = deque(), os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._database.reading.connect()

    def _leave(self, connection: Connection) -> None:
        if self._closed or len(self._idle) >= _IDLE_READERS:
            connection.close()
        else:
            self._idle.append(connection)
