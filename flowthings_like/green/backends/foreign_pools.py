"""Runs calls in pools of other libraries: any object with `spawn` or `submit`, such as an executor."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from flowthings_like.errors import ConfigurationError, DeadlineExceeded

from ..future import CapturedException
from ._threads import ThreadsBackend
from .contract import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..future import Outcome

__all__ = ["ForeignBackend", "ForeignPool"]


class ForeignPool(Pool):
    """A pool of which only `spawn(function, *args)`, or an executor's `submit`, is known."""

    runs_by_itself = False

    def __init__(self, pool: Any, backend: ThreadsBackend | None = None) -> None:
        spawn = getattr(pool, "spawn", None) or getattr(pool, "submit", None)
        if not callable(spawn):
            raise ConfigurationError(
                f"{pool!r} cannot run calls; give a gevent.pool.Pool, an eventlet.GreenPool, "
                "a number (the size of a new pool) or an object with a method spawn(function, *args)"
            )
        self.backend = backend or ThreadsBackend()
        self._spawn = spawn

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return self._spawn(copy_context().run, function, *args, **kwargs)

    def task(self, thread: Any) -> ForeignCall:
        return ForeignCall(thread)


class ForeignCall:
    """The Task of a thread in a foreign pool. Its result is asked for once and kept."""

    __slots__ = ("__weakref__", "_outcome", "_thread")

    def __init__(self, thread: Any) -> None:
        self._thread = thread
        self._outcome: Outcome | None = None

    def ready(self) -> bool:
        if self._outcome is not None:
            return True
        asked = getattr(self._thread, "ready", None) or getattr(self._thread, "done", None)
        return bool(asked()) if callable(asked) else False

    def outcome(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            try:
                self._outcome = self._collect(timeout), None
            except TimeoutError as error:
                if timeout is not None and not self.ready():
                    raise DeadlineExceeded(f"the call was not done after {timeout} s") from None
                self._outcome = None, CapturedException.caught(error)
            except Exception as error:
                self._outcome = None, CapturedException.caught(error)
        return self._outcome

    def _collect(self, timeout: float | None) -> Any:
        thread = self._thread
        for name in ("get", "result"):
            if hasattr(thread, name):
                method = getattr(thread, name)
                return method() if timeout is None else method(timeout=timeout)
        if hasattr(thread, "wait"):  # as eventlet's, which takes no time-out
            return thread.wait()
        raise ConfigurationError(
            f"{thread!r}, which the pool's spawn returned, has none of get, wait and result"
        )

    def when_done(self, callback: Callable[[], object]) -> bool:
        return False

    def start_now(self) -> None:
        """Do nothing: a foreign pool's queue is not known."""

    def request_cancel(self) -> bool:
        stop = getattr(self._thread, "kill", None) or getattr(self._thread, "cancel", None)
        if callable(stop):
            stop()
        return False


class ForeignBackend(ThreadsBackend):
    """An object in place of the module gevent or eventlet, such as a test's. Only its pools are used."""

    def __init__(self, library: Any) -> None:
        super().__init__()
        self.name = library.__name__
        self._make = (
            getattr(library, "GreenPool", None)
            or getattr(library, "Pool", None)
            or getattr(getattr(library, "pool", None), "Pool", None)
        )
        if self._make is None:
            wanted = "GreenPool" if self.name == "eventlet" else "Pool or pool.Pool"
            raise ConfigurationError(f"async_lib {library!r} is named {self.name} but has no {wanted}")

    def pool(self, size: int | None = None) -> Pool:
        assert self._make is not None
        return ForeignPool(self._make() if size is None else self._make(size), self)
