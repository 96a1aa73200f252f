"""The base class of all services: gives them `lazy()` and `async_()`, which run calls in parallel."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..diagnostics.checks.first_use import check_first_use
from ..green.calls.markers import plain
from ..telemetry.event import Family

__all__ = ["InParallel", "RunningCall"]

T_co = TypeVar("T_co", covariant=True)


class RunningCall(Protocol[T_co]):
    """What a call under `async_()` returns: gevent's Greenlet, eventlet's GreenThread or a ThreadCall."""

    def get(self, timeout: float | None = None) -> T_co:
        """Wait for the call's result."""

    def wait(self) -> T_co:
        """Wait for the call's result, as eventlet names it."""

    def __hash__(self) -> int: ...


class InParallel:
    """A service. Every public method is a call, unless it is marked otherwise; see `green.calls.markers`.

    `api.lazy().flow` and `api.flow.lazy()` make the same calls. A service without an API has only the second
    form.
    """

    __api_service__ = True
    __api_family__ = Family.HTTP
    """What observers are told of calls that travel with others."""

    @plain
    def async_(self, pool: Any = None) -> Any:
        """This service, with calls that start at once and return green threads. `results()` waits for them.

        Args:
            pool: how many calls may run at once, or a pool of the green library in which they are spawned.

        `getattr(service, "async")` is the same method.
        """
        check_first_use("parallel")
        from ..green.calls.async_ import AsyncAPI

        return AsyncAPI(self, self._async_lib(), pool)

    @plain
    def lazy(self, pool: Any = None) -> Any:
        """This service, with calls that start at once and return GreenThunks, which wait when they are used.

        Args:
            pool: how many calls may run at once, or a pool of the green library in which they are spawned.
        """
        check_first_use("parallel")
        from ..green.calls.lazy import LazyAPI

        return LazyAPI(self, self._async_lib(), pool)

    def _async_lib(self) -> Any:
        """The backend that runs the calls; None for the library that has patched this process."""
        return None


setattr(InParallel, "async", InParallel.async_)
