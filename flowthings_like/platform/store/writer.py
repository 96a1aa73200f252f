"""The single writer: many callers, one transaction, one wait for the disk.

Whatever has queued up while the last group was being written becomes the next one. Nothing waits for a group
to fill: a lone caller is written at once, sixty-four callers share one COMMIT.

Jobs are taken from the queue and written in one native call, which neither a kill nor a signal can interrupt:
a job is either in the queue or with the call that has taken it. What a green or main thread does around that
call (starting it, telling the callers) may be interrupted at any point. Then nobody is told, and a caller
that has waited for a second checks for itself.
"""

from __future__ import annotations

import _queue
import _thread
import os
import queue
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import OperationalError

from ...green.backends.choice import detect, native
from ..problems import Problem, Unavailable
from . import engine as engines

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

    from .writer_cache import WriterCache

T = TypeVar("T")

GROUP = 128
"""Most pieces of work in one transaction."""

_LOOK_AROUND = 1.0  # seconds after which a waiting caller checks that a dispatcher is at work


class _Job:
    """One caller's work, and its result or error."""

    __slots__ = ("clears_cache", "done", "error", "finished", "result", "work")

    def __init__(self, work: Callable[[Connection], Any] | None, clears_cache: bool) -> None:
        self.work = work
        self.clears_cache = clears_cache
        self.result: Any = None
        self.error: BaseException | None = None
        self.finished = False  # set by the native call that wrote it
        # Released once, by the dispatcher. A lock and no Event: a signal's exception within an Event's Python
        # code leaves its inner lock held, and setting the Event then waits for ever.
        self.done = _thread.allocate_lock()
        self.done.acquire()


class _NativeLock:
    """A lock for native calls. Made of a queue in C, which gevent and eventlet leave as it is."""

    def __init__(self) -> None:
        self._key: _queue.SimpleQueue[None] = _queue.SimpleQueue()
        self._key.put(None)

    def __enter__(self) -> None:
        self._key.get()

    def __exit__(self, *_: object) -> None:
        self._key.put(None)

    @property
    def is_taken(self) -> bool:
        """Whether it is held right now."""
        return self._key.empty()


