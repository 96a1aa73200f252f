"""The backend of a process that nothing has patched: OS threads, not many, used again and again."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import CallCancelled, DeadlineExceeded, FlowThingsError

from .backend import Backend, Pool
from .outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from .outcome import Outcome

__all__ = ["ThreadCall", "ThreadPool", "ThreadsBackend"]

THREADS = 64
"""Worker threads of the pool that all parallel calls of a process share."""

LENT = 192
"""Most further threads of a pool, in place of those that only wait for lazy results."""

IDLE_SECONDS = 10.0
"""A worker thread that had nothing to do for this long ends."""


class ThreadCall:
    """A call that runs, or will run, in a worker thread: what `spawn` returns where there are no green
    threads.

    `get` and `wait` are the same thing, so code written for gevent's or eventlet's threads finds its method.
    """

    __slots__ = ("__weakref__", "_callbacks", "_claim", "_context", "_outcome", "_pid", "_waiters", "_work")

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self._work: Any = (function, args, kwargs)
        self._context = copy_context()
        self._outcome: Outcome | None = None
        # Lists, because append and pop are atomic: whoever pops the claim runs the call, whoever pops a
        # waiter wakes it. So a call needs no lock until somebody really waits.
        self._claim = [True]
        self._waiters: list[Any] = []
        self._callbacks: list[Callable[[], object]] = []
        self._pid = os.getpid()

    def ready(self) -> bool:
        """Whether it is done."""
        return self._outcome is not None

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the call: its value, or its exception raised. DeadlineExceeded after `timeout` seconds."""
        value, raised = self.settle(timeout)
        if raised is not None:
            raised.again()
        return value

    wait = get

    def cancel(self) -> bool:
        """Give the call up if no thread has started on it; get() then raises CallCancelled. Says whether."""
        if not _pop(self._claim):
            return False
        self._work = None
        self._finish((None, Raised(CallCancelled("the call was cancelled before it ran"), None)))
        return True

    def run(self) -> None:
        """Run the call in this thread, unless some thread has taken it already."""
        if _pop(self._claim):
            work, self._work = self._work, None
            self._finish(_attempt(self._context, *work))
        del self  # an exception's frames lead back to this one: without self, not back to its own keeper

    def _finish(self, outcome: Outcome) -> None:
        self._outcome = outcome
        while waiter := _pop(self._waiters):
            waiter.release()
        while callback := _pop(self._callbacks):
            callback()

    # Pending

    def settle(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            self.hurry()
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
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            if self._outcome is None:
                waiter.acquire(timeout=_seconds(timeout))
        finally:
            _remove(self._waiters, waiter)
        if self._outcome is None:
            raise DeadlineExceeded(f"the call was not done after {timeout} s")

    def when_done(self, callback: Callable[[], object]) -> bool:
        self._callbacks.append(callback)
        if self._outcome is not None and (due := _pop(self._callbacks)):
            due()
        return True

    def hurry(self) -> None:
        # A worker that waits for a call which is still queued runs it itself: were it to wait, a pool whose
        # workers all wait for queued calls would stand still. (The call's own time limits then bound it.)
        if _own_pool() is not None:
            self.run()

    def abandon(self) -> bool:
        return self.cancel()


def _attempt(context: Context, function: Callable[..., Any], args: Any, kwargs: Any) -> Outcome:
    try:
        return context.run(function, *args, **kwargs), None
    except BaseException as error:  # a worker outlives whatever it runs
        return None, Raised.caught(error)


def _pop(items: list[Any]) -> Any:
    try:
        return items.pop()
    except IndexError:
        return None


def _remove(items: list[Any], item: Any) -> None:
    with suppress(ValueError):
        items.remove(item)


class ThreadLatch:
    """Waited for by one OS thread, and set once by another."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        with suppress(RuntimeError):  # it is set already: who was interrupted may come again
            self._lock.release()

    def hand_over(self) -> bool:
        self.set()
        return False

    def wait(self, timeout: float | None = None) -> bool:
        seconds = _seconds(timeout)
        pool = _own_pool()
        if pool is None:
            return self._lock.acquire(timeout=seconds)
        pool.lend()
        try:
            return self._lock.acquire(timeout=seconds)
        finally:
            pool.take_back()


def _seconds(timeout: float | None) -> float:
    """A time-out as locks take it."""
    return -1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX)


class ThreadEvent:
    """A `threading.Event` that a signal cannot leave half done.

    The standard library's holds a lock from one line of Python to another, and an exception that a signal
    handler raises in between leaves it locked: whoever sets the event or waits for it then hangs. Here each
    waiter has a lock of its own, and `set` releases them all; who is interrupted in it may call it again.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Any] = []  # locks

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Let all go on that wait, and that will."""
        self._is_set = True
        for waiter in self._waiting.copy():
            with suppress(RuntimeError):  # released already
                waiter.release()

    def clear(self) -> None:
        """Make those wait that come from now on."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds."""
        if self._is_set:
            return True
        waiter = threading.Lock()
        waiter.acquire()
        self._waiting.append(waiter)
        try:
            # Asked after the waiter is there to release.
            return self._is_set or waiter.acquire(timeout=_seconds(timeout))
        finally:
            _remove(self._waiting, waiter)


