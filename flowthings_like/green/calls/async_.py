"""AsyncAPI: queue up calls, then collect their results."""

from __future__ import annotations

import queue
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from flowthings_like.errors import DeadlineExceeded

from ..backends.choice import open_pool
from ..future import Origin
from .at_exit import forget, track
from .service_views import View
from .thunk import GreenThunk, force_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, TracebackType

    from ..backends.contract import Pool
    from ..future import Outcome, Task

__all__ = ["AsyncAPI"]

Self = TypeVar("Self", bound="AsyncAPI")


class AsyncAPI(View):
    """An api whose calls start at once, return the green library's own thread, and are remembered in order.

    The thread is a gevent Greenlet, an eventlet GreenThread, or on threads a ThreadCall; all three have
    `get(timeout=None)` and `wait()`, which return the result or raise. Leaving a `with` block waits for all
    calls; leaving it with an exception cancels them.

    Attributes:
        collected: the (error, result) pairs of the last `results()` that raised, so that nothing is lost.

    Args:
        api: the api whose services are called.
        async_lib, pool: which backend runs the calls, and how many at once; see `backend.open_pool`. Looked
            at when the first call is made.
    """

    def __init__(self, api: object, async_lib: object = None, pool: object = None) -> None:
        super().__init__(api, self._make_call)
        self.collected: list[tuple[BaseException | None, Any]] = []
        self._wanted = async_lib, pool
        self._pool: Pool | None = None
        # In call order, by identity: threads need not be hashable, and as_completed takes them out singly.
        self._queue: dict[int, tuple[Any, Task]] = {}

    def _make_call(self, view: View, method: Callable[..., Any]) -> Callable[..., Any]:
        """How calls of a service's method are made: what gets the arguments and returns a thread."""

        def make(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> Any:
            pool = self._pool
            if pool is None:
                pool = self._pool = open_pool(*self._wanted)
            for arg in (*args, *kwargs.values()) if kwargs else args:
                if type(arg) is GreenThunk:
                    thread = pool.spawn(_with_values, method, args, kwargs)
                    break
            else:
                thread = pool.spawn(method, *args, **kwargs)
            pending = pool.task(thread)
            track(pending, Origin(label, code, offset))
            self._queue[id(thread)] = thread, pending
            return thread

        return make

    @overload
    def results(self, with_exceptions: Literal[False] = False, timeout: float | None = None) -> list[Any]: ...
    @overload
    def results(
        self, with_exceptions: bool, timeout: float | None = None
    ) -> list[tuple[BaseException | None, Any]]: ...
    def results(self, with_exceptions: bool = False, timeout: float | None = None) -> list[Any]:
        """Wait for all calls made so far and return their results in the order of the calls.

        The queue is then empty and may be filled again. If the wait is interrupted or runs out of time,
        nothing is cancelled and nothing is lost: the queue is as it was, and `results` may be called again.

        Args:
            with_exceptions: return (error, result) pairs, of which one is None, whatever the calls raised.
            timeout: seconds for all of them together; None waits for as long as they take.

        Raises:
            Exception: without `with_exceptions`, the error of the first call (in call order) that failed. It
                is raised after all calls are done; what the others returned is then in `collected`.
            DeadlineExceeded: the time ran out before all were done.
        """
        calls = list(self._queue.values())
        remaining = _clock(timeout)
        outcomes = [pending.outcome(remaining and remaining()) for _, pending in calls]
        self._forget(calls)
        if with_exceptions:
            return _pairs(outcomes)
        for _, raised in outcomes:
            if raised is not None:
                self.collected = _pairs(outcomes)
                raised.again()
        return [value for value, _ in outcomes]

    def as_completed(self, timeout: float | None = None) -> Iterator[Any]:
        """The threads of all calls made so far, each as soon as it is done; `get()` then gives its result.

        Each thread leaves the queue when it is handed out. Threads of a foreign pool, which cannot tell when
        they are done, come in the order of the calls.

        Raises:
            DeadlineExceeded: not all were done within `timeout` seconds; the others stay in the queue.
        """
        calls = list(self._queue.values())
        if not calls or self._pool is None:
            return
        done = self._pool.backend.queue()
        remaining = _clock(timeout)
        told = [pending.when_done(partial(done.put, (thread, pending))) for thread, pending in calls]
        if not all(told):
            for call in calls:
                call[1].outcome(remaining and remaining())
                self._forget([call])
                yield call[0]
            return
        waiting = iter(calls)
        oldest: Task | None = None
        for _ in calls:
            # While this thread waits, one call that is queued may start in its place; see `Backend.pool`.
            while oldest is None or oldest.ready():
                oldest = next(waiting, (None, None))[1]
                if oldest is None:
                    break
            if oldest is not None:
                oldest.start_now()
            try:
                call = done.get(timeout=remaining and remaining())
            except queue.Empty:
                raise DeadlineExceeded(f"{len(self._queue)} calls were not done after {timeout} s") from None
            self._forget([call])
            yield call[0]

    def cancel(self) -> None:
        """Stop all calls that are not done, wait for those that could be stopped, and empty the queue.

        Green threads are killed. Of calls on OS threads, those that have not started are dropped and the
        others run to their end unattended.
        """
        calls = list(self._queue.values())
        self._queue.clear()
        forget(pending for _, pending in calls)
        for pending in [pending for _, pending in calls if not pending.ready() and pending.request_cancel()]:
            pending.outcome()

    def _forget(self, calls: list[tuple[Any, Task]]) -> None:
        for thread, _ in calls:
            self._queue.pop(id(thread), None)  # it may have been handed out meanwhile

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()
            return
        try:
            self._wait_for_all()
        except BaseException:
            self.cancel()
            raise

    def _wait_for_all(self) -> None:
        for _, pending in list(self._queue.values()):
            pending.outcome()


def _pairs(outcomes: list[Outcome]) -> list[tuple[BaseException | None, Any]]:
    return [(raised.error if raised else None, value) for value, raised in outcomes]


def _with_values(method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    args, kwargs = force_all(args, kwargs)
    return method(*args, **kwargs)


def _clock(timeout: float | None) -> Callable[[], float] | None:
    """What tells how much is left of `timeout` seconds from now; None if there is no limit."""
    if timeout is None:
        return None
    end = time.monotonic() + timeout
    return lambda: max(0.0, end - time.monotonic())
