"""LazyAPI: blocking-looking calls that are all in flight at once."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..backends.choice import open_pool
from ..batching.batcher import DISPATCHERS, Batcher
from ..batching.bulk_marker import bulk_form
from ..future import Future, Origin
from .at_exit import forget, track, track_batches
from .bulk_method import BulkMethod, estimate_size
from .chained import ChainedFunction, function_name
from .sent_call import SentFuture
from .service_views import View
from .task_future import TaskFuture
from .thunk import GreenThunk, force_all, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, TracebackType

    from ..backends.contract import Pool
    from ..future import Task

    Make = Callable[[str, CodeType, int, tuple[Any, ...], dict[str, Any]], GreenThunk]

__all__ = ["LazyAPI"]

A = TypeVar("A")
V = TypeVar("V")
Self = TypeVar("Self", bound="LazyAPI")


class LazyAPI(View):
    """An api whose calls start at once and return GreenThunks, which wait where their data is needed.

    A thunk may be an argument of another call: that call waits for it in its own green thread. Only a
    factory, as in `lazy.drop(flow)`, needs its argument's value right away. Calls that have a bulk form
    travel together, and equal reads that are on their way share a request. What is promised about order,
    docs/parallel.md says.

    Leaving a `with` block waits for every call made in it. Left by a kill, a timeout or Ctrl-C, it gives the
    calls up instead.

    Args:
        api: the api whose services are called.
        async_lib, pool: which backend runs the calls, and how many at once; see `backend.open_pool`. Looked
            at when the first call is made. In a pool that is no number each call is spawned by itself.
    """

    def __init__(self, api: object, async_lib: object = None, pool: object = None) -> None:
        super().__init__(api, self._make_call)
        self._wanted = async_lib, pool
        self._pool: Pool | None = None
        self._batcher: Batcher | None = None
        self._block: _Block | None = None

    @overload
    def call(self, function: Callable[..., GreenThunk[V]], /, *args: Any, **kwargs: Any) -> GreenThunk[V]: ...
    @overload
    def call(self, function: Callable[..., V], /, *args: Any, **kwargs: Any) -> GreenThunk[V]: ...
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run a function of your own in a green thread, and return a thunk of its result.

        It may wait for lazy results without holding up the caller, so look-ups that depend on each other
        go on side by side. Thunks among its arguments, and inside dicts, lists and tuples there, are waited
        for before it runs.
        """
        frame = sys._getframe(1)
        origin = Origin(function_name(function), frame.f_code, frame.f_lasti)
        return self._run([(function, args, kwargs)], origin)[0]

    @overload
    def map(self, function: Callable[[A], GreenThunk[V]], items: Iterable[A], /) -> list[GreenThunk[V]]: ...
    @overload
    def map(self, function: Callable[[A], V], items: Iterable[A], /) -> list[GreenThunk[V]]: ...
    def map(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Any:
        """`call` the function with each of the items; a list of thunks in the order of the items."""
        frame = sys._getframe(1)
        origin = Origin(function_name(function), frame.f_code, frame.f_lasti)
        return self._run([(function, (item,), {}) for item in items], origin)

    def _run(self, calls: list[tuple[Any, ...]], origin: Origin) -> list[GreenThunk]:
        self._open()
        gathering = None if self._batcher is None else self._batcher.gathering
        if gathering is None:
            return [self._start(_with_values, call, {}, origin) for call in calls]

        def run(function: object, *call: Any) -> Any:
            with gathering.running(function):
                return _with_values(*call)

        def start(call: tuple[Any, ...]) -> GreenThunk:
            future = gathering.start(lambda function: self._begin(run, (function, *call), {}, origin))
            return GreenThunk(future, None, self)

        return [start(call) for call in calls]

    def start_chained(
        self,
        thunk: GreenThunk,
        on_value: ChainedFunction | None,
        on_error: ChainedFunction | None,
        origin: Origin,
    ) -> GreenThunk:
        """See `Chaining`."""
        return self._run([(_chained, (thunk.force, on_value, on_error), {})], origin)[0]

    # Calls of services

    def _make_call(self, view: View, method: Callable[..., Any]) -> Make:
        """How calls of a service's method are made: what gets the arguments and returns a thunk."""
        self._open()
        batcher, target = self._batcher, view._target
        if batcher is not None:
            form = bulk_form(method)
            if form is not None:
                return BulkMethod(batcher, form, target, method, self._start, self).call
            if hasattr(method, "__api_sends__"):
                return self._send_now(getattr(target, method.__api_sends__), method)
            if hasattr(method, "__api_chooses__"):
                return self._chosen(view, getattr(target, method.__api_chooses__), method)
            if not hasattr(method, "__api_reads__"):
                return self._written(batcher, method)
        return self._started(method)

    def _started(self, method: Callable[..., Any]) -> Make:
        """For a call that has a thread of its own and changes nothing."""

        def make(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> GreenThunk:
            return self._start(method, args, kwargs, Origin(label, code, offset))

        return make

    def _send_now(self, send: Callable[..., Any], method: Callable[..., Any]) -> Make:
        """For a call that can be sent without a thread."""
        pool = self._open()

        def make(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> GreenThunk:
            sent = None
            if estimate_size(args) >= 0 and estimate_size(kwargs) >= 0:  # else it has to wait for thunks
                try:
                    sent = send(*args, **kwargs)
                except Exception:  # it makes no sense; made alone it says so where the result is needed
                    sent = None
            if sent is None:
                return self._start(method, args, kwargs, Origin(label, code, offset))
            future = SentFuture(sent, Origin(label, code, offset), pool)
            self._remember(future, future)
            return GreenThunk(future, None, self)

        return make

    def _written(self, batcher: Batcher, method: Callable[..., Any]) -> Make:
        """For a call that may change anything: no read shares a request across it."""
        note_write = batcher.writes.note

        def write(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            finally:
                note_write()

        def make(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> GreenThunk:
            note_write()
            return self._start(write, args, kwargs, Origin(label, code, offset))

        return make

    def _chosen(self, view: View, choose: Callable[..., Any], method: Callable[..., Any]) -> Make:
        """For a call that only chooses another one."""
        makers: dict[str, Make] = {}

        def make(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> GreenThunk:
            if any(type(arg) is GreenThunk for arg in args):  # what to choose depends on what it will be
                later = label, code, offset, args, kwargs
                return self._start(make_later, later, {}, Origin(label, code, offset))
            try:
                name, args = choose(*args)
            except Exception:  # it makes no sense; made alone it says so where the result is needed
                return self._start(method, args, kwargs, Origin(label, code, offset))
            if name not in makers:
                makers[name] = self._make_call(view, getattr(view._target, name))
            return makers[name](label, code, offset, args, kwargs)

        def make_later(label: str, code: CodeType, offset: int, args: Any, kwargs: Any) -> Any:
            args, kwargs = force_all(args, kwargs)
            return make(label, code, offset, args, kwargs)

        return make

    def _start(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin
    ) -> GreenThunk:
        """A thunk of a call that begins in a green thread of its own."""
        return GreenThunk(self._begin(method, args, kwargs, origin), None, self)

    def _begin(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin
    ) -> TaskFuture:
        future = TaskFuture(origin, self._pool or self._open(), method, args, kwargs)
        self._remember(future, future.task)
        return future

    def _remember(self, future: Future, call: Future | Task) -> None:
        """Finish a call before the block and the program end. What runs it holds `call`, not the future."""
        track(call, future.origin)
        if self._block is not None:
            self._block.add(future)

    def _open(self) -> Pool:
        pool = self._pool
        if pool is None:
            async_lib, wanted = self._wanted
            pool = open_pool(async_lib, wanted)
            if pool.runs_by_itself and (wanted is None or isinstance(wanted, int)):
                known = vars(self._target).setdefault("_bulk_forms", {})
                most = min(DISPATCHERS, wanted or DISPATCHERS)
                self._batcher = Batcher(pool, known, track_batches, most)
            self._pool = pool
        return pool

    # As a block

    def cancel(self) -> None:
        """Stop the calls that are not done, as far as they can be stopped, and wait for those that were.

        These are the queued calls, those that travel in batches, and those made in the current `with` block.
        Their thunks raise CallCancelled. Calls that OS threads have begun run to their end unattended.
        """
        if self._block is not None:
            self._block.cancel(self._batcher)
        elif self._batcher is not None:
            self._batcher.cancel()

    def __enter__(self: Self) -> Self:
        self._open()
        self._block = _Block(self._block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block, batcher = self._block, self._batcher
        assert block is not None
        try:
            if kind is not None and not issubclass(kind, Exception):
                block.cancel(batcher)
            else:
                block.wait(batcher)
        finally:
            self._block = block.outer


class _Block:
    """The calls of one `with` block that have a thread of their own or were sent at once.

    The batcher knows the others.
    """

    def __init__(self, outer: _Block | None) -> None:
        self.outer = outer
        self._futures: dict[Future, None] = {}  # in order
        self._many = 1000

    def add(self, future: Future) -> None:
        self._futures[future] = None
        if len(self._futures) > self._many:  # those that are done are done; do not keep their results
            for known in list(self._futures):
                if known.done():
                    self._futures.pop(known, None)
            self._many = max(1000, 2 * len(self._futures))

    def wait(self, batcher: Batcher | None) -> None:
        """Wait for all of them, and for those that they make meanwhile."""
        try:
            self._wait_for_all(batcher)
        except BaseException:
            self.cancel(batcher)
            raise

    def _wait_for_all(self, batcher: Batcher | None) -> None:
        while True:
            while futures := list(self._futures):
                for future in reversed(futures):
                    future.wait()
                    self._futures.pop(future, None)
            if batcher is None or not batcher.wait_for_all():
                return

    def cancel(self, batcher: Batcher | None) -> None:
        """Stop them all, as far as they can be stopped, and wait for those that were."""
        futures = list(self._futures)
        self._futures.clear()
        forget(future.task if isinstance(future, TaskFuture) else future for future in futures)
        # The last one first: what is chained to a call is stopped before the call's end can wake it.
        stopped = [future for future in reversed(futures) if not future.done() and future.cancel()]
        if batcher is not None:
            batcher.cancel()
        for future in stopped:
            future.wait()


def _chained(
    force: Callable[[], Any], on_value: ChainedFunction | None, on_error: ChainedFunction | None
) -> Any:
    """What the thread of a chained function runs: wait for the call, and call one of the functions."""
    try:
        value = force()
    except Exception as error:
        if on_error is None:
            raise
        return _with_values(partial(on_error.function, error), on_error.args, on_error.kwargs)
    if on_value is None:
        return value
    return _with_values(partial(on_value.function, value), on_value.args, on_value.kwargs)


def _with_values(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*unwrap(args), **unwrap(kwargs))
