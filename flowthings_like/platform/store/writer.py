"""The single writer: many callers, one transaction, one wait for the disk.

Whatever has queued up while the last group was being written becomes the next one. Nothing waits for a group
to fill: a lone caller is written at once, sixty-four callers share one COMMIT.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import OperationalError

from ...green.backend import native
from ..problems import Problem, Unavailable
from . import engine as engines

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..catalogue import Catalogue

T = TypeVar("T")

GROUP = 128
"""Most pieces of work in one transaction."""

_LOOK_AROUND = 1.0  # seconds after which a waiting caller makes sure that somebody works


class _Job:
    """One caller's work, and what came of it."""

    __slots__ = ("done", "error", "result", "settled", "touches_catalogue", "work")

    def __init__(self, work: Callable[[Connection], Any] | None, touches_catalogue: bool) -> None:
        self.work = work
        self.touches_catalogue = touches_catalogue
        self.result: Any = None
        self.error: BaseException | None = None
        self.settled = False  # set where it was written, in a native thread
        self.done = threading.Event()  # set by the writer's own thread, which the caller can wait for


class _Group:
    """The jobs of one transaction. `started` and `cancelled` tell whose they are if it is interrupted."""

    __slots__ = ("cancelled", "jobs", "started")

    def __init__(self) -> None:
        self.jobs: list[_Job] = []
        self.started = False
        self.cancelled = False


class _Session:
    """The writer's connection, opened when first needed and again after it failed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # it is being thrown away because it is broken
                connection.invalidate()


class Writer:
    """One process's writer. Made by the store; a forked child gets one of its own.

    Args:
        engine: whose transactions take the write lock as they begin.
        catalogue: told at the start of a transaction to look for other processes' changes, and to forget when
            work that touches it was run or undone.
    """

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._session = _Session(engine)
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._busy = threading.Lock()  # held by the one thread that runs

    def submit(self, work: Callable[[Connection], T], touches_catalogue: bool = False) -> T:
        """Run `work` in the next group; return its result, or raise its error, once it is on disk.

        `work` may be run more than once, each time in a fresh transaction. A caller that is interrupted here
        does not know whether its work was done; the writer is not disturbed.

        Raises:
            Unavailable: the database could not be written; nothing was.
        """
        job = _Job(work, touches_catalogue)
        self._wait(job)
        try:
            if job.error is not None:
                raise job.error
            result: T = job.result
            return result
        finally:
            del job  # an error's traceback holds this frame

    def close(self) -> None:
        """Return once everything submitted before has been written; then close the connection."""
        if self._busy.locked() or not self._queue.empty():
            self._wait(_Job(None, False))
        native(self._session.discard)

    def _wait(self, job: _Job) -> None:
        self._queue.put(job)
        self._ensure_running()
        while not job.done.wait(_LOOK_AROUND):
            if job.settled:
                return
            self._ensure_running()

    def _ensure_running(self) -> None:
        # A thread too many does no harm: it finds the lock taken and ends.
        if not self._busy.locked():
            threading.Thread(target=self._run, name="flowthings-writer", daemon=True).start()

    def _run(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        group = _Group()
        try:
            while True:
                last = self._gather(group.jobs)
                native(self._write, group, self._session)
                for job in group.jobs:
                    job.done.set()
                if last:
                    return
                group = _Group()
        except BaseException:
            self._give_up(group)
            raise
        finally:
            self._busy.release()

    def _gather(self, jobs: list[_Job]) -> bool:
        """Everything that is queued, at least one job, at most GROUP; True once the writer is to stop."""
        jobs.append(self._queue.get())
        while jobs[-1].work is not None and len(jobs) < GROUP:
            try:
                jobs.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return jobs[-1].work is None

    def _give_up(self, group: _Group) -> None:
        """Interrupted (Ctrl-C hits whoever runs): the group is either being written or goes back in line."""
        group.cancelled = True
        # A native thread may still be at work with the connection; the next group must not use it.
        self._session = _Session(self._engine)
        if not group.started:
            for job in group.jobs:
                self._queue.put(job)

    def _write(self, group: _Group, session: _Session) -> None:
        group.started = True
        if group.cancelled:
            return
        jobs = [job for job in group.jobs if job.work is not None]
        if not self._transact(jobs, session):
            for job in jobs:
                self._transact([job], session)
        for job in group.jobs:
            job.settled = True

    def _transact(self, jobs: list[_Job], session: _Session) -> bool:
        """Run `jobs` in one transaction. False: one of several failed, nothing was done, take them apart."""
        try:
            connection = session.connection()
            transaction = connection.begin()
        except Exception as error:
            session.discard()
            return _fail(jobs, error)
        try:
            self._catalogue.refresh(connection)
            for job in jobs:
                self._perform(job, connection)
        except BaseException as error:
            self._undo(transaction, session)
            return _fail(jobs, error) if len(jobs) == 1 else False
        try:
            transaction.commit()
        except Exception as error:
            self._undo(transaction, session)
            session.discard()
            return _fail(jobs, error)
        return True

    def _perform(self, job: _Job, connection: Connection) -> None:
        assert job.work is not None
        job.result = job.error = None
        before = engines.changes(connection)
        try:
            job.result = job.work(connection)
        except Problem as problem:
            # Refused before it had changed anything: there is nothing to undo, its neighbours go on.
            if before is None or engines.changes(connection) != before:
                raise
            job.error = problem
        if job.touches_catalogue:
            self._catalogue.forget()

    def _undo(self, transaction: Any, session: _Session) -> None:
        self._catalogue.forget()
        try:
            transaction.rollback()
        except Exception:  # SQLite has undone it already, as it does when the disk is full
            session.discard()


def _fail(jobs: list[_Job], error: BaseException) -> bool:
    for job in jobs:
        job.result = None
        job.error = engines.unavailable(error) if isinstance(error, OperationalError) else error
    return True


class Writers:
    """The writer of whichever process asks: a forked child never touches its parent's queue or connection."""

    def __init__(self, engine: Engine, catalogue: Catalogue) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._by_process: dict[int, Writer] = {}
        self._closed = False

    def here(self) -> Writer:
        """This process's writer."""
        if self._closed:
            raise Unavailable("the store is closed")
        pid = os.getpid()
        found = self._by_process.get(pid)
        if found is None:
            self._catalogue.forget()
            # setdefault is atomic: two threads that come at once agree on one.
            found = self._by_process.setdefault(pid, Writer(self._engine, self._catalogue))
        return found

    def close(self) -> None:
        """Drain and close this process's writer; the store takes no more writes."""
        self._closed = True
        found = self._by_process.get(os.getpid())
        if found is not None:
            found.close()
