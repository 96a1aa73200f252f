"""Pools of OS threads for calls that block, for gevent and eventlet.

    submit: a GreenNativeCall goes into the queue of the pool's threads     in the caller's OS thread
    a thread takes it, runs it, and hands it to the Delivery of its hub     in a thread of the pool
    the hub wakes the green threads that wait for the call                  in the caller's OS thread

The pools of the two libraries are not used, because one of them lets `spawn` wait when it is full, and the
other one returns results to one OS thread only. Imported only by the backends of green libraries.
"""

from __future__ import annotations

import os
from _queue import SimpleQueue  # both libraries replace `queue.SimpleQueue`
from collections import deque
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import FlowThingsError

from ..wrong_thread import wrong_thread
from .contract import NativeCall, NativePool
from .hub_events import HubEvent
from .native_thread import InlineCall, call_captured, in_native_thread, pool_closed
from .per_thread import PerThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from ..future import Outcome
    from .hub_events import Hub

__all__ = ["GreenNativePool", "OSThreads"]


class Delivery:
    """Brings finished calls from the threads of all pools to the hub in which they were submitted.

    Each hub has one. All but `deliver_soon` is called in the hub's OS thread.
    """

    __slots__ = ("_finished", "_in_flight", "_waker", "hub", "pid")

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.pid = os.getpid()
        self._in_flight: set[GreenNativeCall] = set()
        self._finished: deque[GreenNativeCall] = deque()
        self._waker = hub.waker(self._on_wake)

    def expect(self, call: GreenNativeCall) -> None:
        """Keep the hub's loop running until this call is finished."""
        self._in_flight.add(call)
        self._waker.hold()

    def forget(self, call: GreenNativeCall) -> None:
        """This call will not come, or has come."""
        self._in_flight.discard(call)
        if not self._in_flight:
            self._waker.release()

    def close(self) -> None:
        """Give it up in a forked child, in which no thread finishes calls."""
        self._waker.close()

    def deliver_soon(self, call: GreenNativeCall) -> None:
        """Wake those that wait for a finished call, soon and in the hub. Called in a thread of a pool."""
        self._finished.append(call)
        with suppress(Exception):  # the hub was destroyed: no green thread of it waits any more
            self._waker.wake()

    def _on_wake(self) -> None:
        try:
            self._deliver()
        finally:
            if self._finished:  # a signal's exception came in between
                self._waker.wake()

    def _deliver(self) -> None:
        finished = self._finished
        while finished:
            call = finished[0]
            call.call_back()
            self.forget(call)
            finished.popleft()  # only now, so that a signal's exception loses no call


class GreenNativeCall(NativeCall):
    """A call that runs, or will run, in a thread of a pool, and belongs to the hub that submitted it."""

    __slots__ = ("_callbacks", "_delivery", "_outcome", "_work")

    def __init__(self, delivery: Delivery, context: Context, function: Callable[..., Any], args: Any) -> None:
        self._delivery = delivery
        self._work: Any = partial(context.run, call_captured, function, args)
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[], object]] = []  # they cannot raise

    def done(self) -> bool:
        return self._outcome is not None

    def wait(self) -> Any:
        if self._outcome is None:
            self._wait_for_delivery()
            assert self._outcome is not None
        value, raised = self._outcome
        if raised is not None:
            raised.again()
        return value

    def _wait_for_delivery(self) -> None:
        self._check_owner()
        event = HubEvent(self._delivery.hub)
        self._callbacks.append(event.set)
        try:
            event.wait()
        finally:
            with suppress(ValueError):  # it was called back
                self._callbacks.remove(event.set)

    def when_done(self, callback: Callable[[], object]) -> None:
        if self._outcome is not None:
            callback()
            return
        self._check_owner()
        self._callbacks.append(partial(self._delivery.hub.call_soon, callback))

    def _check_owner(self) -> None:
        if self._delivery.pid != os.getpid():
            raise FlowThingsError(
                "this call was made before the process forked, and its thread lives in the parent; "
                "wait for calls before forking, or make them in the child"
            )
        if not self._delivery.hub.is_current():
            raise wrong_thread()

    # Called by the threads of the pool

    def run(self) -> None:
        """Run it and keep its outcome. It raises nothing."""
        self._outcome = self._work()
        self._work = None

    def deliver(self) -> None:
        """Have its hub wake those that wait for it."""
        self._delivery.deliver_soon(self)

    # Called by the hub

    def call_back(self) -> None:
        """It is finished: wake those that wait for it."""
        callbacks = self._callbacks
        while callbacks:
            callbacks[-1]()
            callbacks.pop()