def _own_pool() -> ThreadPool | None:
    """The pool that this thread works for."""
    return getattr(threading.current_thread(), "flowthings_pool", None)


class ThreadPool(Pool):
    """At most `size` daemon threads, started when first needed; calls beyond that queue.

    A thread that waits for a lazy result lends its place: another one may start for it, within a bound.
    """

    def __init__(self, backend: Backend, size: int) -> None:
        self.backend = backend
        self.size = size
        self._open_shop()

    def _open_shop(self) -> None:
        self._pid = os.getpid()
        self._queued: deque[ThreadCall] = deque()
        self._work_to_do = threading.Condition()
        self._workers = 0
        self._idle = 0
        self._lent = 0

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ThreadCall:
        if self._pid != os.getpid():  # the workers stayed in the parent
            self._open_shop()
        call = ThreadCall(function, args, kwargs)
        with self._work_to_do:
            self._queued.append(call)
            self._hire()
            self._work_to_do.notify()
        return call

    def lend(self) -> None:
        """The calling worker is about to do nothing but wait."""
        with self._work_to_do:
            self._lent += 1
            self._hire()

    def take_back(self) -> None:
        """The calling worker goes on."""
        with self._work_to_do:
            self._lent -= 1

    def _hire(self) -> None:
        """Start a worker if there is work for it, and room."""
        if len(self._queued) <= self._idle or self._workers >= self.size + min(self._lent, LENT):
            return
        worker = threading.Thread(
            target=self._serve, name=f"flowthings-{self._workers + 1}", args=(self._work_to_do,), daemon=True
        )
        worker.flowthings_pool = self  # type: ignore[attr-defined]
        worker.start()
        self._workers += 1

    def _serve(self, work_to_do: threading.Condition) -> None:
        while (call := self._next(work_to_do)) is not None:
            call.run()
            del call  # or the last result stays alive while this thread is idle

    def _next(self, work_to_do: threading.Condition) -> ThreadCall | None:
        """The next call to run; None for a worker that is one too many, or was idle too long."""
        with work_to_do:
            told = True
            while not self._queued:
                if not told or self._workers > self.size + min(self._lent, LENT):
                    self._workers -= 1
                    return None
                self._idle += 1
                try:
                    told = work_to_do.wait(IDLE_SECONDS)
                finally:
                    self._idle -= 1
            return self._queued.popleft()


class ThreadsBackend(Backend):
    """OS threads, and the standard library's synchronisation."""

    name = "threads"
    in_turns = False

    def __init__(self) -> None:
        self._shared: ThreadPool | None = None
        self._crew: ThreadPool | None = None

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Not bounded, so not in the pool: a thread of its own, for what runs as long as the program."""
        call = ThreadCall(function, args, kwargs)
        threading.Thread(target=call.run, name="flowthings-spawned", daemon=True).start()
        return call

    def pool(self, size: int | None = None) -> Pool:
        """Without a size: the one pool that all calls of this process share."""
        if size is not None:
            return ThreadPool(self, size)
        if self._shared is None:
            self._shared = ThreadPool(self, THREADS)
        return self._shared

    def crew(self) -> Pool:
        if self._crew is None:
            self._crew = ThreadPool(self, THREADS)
        return self._crew

    def latch(self) -> ThreadLatch:
        return ThreadLatch()

    def give_way(self) -> None:
        """Let the threads that can run have their turn: what another one does only then is waited for."""
        turn = ThreadLatch()
        self.crew().spawn(turn.set)
        turn.wait()

    def event(self) -> Any:
        return ThreadEvent()

    def queue(self, maxsize: int = 0) -> Any:
        # Without a bound it is one of C's own, which a signal cannot leave locked.
        return queue.Queue(maxsize) if maxsize else queue.SimpleQueue()

    def lock(self) -> Any:
        return threading.Lock()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def send_now(self, sock: socket.socket, data: bytes | memoryview) -> int:
        try:
            return sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def turn(self) -> None:
        pass

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        started = time.monotonic()
        yield
        if seconds is not None and time.monotonic() - started > seconds:
            raise DeadlineExceeded(f"not done after {seconds} s")

    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return function(*args)
