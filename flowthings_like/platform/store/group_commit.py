"""Group commit: many callers, one transaction, one wait for the disk.

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
import queue
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from ...green.backends.choice import detect, native

__all__ = ["GROUP", "GroupCommit", "Job", "NativeLock"]

GROUP = 128
"""Most jobs in one transaction."""

_LOOK_AROUND = 1.0  # seconds after which a waiting caller checks that a dispatcher is at work


class Job:
    """One caller's work, and its result or error. A job whose work is None closes the writer."""

    __slots__ = ("done", "error", "finished", "result", "work")

    def __init__(self, work: Any) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.finished = False  # set by the native call that wrote it
        # Released once, by the dispatcher. A lock and no Event: a signal's exception within an Event's Python
        # code leaves its inner lock held, and setting the Event then waits for ever.
        self.done = _thread.allocate_lock()
        self.done.acquire()

    def fail(self, error: BaseException) -> None:
        """Let the caller's wait end with this error."""
        self.result = None
        self.error = error


J = TypeVar("J", bound=Job)


class NativeLock:
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


class GroupCommit(ABC, Generic[J]):
    """One process's writer to one database. A forked child needs one of its own."""

    def __init__(self) -> None:
        self._queue: _queue.SimpleQueue[J] = _queue.SimpleQueue()  # jobs are taken in native calls only
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()  # the dispatcher waits on this one
        self._writing = NativeLock()  # held while a group is written
        self._dispatcher: object | None = None  # identifies the thread that ought to be running

    @abstractmethod
    def _write(self, jobs: list[J]) -> None:
        """Write a group, in a native thread; set the result or the error of each job.

        A job whose work is None has nothing to write. If this raises, jobs that are not `finished` fail.
        """

    @abstractmethod
    def _disconnect(self) -> None:
        """Let go of the connection, after everything was written."""

    @property
    @abstractmethod
    def _is_connected(self) -> bool:
        """Whether there is a connection to let go of."""

    @abstractmethod
    def _closing_job(self) -> J:
        """A job whose work is None."""

    def _submit(self, job: J) -> Any:
        """Return the job's result, or raise its error, once it is on disk."""
        self._wait(job)
        try:
            if job.error is not None:
                raise job.error
            return job.result
        finally:
            del job  # the error's traceback refers to this frame

    @property
    def waiting(self) -> int:
        """How many jobs wait for the next group."""
        return self._queue.qsize()

    def close(self) -> None:
        """Return once everything submitted before has been written; then close the connection."""
        if self._dispatcher is not None or not self._queue.empty() or self._is_connected:
            self._wait(self._closing_job())

    def _wait(self, job: J) -> None:
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

    def _write_here(self, job: J) -> None:
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
                    if self._dispatch_group():
                        return
        finally:
            if self._dispatcher is mark:
                self._dispatcher = None

    def _dispatch_group(self) -> bool:
        """Write a group and wake its callers. Returns whether the writer is closed. Nothing of it is kept."""
        jobs: list[J] = native(self._write_next)
        for job in jobs:
            job.done.release()
        return bool(jobs) and jobs[-1].work is None

    def _write_next(self) -> list[J]:
        """Take up to GROUP queued jobs and write them. Returns the jobs, all of them finished."""
        with self._writing:
            return self._finish(self._take())

    def _finish(self, jobs: list[J]) -> list[J]:
        try:
            self._write(jobs)
        except BaseException as error:
            for job in jobs:
                if not job.finished:
                    job.fail(error)
        if jobs and jobs[-1].work is None:
            self._disconnect()
        for job in jobs:
            job.finished = True
        return jobs

    def _take(self) -> list[J]:
        jobs: list[J] = []
        while len(jobs) < GROUP and (not jobs or jobs[-1].work is not None):
            try:
                jobs.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return jobs
