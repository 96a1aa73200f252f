"""Decides when queued calls are sent. The life of a lazy call that has a bulk form:

1. `Batcher.submit` appends the call to its queue and starts a dispatcher thread if none is coming.
2. The dispatcher thread takes a batch from the queue. `Dispatcher.send` makes one bulk request of it.
3. Each call, which is a future, gets its own result or its own failure. Threads that wait for it go on.

There is no timer. Under gevent and eventlet a dispatcher thread runs on the hub's next turn, or as soon as
there is a full batch, and finds all that was submitted before. On threads it runs at once: calls that are
submitted while a batch is in flight are sent when its answer is there, or when they fill a batch.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from flowthings_like.errors import FlowThingsError

from ..future import Waiters
from ..wrong_thread import wrong_thread
from .dispatcher import Dispatcher, fail
from .gathering import Gathering
from .queue import BatchQueue
from .writes import Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.contract import Pool
    from ..future import Future, OneShotEvent, Task
    from .bulk_marker import BulkForm
    from .queue import Batch, Call

__all__ = ["DISPATCHERS", "Batcher"]

DISPATCHERS = 8
"""Batches that one lazy object has in flight at once."""


class _DispatcherThread:
    """One of the threads that send batches. It ends when there are none."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: Task | None = None


class Batcher:
    """The queues of one lazy object, and the threads that send what is in them.

    One lock guards these rules:

    - A dispatcher thread is started before a queue is marked as ready. If the start fails, the queue stays as
      it was. So there is a dispatcher thread while a queue is ready.
    - A batch is taken only if `BatchQueue.may_send` allows it at that moment.
    - Whoever changes a queue looks at it again before the lock is released, and marks it as ready if it may
      send. So `submit` can append a call and look at the queue without the lock.
    - A dispatcher thread that dies fails the calls of its batch and no others. Another one takes its place.

    Args:
        pool: runs the calls that are sent alone.
        known: which bulk forms the platform has, (class of the service, method) -> bool, as far as known.
            Belongs to the api, and outlives this object.
        track: called with this object, once in each process that uses it.
        most: batches in flight at once.

    Attributes:
        writes: what this lazy object has written.
        gathering: the functions that may be about to make a call; None where threads run in turns.
    """

    def __init__(
        self,
        pool: Pool,
        known: dict[Any, bool],
        track: Callable[[Batcher], object],
        most: int = DISPATCHERS,
    ) -> None:
        backend = pool.backend
        self.writes = Writes()
        self.gathering = None if backend.is_cooperative else Gathering(backend)
        self._backend = backend
        self._internal_pool = backend.internal_pool()
        self._most = most
        self._dispatcher = Dispatcher(pool, known, self.writes)
        self._queues: WeakValueDictionary[Any, BatchQueue] = WeakValueDictionary()
        self._lock = backend.lock()
        self._ready: dict[BatchQueue, None] = {}  # queues that may send a batch, in order
        self._threads: set[_DispatcherThread] = set()
        self._event_factory = backend.event_factory(wrong_thread)
        self._waiters = Waiters(self._new_event)
        self._track = track
        self._pid = os.getpid()
        track(self)

    def queue(self, form: BulkForm, service: Any, timeout: Any = None) -> BatchQueue:
        """The queue for calls of this method; the same one for all services of the same path.

        Args:
            timeout: of each of the calls. Writes have one queue for all time-outs, because they keep their
                order.
        """
        where = type(service) if form.across else getattr(service, "path", id(service))
        name = where, form.method, timeout
        found = self._queues.get(name)
        if found is None:
            found = self._queues.setdefault(
                name, BatchQueue(form, service, self._waiters, self._backend.is_cooperative)
            )
        return found

    def _new_event(self) -> OneShotEvent:
        """The event that a thread waits for when it needs a result."""
        if self._pid != os.getpid():
            self._reset_after_fork()
        return self._event_factory() if self.gathering is None else self.gathering.event()

    # Queueing

    def submit(self, call: Call) -> Future:
        """Queue a call and return the future of its result: the call itself, or an equal read in flight.

        If this fails or is interrupted, the call is cancelled, unless it has been sent already.

        Raises:
            WrongThread: the lazy object belongs to another OS thread.
            RuntimeError: no thread can be started.
        """
        queue = call.queue
        if queue.shares:
            equal = queue.unanswered.get(call.key)
            if equal is not None and queue.may_share(call, equal, self.writes):
                return equal
        try:
            queue.append(call)
            # No lock is needed here: each change of these is followed by another look at the queue.
            if queue not in self._ready and queue.may_send():
                self._schedule(queue)
            if not len(queue.calls) % queue.form.most:
                self._let_send()
        except BaseException:
            call.cancel()
            raise
        if queue.shares:  # last: no other call may share one that is cancelled here
            queue.let_share(call)
        return call

    def _let_send(self) -> None:
        """A batch is full: yield to the dispatcher thread where threads are cooperative."""
        if self._backend.is_cooperative and not self._backend.in_hub():
            self._backend.yield_to_others()

    # Dispatcher threads

    def _schedule(self, queue: BatchQueue) -> None:
        """Have a dispatcher thread send a batch of this queue. After an error the queue is as it was."""
        self._internal_pool.check_thread()
        if self._pid != os.getpid():
            self._reset_after_fork()
        with self._lock:
            if queue.calls and queue.may_send():
                self._start_dispatcher()
                self._ready[queue] = None

    def _start_dispatcher(self) -> None:
        """Start a dispatcher thread if there may be another one. Called under the lock.

        Raises:
            RuntimeError: it cannot be started, and there is no other one.
        """
        if len(self._threads) >= self._most:
            return
        thread = _DispatcherThread()
        try:
            self._threads.add(thread)
            thread.task = self._internal_pool.start(self._send_batches, thread)
            thread.task.when_done(partial(self._ended, thread))  # it may be killed before it runs
        except BaseException as error:
            self._threads.discard(thread)  # if it runs nevertheless, it adds itself
            if not self._threads or not isinstance(error, Exception):
                raise

    def _send_batches(self, thread: _DispatcherThread) -> None:
        """Send batches until there are none: what a dispatcher thread runs."""
        with self._lock:
            self._threads.add(thread)
        try:
            while (batch := self._next_batch(thread)) is not None:
                try:
                    batch.context.run(self._dispatcher.send, batch)
                finally:
                    self._finish(batch)
        finally:
            self._ended(thread)

    def _next_batch(self, thread: _DispatcherThread) -> Batch | None:
        """Take the next batch; None if there is none: the thread then no longer counts."""
        if self.gathering is not None:
            with self._lock:  # no queue is marked as ready before its thread is started
                expected = bool(self._ready)
            if expected:
                self.gathering.wait_until_quiet()
        with self._lock:
            batch = self._take()
            if batch is None:
                self._threads.discard(thread)
            return batch

    def _take(self) -> Batch | None:
        """Take a batch from the first queue that may send one. Called under the lock."""
        while self._ready:
            queue = next(iter(self._ready))
            del self._ready[queue]  # first: a call that is submitted from here on marks it as ready again
            # Another dispatcher thread may have taken a batch since the queue was marked as ready.
            batch = queue.take() if queue.may_send() else None
            self._look_again(queue)
            if batch is not None:
                return batch
        return None

    def _finish(self, batch: Batch) -> None:
        """The calls of this batch have their results: its queue may send the next one."""
        with self._lock:
            batch.queue.finish(batch)
            self._look_again(batch.queue)

    def _look_again(self, queue: BatchQueue) -> None:
        """Mark a queue as ready if it may send more, and start another dispatcher thread if possible.

        Called by a dispatcher thread, under the lock.
        """
        if queue.calls and queue.may_send():
            self._ready[queue] = None
            with suppress(Exception):
                self._start_dispatcher()

    def _ended(self, thread: _DispatcherThread) -> None:
        """A dispatcher thread has ended, or was killed, maybe before it began."""
        with self._lock:
            self._threads.discard(thread)
            if self._ready and not self._threads:
                try:
                    self._start_dispatcher()
                except Exception as error:
                    self._fail_ready(error)

    def _fail_ready(self, error: Exception) -> None:
        """Fail what is ready to be sent: no thread can be started for it. Called under the lock."""
        for queue in self._ready:
            fail(list(queue.calls), error)
        self._ready.clear()

    # The end

    def futures(self) -> list[Future]:
        """The calls that have no result yet, without those that were cancelled in flight."""
        found: list[Future] = []
        queues = list(self._queues.values())
        with self._lock:  # a call that moves from its queue to a batch is in neither
            found += chain.from_iterable(map(BatchQueue.unanswered_calls, queues))
        return found

    def wait_for_all(self) -> bool:
        """Wait until every submitted call has its result; False if there was nothing to wait for."""
        waited = False
        while futures := self.futures():
            waited = True
            for future in futures:
                future.wait()
        return waited

    def cancel(self) -> None:
        """Cancel the queued calls, and kill the threads that send the others, as far as that can be done."""
        for queue in list(self._queues.values()):
            with self._lock:  # so that none of them is sent meanwhile
                queue.cancel()
        tasks = [thread.task for thread in tuple(self._threads)]
        for task in [task for task in tasks if task is not None and task.request_cancel()]:
            task.outcome()

    def _reset_after_fork(self) -> None:
        """Begin anew in a forked child: the parent's dispatcher threads stayed there, with their batches."""
        self._pid = os.getpid()
        self._track(self)
        if self._backend.is_cooperative:  # green threads come along
            return
        self._lock = self._backend.lock()
        self._threads.clear()
        self._ready.clear()
        error = FlowThingsError(
            "this call was on its way when the process forked, and its answer goes to the parent; "
            "collect results before forking, or make the call in the child"
        )
        for queue in list(self._queues.values()):
            for batch in queue.in_flight:
                fail(batch.calls, error)
            queue.in_flight.clear()
            if queue.calls:
                self._schedule(queue)
