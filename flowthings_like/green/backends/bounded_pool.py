"""A pool of green threads that queues what is too much instead of blocking whoever spawns it."""

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
    """What a green thread needs to pass a gate; the backends' thread classes mix it in."""

    queued_in: BoundedPool | None = None
    """The gate where it is queued, None once it has passed."""

    permit: Permit | None = None
    """Its place among those that run."""

    def schedule(self) -> None:
        """Schedule it to run, on the hub's next turn at the earliest."""
        raise NotImplementedError

    def release_permit(self) -> None:
        """Free its place. To be called at the end of its run."""
        permit, self.permit = self.permit, None
        if permit is not None:
            permit.release()

    def ready(self) -> bool:
        raise NotImplementedError

    def start_now(self) -> None:
        """Somebody waits for it: start it now, over the limit, if it is still queued.

        The limit slips by at most the number of threads that wait, and those do nothing else. Without this,
        a full pool whose threads all wait for queued ones would stand still.
        """
        pool = self.queued_in
        if pool is not None:
            pool.start_thread(self)


class Permit:
    """A place at a gate. A thread that is killed before it runs frees it when it goes away itself."""

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
    """At most `size` threads at once, in the order in which they were spawned; the rest exist, but do not
    run.

    A green thread that has not started costs a few hundred bytes; one that started and waits costs a stack.
    Used in the OS thread of one hub only.

    Attributes:
        running: the threads that have passed and not ended.
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
        """Let a thread start, whether there is room or not.

        Raises:
            WrongThread: this is another OS thread than the hub's. The thread is still queued then.
        """
        self.check_thread()
        thread.schedule()  # the only step that can fail, so nothing is changed before it
        thread.queued_in = None
        thread.permit = Permit(self)

    def start_queued(self) -> None:
        """A permit is free: let those in that are next."""
        self.running -= 1
        queued = self._queued
        while queued and self.running < self.size:
            thread = queued[0]
            # One that was hurried has no gate any more; one that was killed in the queue is ready.
            if thread.queued_in is not None and not thread.ready():
                self.start_thread(thread)
            queued.popleft()
