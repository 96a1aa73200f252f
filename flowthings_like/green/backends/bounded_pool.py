"""A bounded pool of green threads: what is spawned while it is full is queued, and `spawn` never blocks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..wrong_thread import wrong_thread
from .contract import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .contract import Backend
    from .hub_events import Hub

__all__ = ["BoundedPool", "PooledThread"]


class PooledThread:
    """A green thread that can run in a BoundedPool. Base class of the backends' green threads."""

    queued_in: BoundedPool | None = None
    """The pool in which it is queued; None if it is not queued."""

    permit: Permit | None = None
    """Its permit to run, if it runs in a pool."""

    def schedule(self) -> None:
        """Have the hub start it, on its next iteration at the earliest."""
        raise NotImplementedError

    def release_permit(self) -> None:
        """Release its permit. To be called at the end of its run."""
        permit, self.permit = self.permit, None
        if permit is not None:
            permit.release()

    def ready(self) -> bool:
        """Whether it is done, or was killed."""
        raise NotImplementedError

    def start_now(self) -> None:
        """Start it if it is still queued, although the pool is full, because another thread waits for it.

        The limit is exceeded by no more than the number of threads that wait, and those do nothing else.
        Without this, a full pool whose threads all wait for queued ones would be in a deadlock.
        """
        pool = self.queued_in
        if pool is not None:
            pool.start_thread(self)


class Permit:
    """One thread's right to run in a pool.

    It is also released when it is collected as garbage, because a thread that is killed before it runs does
    not release it.
    """

    __slots__ = ("_pool",)

    def __init__(self, pool: BoundedPool) -> None:
        self._pool: BoundedPool | None = pool
        pool.running += 1

    def release(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.start_queued()

    __del__ = release


class BoundedPool(Pool):
    """Runs at most `size` threads at once, in the order in which they were spawned.

    The others are queued before they start, because a thread that has not started costs a few hundred bytes,
    and one that waits costs a stack. A pool belongs to one hub and is used in its OS thread only.

    Attributes:
        running: how many threads have a permit.
    """

    def __init__(
        self,
        backend: Backend,
        size: int,
        make: Callable[[Callable[..., Any], Any, Any], PooledThread],
        hub: Hub,
    ) -> None:
        self.backend = backend
        self.size = size
        self.running = 0
        self._make = make
        self._hub = hub
        self._queued: deque[PooledThread] = deque()

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.check_thread()
        thread = self._make(function, args, kwargs)
        if self.running < self.size:
            self.start_thread(thread)
        else:
            thread.queued_in = self
            self._queued.append(thread)
        return thread

    def check_thread(self) -> None:
        if not self._hub.is_current():
            raise wrong_thread()

    def start_thread(self, thread: PooledThread) -> None:
        """Give a thread a permit and start it, even if the pool is full.

        Raises:
            WrongThread: this is not the hub's OS thread. The thread stays queued.
        """
        self.check_thread()
        thread.schedule()  # the only step that can fail, so nothing is changed before it
        thread.queued_in = None
        thread.permit = Permit(self)

    def start_queued(self) -> None:
        """A permit was released: start the threads that are queued first."""
        self.running -= 1
        queued = self._queued
        while queued and self.running < self.size:
            thread = queued[0]
            # Some need no start: those that `start_now` has started, and those that were killed in the queue.
            if thread.queued_in is not None and not thread.ready():
                self.start_thread(thread)
            queued.popleft()