class _Session:
    """The writer's connection, opened when first needed and again after it failed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

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
    """One process's writer. The store makes it; a forked child gets its own.

    Args:
        engine: whose transactions take the write lock as they begin.
        cache: refreshed at the start of each transaction, as other processes may have changed what it holds;
            cleared when work that changes it was run or undone.
    """

    def __init__(self, engine: Engine, cache: WriterCache) -> None:
        self._engine = engine
        self._cache = cache
        self._session = _Session(engine)
        self._queue: _queue.SimpleQueue[_Job] = _queue.SimpleQueue()  # jobs are taken in native calls only
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()  # the dispatcher waits on this one
        self._writing = _NativeLock()  # held while a group is written
        self._dispatcher: object | None = None  # identifies the thread that ought to be running

    def submit(self, work: Callable[[Connection], T], clears_cache: bool = False) -> T:
        """Run `work` in the next group; return its result, or raise its error, once it is on disk.

        `work` may be run more than once, each time in a new transaction. A caller that is interrupted here
        does not know whether its work was done; the writer goes on.

        Raises:
            Unavailable: the database could not be written; nothing was.
        """
        job = _Job(work, clears_cache)
        self._wait(job)
        try:
            if job.error is not None:
                raise job.error
            result: T = job.result
            return result
        finally:
            del job  # the error's traceback refers to this frame

    def close(self) -> None:
        """Return once everything submitted before has been written; then close the connection."""
        if self._dispatcher is not None or not self._queue.empty() or self._session.is_open:
            self._wait(_Job(None, False))

    def _wait(self, job: _Job) -> None:
        if detect().is_foreign_thread():  # a dispatcher could not wake its hub
            native(self._write_here, job)
            return
        # Started first: if no thread can be started, nothing has been queued.
        dispatcher = self._dispatcher or self._start()
        self._queue.put(job)
        self._wakeups.put(None)
        while not job.done.acquire(True, _LOOK_AROUND):
            if job.finished:
                return
            # No group is being written: the dispatcher was interrupted, or missed its wake-up.
            if self._dispatcher in (dispatcher, None) and not self._writing.is_taken:
                self._start()
            dispatcher = self._dispatcher

    def _write_here(self, job: _Job) -> None:
        """Write without a dispatcher. Called in a native thread."""
        if job.work is not None:
            with self._writing:
                self._finish([job])
            return
        self._queue.put(job)  # after everything that was submitted before
        while not job.finished:
            self._write_next()

    def _start(self) -> object:
        """Start a dispatcher. An earlier one that still runs ends at its next wake-up."""
        mark = object()
        try:
            self._dispatcher = mark
            _thread.start_new_thread(self._dispatch, (mark,))
        except BaseException:
            if self._dispatcher is mark:
                self._dispatcher = None
            raise
        self._wakeups.put(None)
        return mark

    def _dispatch(self, mark: object) -> None:
        """Write groups and wake their callers, until closed, replaced or interrupted."""
        try:
            while True:
                self._wakeups.get()
                if self._dispatcher is not mark:
                    self._wakeups.put(None)
                    return
                while not self._queue.empty():
                    jobs = native(self._write_next)
                    for job in jobs:
                        job.done.release()
                    if jobs and jobs[-1].work is None:
                        return
        finally:
            if self._dispatcher is mark:
                self._dispatcher = None

    def _write_next(self) -> list[_Job]:
        """Take up to GROUP queued jobs and write them. Returns the jobs, all of them finished."""
        with self._writing:
            return self._finish(self._take())

    def _finish(self, jobs: list[_Job]) -> list[_Job]:
        try:
            self._write(jobs)
        except BaseException as error:
            _fail([job for job in jobs if not job.finished], error)
        if jobs and jobs[-1].work is None:
            self._session.discard()
        for job in jobs:
            job.finished = True
        return jobs

    def _take(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < GROUP and (not jobs or jobs[-1].work is not None):
            try:
                jobs.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return jobs

    def _write(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if job.work is not None]
        if jobs and not self._transact(jobs, self._session):
            for job in jobs:
                self._transact([job], self._session)
                job.finished = True

    def _transact(self, jobs: list[_Job], session: _Session) -> bool:
        """Run jobs in one transaction. False: one of several failed and nothing was done; run each alone."""
        try:
            connection = session.connection()
            transaction = connection.begin()
        except Exception as error:
            session.discard()
            return _fail(jobs, error)
        try:
            self._cache.refresh(connection)
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
            # Refused before it changed anything: there is nothing to undo, and the other jobs go on.
            if before is None or engines.changes(connection) != before:
                raise
            job.error = problem
        if job.clears_cache:
            self._cache.clear()

    def _undo(self, transaction: Any, session: _Session) -> None:
        self._cache.clear()
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
    """One writer for each process: a forked child never uses its parent's queue or connection."""

    def __init__(self, engine: Engine, cache: WriterCache) -> None:
        self._engine = engine
        self._cache = cache
        self._by_process: dict[int, Writer] = {}
        self._closed = False

    def here(self) -> Writer:
        """This process's writer."""
        if self._closed:
            raise Unavailable("the store is closed")
        pid = os.getpid()
        found = self._by_process.get(pid)
        if found is None:
            self._cache.clear()
            # setdefault is atomic: two threads that ask at the same time get the same writer.
            found = self._by_process.setdefault(pid, Writer(self._engine, self._cache))
        return found

    def close(self) -> None:
        """Drain and close this process's writer; the store takes no more writes."""
        self._closed = True
        found = self._by_process.get(os.getpid())
        if found is not None:
            found.close()
