"""The eventlet backend: its green threads, hub, events, locks and thread pool. Imported once it is chosen.

Where it differs from `_gevent.py`, eventlet does:

- Its locks do not wake green threads of another OS thread.
- `kill` switches to the killed thread at once.
- A forked child shares its parent's epoll, so it must not remove sockets from it.
- `GreenPool.spawn` makes threads that print their exceptions.
"""

from __future__ import annotations

import os
import weakref
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import eventlet
import eventlet.queue
from eventlet import hubs, patcher
from eventlet.green import threading as green_threading
from eventlet.greenthread import GreenThread
from eventlet.support.greenlets import GreenletExit

from flowthings_like.errors import CallCancelled, DeadlineExceeded

from ..future import CapturedException
from ..wrong_thread import foreign_call, wrong_thread
from .bounded_pool import BoundedPool, PooledThread
from .contract import DEFAULT_SIZE, NATIVE_THREADS, Backend, NativePool, Pool
from .hub_events import HubEvent, LocalHubEvent, Waker
from .native_pool import GreenNativePool, OSThreads
from .native_thread import in_native_thread
from .per_thread import PerThread, ThreadIdentity

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from flowthings_like.errors import WrongThread

    from ..future import Outcome

__all__ = ["EventletBackend"]


class CallThread(GreenThread, PooledThread):  # type: ignore[misc]
    """A GreenThread that keeps its exception for `get` and `wait`, and does not print it."""

    _outcome: Outcome | None = None
    _timer: Any = None  # the hub's timer that will start it

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__(hubs.get_hub().greenlet)
        self._call = function, args, kwargs
        self.gr_context = copy_context()

    def main(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            self._outcome = function(*args, **kwargs), None
        except (KeyboardInterrupt, SystemExit) as error:
            self._outcome = None, CapturedException.caught(error)
            raise
        except BaseException as error:  # eventlet.Timeout and GreenletExit are no Exception
            self._outcome = None, CapturedException.caught(error)
        finally:
            self.release_permit()
            self._exit_event.send()
            self._resolve_links()
            del self  # the exception's frames would otherwise keep this thread alive

    def wait(self) -> Any:
        return self.get()

    def get(self, timeout: float | None = None) -> Any:
        """The same as `wait`, by gevent's name for it; DeadlineExceeded after `timeout` seconds."""
        value, raised = self._wait_for_outcome(timeout)
        if raised is not None:
            raised.again()
        return value

    # The methods of PooledThread and Task

    def schedule(self) -> None:
        self._timer = hubs.get_hub().schedule_call_global(0, self.switch, *self._call)
        self._call = None, (), {}  # type: ignore[assignment]

    def ready(self) -> bool:
        return self._outcome is not None

    def outcome(self, timeout: float | None = None) -> Outcome:
        value, raised = self._wait_for_outcome(timeout)
        if raised is not None and isinstance(raised.error, GreenletExit):
            return None, CapturedException(CallCancelled("the green thread of this call was killed"), None)
        return value, raised

    def _wait_for_outcome(self, timeout: float | None) -> Outcome:
        if self._outcome is None:
            if self.parent is not hubs.get_hub().greenlet:
                raise wrong_thread()
            self.start_now()
            self._exit_event.wait(timeout)
        if self._outcome is None:
            raise DeadlineExceeded(f"the call was not done after {timeout} s")
        return self._outcome

    def when_done(self, callback: Callable[[], object]) -> bool:
        self.link(lambda _: callback())
        return True

    def request_cancel(self) -> bool:
        if self._outcome is None:
            if not self and self._timer is not None:
                self._timer.cancel()  # else it would run until it first waits for something
            # By a timer, because `kill` switches to the killed thread at once: this method must not switch.
            hubs.get_hub().schedule_call_global(0, self.kill)
        return True


class EventletWaker:
    """A pipe that other OS threads write to and eventlet's hub reads from.

    A forked child inherits it, and with it the parent's epoll, which may report the pipe there. So the child
    reads nothing and closes its copies. They would otherwise keep the pipe in the epoll.
    """

    _reader = _writer = -1

    def __init__(self, hub: Any, callback: Callable[[], object]) -> None:
        self._os = patcher.original("os")  # the functions of a green `os` wait
        self._hub = hub
        self._callback = callback
        self._pid = os.getpid()
        self._reader, self._writer = self._os.pipe()
        for number in (self._reader, self._writer):
            os.set_blocking(number, False)
        waker = weakref.ref(
            self
        )  # eventlet keeps the hub of an OS thread that has ended, and what it listens to

        def on_readable(_: object) -> None:
            found = waker()
            if found is not None:
                found.on_readable()

        hub.add(hub.READ, self._reader, on_readable, on_readable, lambda: None)

    def wake(self) -> None:
        with suppress(BlockingIOError):  # it is full, so the hub will wake up
            self._os.write(self._writer, b"\0")

    def on_readable(self) -> None:
        if self._pid != os.getpid():
            self.close()
            return
        with suppress(BlockingIOError):
            self._os.read(self._reader, 65_536)
        self._callback()

    def hold(self) -> None:
        pass  # eventlet's loop runs for ever

    def release(self) -> None:
        pass

    def close(self) -> None:
        if self._reader >= 0:
            self._hub.listeners[self._hub.READ].pop(self._reader, None)
            numbers = self._reader, self._writer
            self._reader = self._writer = -1
            for number in numbers:
                self._os.close(number)

    __del__ = close  # the OS thread of the hub has ended


class EventletHub:
    """eventlet's hub, as events and pools use it."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self.switch = hub.switch

    def is_current(self) -> bool:
        return self._hub is hubs.get_hub()

    def call_soon(self, function: Callable[..., object], /, *args: Any) -> object:
        return self._hub.schedule_call_global(0, function, *args)

    def waker(self, callback: Callable[[], object]) -> Waker:
        return EventletWaker(self._hub, callback)

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        return self._hub.schedule_call_global(seconds, function).cancel  # type: ignore[no-any-return]


def end_hub() -> None:
    """Let the hub of an OS thread that ends be garbage, if it has one: a loop that runs keeps it for ever."""
    hub = getattr(hubs._threadlocal, "hub", None)
    if hub is not None and hub.running:
        hub.abort(wait=True)


class EventletBackend(Backend):
    """Runs calls in GreenThreads, and uses eventlet's green copies of `threading` and `queue`."""

    name = "eventlet"

    def __init__(self) -> None:
        thread, self._threading = patcher.original("_thread"), patcher.original("threading")
        start, new_lock, local = thread.start_new_thread, thread.allocate_lock, self._threading.local
        self._os_threads = OSThreads(start, new_lock, local, self._hub, end_hub)
        self._native_pools = PerThread(local(), lambda: self.native_pool(NATIVE_THREADS, "native"))
        self.socket_owner = PerThread(local(), ThreadIdentity).get  # type: ignore[method-assign]

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        thread = CallThread(function, args, kwargs)
        thread.schedule()
        return thread

    def pool(self, size: int | None = None) -> Pool:
        return BoundedPool(self, size or DEFAULT_SIZE, CallThread, self._hub())

    def in_hub(self) -> bool:
        return eventlet.getcurrent() is hubs.get_hub().greenlet

    def one_shot_event(self) -> HubEvent:
        return HubEvent(self._hub())

    def event_factory(self, refusal: Callable[[], WrongThread] = foreign_call) -> Callable[[], HubEvent]:
        return partial(LocalHubEvent, self._hub(), refusal)

    def hub(self) -> object | None:
        return self._hub()

    @staticmethod
    def _hub() -> EventletHub:
        """The EventletHub of this OS thread. There is one for each hub."""
        hub = hubs.get_hub()
        found: EventletHub | None = getattr(hub, "_flowthings_hub", None)
        if found is None:
            found = hub._flowthings_hub = EventletHub(hub)
        return found

    def adopt(self, pool: Any) -> Pool:
        """Use a caller's GreenPool. `spawn` blocks while it is full."""
        return AdoptedPool(self, pool)

    def event(self) -> Any:
        return green_threading.Event()

    def queue(self) -> Any:
        return eventlet.queue.Queue()

    def lock(self) -> Any:
        return green_threading.Lock()

    def sleep(self, seconds: float) -> None:
        eventlet.sleep(seconds)

    def watch(self, sock: socket.socket, callback: Callable[[], object]) -> Callable[[], object]:
        hub, number, pid = hubs.get_hub(), sock.fileno(), os.getpid()

        def call(*_: object) -> None:
            callback()

        listener = hub.add(hub.READ, number, call, call, lambda: None)

        def stop() -> None:
            if pid == os.getpid():
                hub.remove(listener)
            else:  # a forked child shares the parent's epoll: removing it there would remove the parent's
                hub.listeners[hub.READ].pop(number, None)

        return stop

    def fair_yield(self) -> None:
        if in_native_thread():
            return
        hub = hubs.get_hub()
        fairness_lock = getattr(hub, "_flowthings_fairness_lock", None)
        if fairness_lock is None:
            fairness_lock = hub._flowthings_fairness_lock = self.lock()
        with fairness_lock:
            eventlet.sleep(0)  # a timer like any other: those that are due before it run first

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        timer = eventlet.Timeout(seconds)
        try:
            yield
        except eventlet.Timeout as timeout:
            if timeout is not timer:
                raise
            raise DeadlineExceeded(f"not done after {seconds} s") from None
        finally:
            timer.cancel()

    def is_foreign_thread(self) -> bool:
        return bool(self._threading.get_ident() != self._threading.main_thread().ident)

    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        if in_native_thread():
            return function(*args)
        return self._native_pools.get().run(function, *args)

    def native_pool(self, size: int, name: str) -> NativePool:
        return GreenNativePool(self._os_threads, size, name)


class AdoptedPool(Pool):
    """A GreenPool that the caller has made. It bounds its threads itself."""

    def __init__(self, backend: EventletBackend, pool: Any) -> None:
        self.backend = backend
        self._pool = pool

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Do what GreenPool.spawn does, with a CallThread: its own kind of thread prints exceptions."""
        pool = self._pool
        thread = CallThread(function, args, kwargs)
        if not (pool.sem.locked() and eventlet.getcurrent() in pool.coroutines_running):
            pool.sem.acquire()
            if not pool.coroutines_running:
                pool.no_coros_running = eventlet.Event()
            pool.coroutines_running.add(thread)
            thread.link(pool._spawn_done)
        thread.schedule()
        return thread
