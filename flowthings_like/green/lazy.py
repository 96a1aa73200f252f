"""LazyAPI: blocking-looking calls that are all in flight at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .backend import open_pool
from .thunk import GreenThunk, Origin, run_lazily
from .views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backend import Pool
    from .outcome import Pending

__all__ = ["LazyAPI"]


class LazyAPI(View):
    """An api whose calls start at once and return GreenThunks, which wait where their data is needed.

    A thunk may be an argument of another call: that call waits for it in its own green thread. Only a
    factory, as in `lazy.drop(flow)`, needs its argument's value right away. Nothing is promised about the
    order of calls that are in flight together.

    Args:
        api: the api whose services are called.
        async_lib, pool: which backend runs the calls, and how many at once; see `backend.open_pool`. Looked
            at when the first call is made.
    """

    def __init__(self, api: object, async_lib: object = None, pool: object = None) -> None:
        super().__init__(api, self._call)
        self._wanted = async_lib, pool
        self._pool: Pool | None = None

    def _call(self, label: str, method: Callable[..., Any], args: Any, kwargs: Any) -> GreenThunk:
        caller = sys._getframe(2)
        origin = Origin(label, caller.f_code, caller.f_lineno)
        return GreenThunk(self._start(method, args, kwargs, origin), origin)

    def _start(self, method: Callable[..., Any], args: Any, kwargs: Any, origin: Origin) -> Pending:
        """The one place where a lazy call becomes something under way: here, a green thread of its own."""
        pool = self._pool
        if pool is None:
            pool = self._pool = open_pool(*self._wanted)
        return pool.pending(pool.spawn(run_lazily, method, args, kwargs, origin))
