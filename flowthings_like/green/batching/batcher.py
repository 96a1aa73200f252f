"""Lazy calls that have a bulk form, sent in batches.

There is no timer. A call that is submitted asks for a dispatcher. Under gevent and eventlet that one runs on
the hub's next turn, or once there is a whole batch, and finds whatever was submitted meanwhile; on threads it
runs at once, and what comes while a batch is on its way leaves when that is back, or when there is enough for
a full one.
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
    from .bulk_form import BulkForm
    from .queue import Batch, Call

__all__ = ["DISPATCHERS", "Batcher"]

DISPATCHERS = 8
"""Batches that one lazy object has on their way at once."""


class _DispatcherThread:
    """One of the threads that send batches, one after the other."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: Task | None = None


class Batcher:
    """The queues of one lazy object, and the threads that empty them.

    This is kept by changing it under one lock: while a queue is ready there is a dispatcher thread, which was
    started before; a queue has a batch on its way only if `may_send` allowed that.

    Args:
        pool: where the calls of this lazy object run when they go alone.
        known: which bulk forms the platform has, (class of the service, method) -> bool, as far as known.
            Belongs to the api, and outlives this object.
        track: is told of this object, once in each process that uses it.
        most: batches on their way at once.

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
        self._ready: dict[BatchQueue, None] = {}  # of which a batch may leave, in their order
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
        """What a thread waits for that needs a result."""
        if self._pid != os.getpid():
            self._take_over()
        return self._event_factory() if self.gathering is None else self.gathering.event()

    # Arrivals

    def submit(self, call: Call) -> Future:
        """Queue a call, or let it share the request of an equal read. Returns the future of its result.

        If that fails, or is interrupted, the call is not made unless it has left already.

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
            # Without the lock: whoever takes from the queue looks at it again once it has changed these.
            if queue not in self._ready and queue.may_send():
                self._schedule(queue)
            if not len(queue.calls) % queue.form.most:
                self._let_send()
        except BaseException:
            call.cancel()
            raise
        if queue.shares:  # last, so that what was interrupted is shared by nobody
            queue.let_share(call)
        return call

    def _let_send(self) -> None:
        """A whole batch waits: where threads run in turns, let it leave while its caller makes the next."""
        if self._backend.is_cooperative and not self._backend.in_hub():
            self._backend.yield_to_others()

    # Departures

    def _schedule(self, queue: BatchQueue) -> None:
        """A batch of this queue may leave: have a dispatcher send it. On an error the queue is as it was."""
        self._internal_pool.check_thread()
        if self._pid != os.getpid():
            self._take_over()
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
            thread.task.when_done(partial(self._ended, thread))  # killed, it may never run
        except BaseException as error:
            self._threads.discard(thread)  # if it runs nevertheless, it says so itself
            if not self._threads or not isinstance(error, Exception):
                raise

    def _send_batches(self, thread: _DispatcherThread) -> None:
        """What a dispatcher thread does: send batches until there are no more."""
        with self._lock:
            self._threads.add(thread)
        try:
            while (batch := self._next_batch(thread)) is not None:
                try:
                    batch.context.run(self._dispatcher.send, batch)
                finally:
                    self._landed(batch)
        finally:
            self._ended(thread)

    def _next_batch(self, thread: _DispatcherThread) -> Batch | None:
        """What this thread is to send; None if there is no more, and it has left."""
        if self.gathering is not None:
            with self._lock:  # whoever has started it is about to say what for
                expected = bool(self._ready)
            if expected:
                self.gathering.settle_down()
        with self._lock:
            batch = self._take()
            if batch is None:
                self._threads.discard(thread)
            return batch

    def _take(self) -> Batch | None:
        """Called under the lock."""
        while self._ready:
            queue = next(iter(self._ready))
            del self._ready[queue]  # first: what is submitted from here on asks for its own departure
            # Asked again: since the queue was ready another batch of it may have left.
            batch = queue.take() if queue.may_send() else None
            self._look_again(queue)
            if batch is not None:
                return batch
        return None

    def _landed(self, batch: Batch) -> None:
        """The calls of this batch have their results."""
        with self._lock:
            batch.queue.landed(batch)
            self._look_again(batch.queue)

    def _look_again(self, queue: BatchQueue) -> None:
        """Called by a dispatcher thread, under the lock: there may be more to send, with the help of another
        one if that can be had."""
        if queue.calls and queue.may_send():
            self._ready[queue] = None
            with suppress(Exception):
                self._start_dispatcher()

    def _ended(self, thread: _DispatcherThread) -> None:
        """A dispatcher thread found nothing more to do, or was killed, maybe before it began."""
        with self._lock:
            self._threads.discard(thread)
            if self._ready and not self._threads:
                try:
                    self._start_dispatcher()
                except Exception as error:
                    self._strand(error)

    def _strand(self, error: Exception) -> None:
        """Called under the lock: nobody will send what is ready."""
        for queue in self._ready:
            fail(list(queue.calls), error)
        self._ready.clear()

    # The end

    def futures(self) -> list[Future]:
        """The results that are still to come, but for calls that were given up."""
        found: list[Future] = []
        queues = list(self._queues.values())
        with self._lock:  # while a call moves from its queue to a batch it is in neither
            found += chain.from_iterable(map(BatchQueue.unanswered_calls, queues))
        return found

    def drain(self) -> bool:
        """Wait until everything that was submitted is answered; False if there was nothing to wait for."""
        waited = False
        while futures := self.futures():
            waited = True
            for future in futures:
                future.wait()
        return waited

    def cancel(self) -> None:
        """Fail what has not left, and stop waiting for what has, as far as it can be stopped."""
        for queue in list(self._queues.values()):
            with self._lock:  # so that nothing leaves meanwhile
                queue.give_up()
        tasks = [thread.task for thread in tuple(self._threads)]
        for task in [task for task in tasks if task is not None and task.request_cancel()]:
            task.outcome()

    def _take_over(self) -> None:
        """This is a forked child: the parent's dispatchers stayed there, with what they had on their way."""
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
