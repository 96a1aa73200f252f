"""The gevent backend: its greenlets, hub, events, locks and thread pool. Imported once it is chosen.

`_eventlet.py` lists how eventlet differs from it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent import get_hub, monkey
from gevent._hub_local import get_hub_if_exists
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.queue import Queue

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

__all__ = ["GeventBackend"]


class ReturnedException(CapturedException):
    """The exception of a CallGreenlet, which returns it, because the hub prints what a greenlet raises."""

    __slots__ = ()


class CallGreenlet(gevent.Greenlet, PooledThread):  # type: ignore[misc]
    """A Greenlet that keeps its exception for `get`, and does not print it."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        gevent.Greenlet.__init__(self, None, function, args, kwargs)
        self.gr_context = copy_context()

    def _run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (gevent.GreenletExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # gevent.Timeout is one
            return ReturnedException.caught(error)
        finally:
            self.release_permit()
            del self  # the exception's frames would otherwise keep this thread alive

    def successful(self) -> bool:
        return bool(super().successful()) and not isinstance(self.value, ReturnedException)

    @property
    def exception(self) -> BaseException | None:
        value = self.value
        if isinstance(value, ReturnedException):
            return value.error
        error: BaseException | None = super().exception
        return error

    @property
    def exc_info(self) -> Any:
        value = self.value
        if isinstance(value, ReturnedException):
            return type(value.error), value.error, value.traceback
        return super().exc_info

    def _raise_exception(self) -> None:
        if isinstance(self.value, ReturnedException):
            self.value.again()
        super()._raise_exception()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            self._check_thread()
            self.start_now()
        return super().get(block, timeout)

    def wait(self, timeout: float | None = None) -> Any:
        """The same as `get`, by eventlet's name for it."""
        return self.get(timeout=timeout)

    def join(self, timeout: float | None = None) -> None:
        self._check_thread()
        self.start_now()
        super().join(timeout)

    def _check_thread(self) -> None:
        if not self.ready() and self.parent is not get_hub():
            raise wrong_thread()

    # The methods of PooledThread and Task

    def schedule(self) -> None:
        self.start()

    def outcome(self, timeout: float | None = None) -> Outcome:
        value = self.value
        if value is None:
            if not self.ready():
                self._wait_here(timeout)
                value = self.value
            error = super().exception if value is None else None
            if error is not None:
                return None, CapturedException(error, error.__traceback__)
        if isinstance(value, ReturnedException):
            return None, value
        if isinstance(value, gevent.GreenletExit):
            return None, CapturedException(CallCancelled("the green thread of this call was killed"), None)
        return value, None

    def _wait_here(self, timeout: float | None) -> None:
        self.join(timeout)
        if timeout is not None and not self.ready():
            raise DeadlineExceeded(f"the call was not done after {timeout} s")

    def when_done(self, callback: Callable[[], object]) -> bool:
        self.rawlink(lambda _: callback())
        return True

    def request_cancel(self) -> bool:
        self.kill(block=False)
        return True


READABLE = 1  # libev's EV_READ
SHORTEST = 1e-6  # seconds; a timer of this length is due at once


class GeventWaker:
    """A watcher of gevent's loop that other OS threads can trigger. It is active only while it is held."""

    def __init__(self, loop: Any, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._watcher = loop.async_()
        self._callback = callback
        self.release = self._watcher.stop
        self.close = self._watcher.close

    def wake(self) -> None:
        if self._loop.ptr:  # else the hub was destroyed, and libuv would write to memory that it has freed
            self._watcher.send()

    def hold(self) -> None:
        if not self._watcher.active:
            self._watcher.start(self._callback)


class GeventHub:
    """gevent's hub, as events and pools use it."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self.switch = hub.switch
        self.call_soon = hub.loop.run_callback

    def is_current(self) -> bool:
        return self._hub is get_hub()

    def waker(self, callback: Callable[[], object]) -> Waker:
        return GeventWaker(self._hub.loop, callback)

    def call_later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        timer = self._hub.loop.timer(seconds, ref=False)
        timer.start(function)
        return timer.close  # type: ignore[no-any-return]


def destroy_hub() -> None:
    """Free the hub of an OS thread that ends, if it has one. gevent does so only in its own pools."""
    hub = get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)


class GeventBackend(Backend):
    """Runs calls in greenlets, and uses gevent's own events, queues and locks."""

    name = "gevent"

    def __init__(self) -> None:
        start, new_lock = monkey.get_original("_thread", ["start_new_thread", "allocate_lock"])
        local = monkey.get_original("threading", "local")
        self._os_threads = OSThreads(start, new_lock, local, self._hub, destroy_hub)
        self._native_pools = PerThread(local(), lambda: self.native_pool(NATIVE_THREADS, "native"))
        self.socket_owner = PerThread(local(), ThreadIdentity).get  # type: ignore[method-assign]

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        greenlet = CallGreenlet(function, args, kwargs)
        greenlet.start()
        return greenlet

    def pool(self, size: int | None = None) -> Pool:
        return BoundedPool(self, size or DEFAULT_SIZE, CallGreenlet, self._hub())

    def in_hub(self) -> bool:
        return gevent.getcurrent() is get_hub()

    def one_shot_event(self) -> HubEvent:
        return HubEvent(self._hub())

    def event_factory(self, refusal: Callable[[], WrongThread] = foreign_call) -> Callable[[], HubEvent]:
        return partial(LocalHubEvent, self._hub(), refusal)

    def hub(self) -> object | None:
        return self._hub()

    @staticmethod
    def _hub() -> GeventHub:
        """The GeventHub of this OS thread. There is one for each hub."""
        hub = get_hub()
        found: GeventHub | None = getattr(hub, "_flowthings_hub", None)
        if found is None:
            found = hub._flowthings_hub = GeventHub(hub)
        return found

    def adopt(self, pool: Any) -> Pool:
        """Use a caller's gevent.pool.Pool or Group. `spawn` blocks while it is full."""
        return AdoptedPool(self, pool)

    def event(self) -> Any:
        return Event()

    def queue(self) -> Any:
        return Queue()

    def lock(self) -> Any:
        return BoundedSemaphore(1)

    def sleep(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def watch(self, sock: socket.socket, callback: Callable[[], object]) -> Callable[[], object]:
        watcher = gevent.get_hub().loop.io(sock.fileno(), READABLE)
        watcher.start(callback)
        return watcher.close  # type: ignore[no-any-return]

    def fair_yield(self) -> None:
        if in_native_thread():
            return
        hub = get_hub()
        fairness_lock = getattr(hub, "_flowthings_fairness_lock", None)
        if fairness_lock is None:
            fairness_lock = hub._flowthings_fairness_lock = self.lock()
        with fairness_lock:
            # Not sleep(0), which can return before the loop has looked at its timers. Timers run in the order
            # in which they are due, by the loop's clock. If that were late, this one would overtake others.
            hub.loop.update_now()
            gevent.sleep(SHORTEST)

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        timer = gevent.Timeout(seconds)
        timer.start()
        try:
            yield
        except gevent.Timeout as timeout:
            if timeout is not timer:
                raise
            raise DeadlineExceeded(f"not done after {seconds} s") from None
        finally:
            timer.close()

    def native(self, function: Callable[..., Any], /, *args: Any) -> Any:
        if in_native_thread():
            return function(*args)
        return self._native_pools.get().run(function, *args)

    def native_pool(self, size: int, name: str) -> NativePool:
        return GreenNativePool(self._os_threads, size, name)


class AdoptedPool(Pool):
    """A pool that the caller has made. It counts and bounds its threads itself."""

    def __init__(self, backend: GeventBackend, pool: Any) -> None:
        self.backend = backend
        self._pool = pool

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        greenlet = CallGreenlet(function, args, kwargs)
        self._pool.start(greenlet)
        return greenlet