class OSThreads:
    """What the pools of one green library need of it: unpatched OS threads, and the Delivery of each hub.

    Attributes:
        start: the unpatched `_thread.start_new_thread`.
        new_lock: the unpatched `_thread.allocate_lock`.
        leave: called at the end of each thread, in it. It frees a hub that a call has made there.

    Args:
        local: the unpatched `threading.local`.
        hub: returns the hub of the calling OS thread.
    """

    def __init__(
        self,
        start: Callable[[Callable[[], object], tuple[()]], object],
        new_lock: Callable[[], Any],
        local: Callable[[], Any],
        hub: Callable[[], Hub],
        leave: Callable[[], object],
    ) -> None:
        self.start = start
        self.new_lock = new_lock
        self.leave = leave
        self._hub = hub
        self._deliveries = PerThread(local(), lambda: Delivery(hub()))

    def delivery(self) -> Delivery:
        """The Delivery of this OS thread's hub."""
        found = self._deliveries.get()
        if found.pid != os.getpid():
            found.close()
        elif found.hub is self._hub():
            return found
        return self._deliveries.replace()


class Workers:
    """The threads of a pool, their queue, and the calls that they have not finished.

    The threads refer to this object and not to the pool, so that they end when the pool is garbage.
    """

    def __init__(self, os_threads: OSThreads, size: int) -> None:
        self.pid = os.getpid()
        self._os_threads = os_threads
        self._size = size
        self._lock = os_threads.new_lock()
        self._calls: SimpleQueue[GreenNativeCall | None] = SimpleQueue()
        self._unfinished: set[GreenNativeCall] = set()
        self._threads: set[object] = set()
        self._end_waiters: deque[GreenNativeCall] = deque()
        self._is_closed = False

    def submit(self, delivery: Delivery, call: GreenNativeCall) -> bool:
        """Queue a call, for a new thread if all have calls. Returns False if the pool is closed.

        Raises:
            RuntimeError: no thread can be started, and there is none that could run the call later.
        """
        with self._lock:  # shared with other OS threads
            if self._is_closed:
                return False
            self._ensure_thread()
            try:
                delivery.expect(call)
                self._unfinished.add(call)
                self._calls.put(call)
            except BaseException:  # a signal's
                self._unfinished.discard(call)
                delivery.forget(call)
                raise
        return True

    def _ensure_thread(self) -> None:
        if len(self._unfinished) < len(self._threads) or len(self._threads) >= self._size:
            return
        thread = object()
        try:
            self._threads.add(thread)
            self._os_threads.start(partial(self._serve, thread), ())
        except BaseException as error:
            self._threads.discard(thread)  # if it was started nevertheless, it adds itself
            if not self._threads or not isinstance(error, RuntimeError):
                raise

    def _serve(self, thread: object) -> None:
        calls, unfinished = self._calls, self._unfinished
        self._threads.add(thread)
        while (call := calls.get()) is not None:
            call.run()
            unfinished.discard(call)
            call.deliver()
            del call  # it would keep its result alive while this thread is idle
        calls.put(None)  # for the next thread
        self._os_threads.leave()
        self._threads.discard(thread)
        self._report_end()

    def request_end(self) -> None:
        """Have the threads end after the calls that are queued.

        It takes no lock, because the garbage collector calls it anywhere.
        """
        self._calls.put(None)

    def close(self) -> None:
        """Refuse calls, and have the threads end after those that are queued."""
        with self._lock:
            self._is_closed = True
            self.request_end()

    def has_ended(self) -> bool:
        """Whether no thread is left."""
        return not self._threads

    def when_ended(self, delivery: Delivery) -> GreenNativeCall:
        """A call that is done when no thread is left."""
        ended = GreenNativeCall(delivery, copy_context(), _do_nothing, ())
        delivery.expect(ended)
        self._end_waiters.append(ended)
        self._report_end()  # the last thread may have looked before
        return ended

    def _report_end(self) -> None:
        waiters = self._end_waiters
        with suppress(IndexError):  # another thread reports as well
            while waiters and not self._threads:
                waiter = waiters.popleft()
                waiter.run()
                waiter.deliver()


def _do_nothing() -> None:
    pass


class GreenNativePool(NativePool):
    """A NativePool whose callers are green threads, of one hub or of several."""

    def __init__(self, os_threads: OSThreads, size: int, name: str) -> None:
        self.name = name
        self.size = size
        self._os_threads = os_threads
        self._is_closed = False
        self._workers = Workers(os_threads, size)

    def submit(self, function: Callable[..., Any], /, *args: Any) -> NativeCall:
        if in_native_thread() and not self._is_closed:
            return InlineCall(function, args)
        delivery = self._os_threads.delivery()
        call = GreenNativeCall(delivery, copy_context(), function, args)
        if self._is_closed or not self._current_workers().submit(delivery, call):
            raise pool_closed(self.name)
        return call

    def _current_workers(self) -> Workers:
        """The threads of this process: a forked child has none of its parent's."""
        if self._workers.pid != os.getpid():
            self._workers = Workers(self._os_threads, self.size)
        return self._workers

    def close(self) -> None:
        self._is_closed = True
        workers = self._current_workers()
        workers.close()
        if in_native_thread() or workers.has_ended():  # a call of this pool would wait for itself
            return
        workers.when_ended(self._os_threads.delivery()).wait()

    def __del__(self) -> None:
        if self._workers.pid == os.getpid():
            self._workers.request_end()
