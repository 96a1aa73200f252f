"""The threads backend, for a process that is not patched: a pool of OS threads that are used again."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import CallCancelled, DeadlineExceeded, FlowThingsError

from ..future import CapturedException
from ._primitives import Event, seconds, start_thread
from .contract import Backend, NativePool, Pool
from .native_thread import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from ..future import Outcome

__all__ = ["ThreadCall", "ThreadPool", "ThreadsBackend"]

THREADS = 64
"""How many worker threads the pool has that all parallel calls of a process share."""

MOST_EXTRA_THREADS = 192
"""How many threads a pool may start in place of workers that wait for lazy results."""

LONGEST_YIELD = 0.1
"""Seconds that a yield takes where no worker is free and none can be started: when the program ends."""

IDLE_SECONDS = 10.0
"""Seconds without work after which a worker thread ends."""


class ThreadCall:
    """A call that runs, or will run, in a worker thread: what `spawn` returns on the threads backend.

    `get` and `wait` are the same method, for code that was written for gevent's or eventlet's threads.
    """

    __slots__ = ("__weakref__", "_callbacks", "_claims", "_context", "_done", "_outcome", "_pid", "_work")

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._work: Any = (function, args, kwargs)
        self._context = copy_context()
        self._outcome: Outcome | None = None
        self._claims: list[object] = []  # the first claimant runs the call, or has cancelled it
        self._done = Event()
        self._callbacks: list[Callable[[], object]] = []
        self._pid = os.getpid()

    def ready(self) -> bool:
        """Whether it is done."""
        return self._outcome is not None

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the call, and return its value or raise its exception.

        Raises:
            DeadlineExceeded: it was not done after `timeout` seconds.
        """
        value, raised = self.outcome(timeout)
        if raised is not None:
            raised.again()
        return value

    wait = get

    def cancel(self) -> bool:
        """Cancel the call if it has not started; `get` then raises CallCancelled. Returns whether it was."""
        if not self._claim(_CANCELLED):
            return False
        self._finish((None, CapturedException(CallCancelled("the call was cancelled before it ran"), None)))
        return True

    def run(self) -> None:
        """Run the call in this thread, unless it has started or was cancelled."""
        if self._claim(object()):
            self._finish(_attempt(self._context, *self._work))
        del self  # the exception's frames would otherwise keep this call alive

    def _claim(self, claimant: object) -> bool:
        self._claims.append(claimant)
        return self._claims[0] is claimant

    def _finish(self, outcome: Outcome) -> None:
        """Set the outcome, wake the waiters, run the callbacks. It may be called again if interrupted."""
        self._work = None
        self._outcome = outcome
        self._done.set()
        while callback := _pop(self._callbacks):
            callback()

    # The methods of Task

    def outcome(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            self.start_now()
            if self._outcome is None:
                self._wait(timeout)
        assert self._outcome is not None
        return self._outcome

    def _wait(self, timeout: float | None) -> None:
        if self._pid != os.getpid():
            raise FlowThingsError(
                "this call was made before the process forked, and its thread lives in the parent; "
                "collect results before forking, or make the call in the child"
            )
        self._done.wait(timeout)
        if self._outcome is None:
            raise DeadlineExceeded(f"the call was not done after {timeout} s")

    def when_done(self, callback: Callable[[], object]) -> bool:
        self._callbacks.append(callback)
        if self._outcome is not None and (due := _pop(self._callbacks)):
            due()
        return True

    def start_now(self) -> None:
        # A worker that waits for a queued call runs it itself. If it waited, a pool whose workers all wait
        # for queued calls would be in a deadlock. (Only the call's own time-outs bound the wait then.)
        if _current_pool() is not None:
            self.run()

    def request_cancel(self) -> bool:
        return self.cancel()


def _attempt(context: Context, function: Callable[..., Any], args: Any, kwargs: Any) -> Outcome:
    try:
        return context.run(function, *args, **kwargs), None
    except BaseException as error:  # no exception ends a worker
        return None, CapturedException.caught(error)


def _pop(items: list[Any]) -> Any:
    try:
        return items.pop()
    except IndexError:
        return None


_CANCELLED = object()


class ThreadEvent:
    """A one-shot event of OS threads: one of them waits for it, and another one sets it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        with suppress(RuntimeError):  # set already: after an interruption it may be set again
            self._lock.release()

    def set_and_switch(self) -> bool:
        self.set()
        return False

    def wait(self, timeout: float | None = None) -> bool:
        limit = seconds(timeout)
        pool = _current_pool()
        if pool is None:
            return self._lock.acquire(timeout=-1 if limit is None else limit)
        pool.begin_wait()
        try:
            return self._lock.acquire(timeout=-1 if limit is None else limit)
        finally:
            pool.end_wait()


def _current_pool() -> ThreadPool | None:
    """The pool of which this thread is a worker; None if it is none."""
    return getattr(threading.current_thread(), "flowthings_pool", None)


class ThreadPool(Pool):
    """Runs calls in at most `size` daemon threads, which are started when they are needed; more calls queue.

    While a worker waits for a lazy result, another one may start in its place, within a bound.

    Only workers change the counts, because no signal handler runs in their threads. `spawn`, which may run in
    the main thread, adds to a set and to queues. A worker takes a call and stops to be idle in one step: if
    another call counted on it, that one would need a new worker later, and CPython 3.12 starts no thread when
    the program ends.
    """

    def __init__(self, backend: Backend, size: int) -> None:
        self.backend = backend
        self.size = size
        self._open()

    def _open(self) -> None:
        self._calls: deque[ThreadCall] = deque()
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each call
        self._lock = threading.Lock()
        self._workers: set[object] = set()
        self._idle = 0
        self._waiting = 0
        self._pid = os.getpid()

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ThreadCall:
        if self._pid != os.getpid():  # a fork copies no workers
            self._open()
        call = ThreadCall(function, args, kwargs)
        with self._lock:
            self._ensure_workers(len(self._calls) + 1)
            self._tokens.put(None)  # first: a call without a token would never run
            self._calls.append(call)  # under the lock, so that the last worker does not end meanwhile
        return call

    def begin_wait(self) -> None:
        """The calling worker begins to wait for a result: another one may run in its place."""
        if self._pid == os.getpid():
            with self._lock:
                self._waiting += 1
                self._ensure_workers(len(self._calls))

    def end_wait(self) -> None:
        """The calling worker has its result."""
        if self._pid == os.getpid():
            with self._lock:
                self._waiting -= 1

    def _has_room(self, workers: int) -> bool:
        return workers < self.size + min(self._waiting, MOST_EXTRA_THREADS)

    def _ensure_workers(self, calls: int) -> None:
        """Start a worker if that many queued calls need one and there is room. Called under the lock.

        Raises:
            RuntimeError: no thread can be started, and there is no worker that could run the calls later.
        """
        if calls <= self._idle or not self._has_room(len(self._workers)):
            return
        worker = object()
        try:
            self._workers.add(worker)
            start_thread(partial(self._serve, worker), f"flowthings-{len(self._workers)}")
        except BaseException as error:
            self._workers.discard(worker)  # if it was started nevertheless, it adds itself
            if not self._workers or not isinstance(error, RuntimeError):
                raise

    def _serve(self, worker: object) -> None:
        threading.current_thread().flowthings_pool = self  # type: ignore[attr-defined]
        calls, tokens = self._calls, self._tokens
        with self._lock:
            self._workers.add(worker)
            self._idle += 1
        while True:
            try:
                tokens.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if calls:
                        continue
                    self._idle -= 1
                    self._workers.discard(worker)
                    return
            with self._lock:
                if not calls:  # a signal interrupted `spawn`
                    continue
                call = calls.popleft()
                self._idle -= 1
                self._ensure_workers(len(calls))  # there may have been no room before
            call.run()
            del call  # it would keep its result alive while this thread is idle
            with self._lock:
                if not self._has_room(len(self._workers) - 1):  # the worker that it stood in for is back
                    self._workers.discard(worker)
                    return
                self._idle += 1


class ThreadsBackend(Backend):
    """Runs calls in OS threads, and uses the standard library's queues and locks."""

    name = "threads"
    is_cooperative = False

    def __init__(self) -> None:
        self._shared: ThreadPool | None = None
        self._internal_pool: ThreadPool | None = None

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run it in a new thread: no pool, which is bounded, for what runs as long as the program."""
        call = ThreadCall(function, args, kwargs)
        start_thread(call.run, "flowthings-spawned")
        return call

    def pool(self, size: int | None = None) -> Pool:
        """A pool of that size; without a size, the pool that all calls of this process share."""
        if size is not None:
            return ThreadPool(self, size)
        if self._shared is None:
            self._shared = ThreadPool(self, THREADS)
        return self._shared

    def internal_pool(self) -> Pool:
        if self._internal_pool is None:
            self._internal_pool = ThreadPool(self, THREADS)
        return self._internal_pool

    def one_shot_event(self) -> ThreadEvent:
        return ThreadEvent()

    def yield_to_others(self) -> None:
        """Wait until a worker of the internal pool has run: the others have had time to run meanwhile."""
        event = ThreadEvent()
        self.internal_pool().spawn(event.set)
        event.wait(LONGEST_YIELD)

    def event(self) -> Any:
        return Event()

    def queue(self) -> Any:
        return queue.SimpleQueue()

    def lock(self) -> Any:
        return threading.Lock()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def send_now(self, sock: socket.socket, data: bytes | memoryview) -> int:
        try:
            if sock.gettimeout() is None:
                return sock.send(data, socket.MSG_DONTWAIT)
            # The descriptor does not block, but `send` would wait for the time-out, whatever its flags.
            return os.write(sock.fileno(), data)
        except BlockingIOError:
            return 0

    def fair_yield(self) -> None:
        pass

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        started = time.monotonic()
        yield
        if seconds is not None and time.monotonic() - started > seconds:
            raise DeadlineExceeded(f"not done after {seconds} s")

    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return function(*args)

    def native_pool(self, size: int, name: str) -> NativePool:
        return InlinePool(size, name)
