"""`lazy()` and `async_()` of any service: what makes its calls run in parallel."""

from __future__ import annotations

from typing import Any

from ..green.calls.marks import plain

__all__ = ["InParallel"]


class InParallel:
    """A service: every public method is a call, unless it is marked otherwise.

    `api.lazy().flow` and `api.flow.lazy()` make the same calls; a service that belongs to no API has the
    second form alone.
    """

    __api_service__ = True

    @plain
    def async_(self, pool: Any = None) -> Any:
        """This service, but every call returns a green thread at once; `results()` waits for them all.

        Args:
            pool: a number of calls at once, or a pool of the green library's to spawn in.

        `getattr(service, "async")` is the same method.
        """
        from ..green.calls.async_ import AsyncAPI

        return AsyncAPI(self, self._async_lib(), pool)

    @plain
    def lazy(self, pool: Any = None) -> Any:
        """This service, but every call returns a GreenThunk at once, which waits when it is looked at.

        Args:
            pool: a number of calls at once, or a pool of the green library's to spawn in.
        """
        from ..green.calls.lazy import LazyAPI

        return LazyAPI(self, self._async_lib(), pool)

    def _async_lib(self) -> Any:
        """Which backend runs the calls; None for the one that has patched this process."""
        return None


setattr(InParallel, "async", InParallel.async_)
