"""LazyAPI: blocking-looking calls that are all in flight at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..backends.contract import open_pool
from ..batching.batcher import DISPATCHERS, Coalescer
from ..batching.enrol import Enrolment, reader, writer
from ..batching.queue import weigh
from .begun import Begun
from .exits import forget, track
from .thunk import GreenThunk, force_all, run_lazily, unwrap
from .views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from ..backends.contract import Pool
    from .failure import Origin
    from .future import Pending

    Make = Callable[[Origin, tuple[Any, ...], dict[str, Any]], GreenThunk]

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
        super().__init__(api, self._wrap_call)
        self._wanted = async_lib, pool
        self._pool: Pool | None = None
        self._coalescer: Coalescer | None = None
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
        origin = _name(function), frame.f_code, frame.f_lasti
        return self._run([(function, args, kwargs)], origin)[0]

    @overload
    def map(self, function: Callable[[A], GreenThunk[V]], items: Iterable[A], /) -> list[GreenThunk[V]]: ...
    @overload
    def map(self, function: Callable[[A], V], items: Iterable[A], /) -> list[GreenThunk[V]]: ...
    def map(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Any:
        """`call` the function with each of the items; a list of thunks in the order of the items."""
        frame = sys._getframe(1)
        origin = _name(function), frame.f_code, frame.f_lasti
        return self._run([(function, (item,), {}) for item in items], origin)

    def _run(self, calls: list[tuple[Any, ...]], origin: Origin) -> list[GreenThunk]:
        self._open()
        coalescer = self._coalescer
        gathering = None if coalescer is None else coalescer.gathering
        if coalescer is None or gathering is None:
            return [self._start(_with_values, call, {}, origin) for call in calls]

        def run(function: object, *call: Any) -> Any:
            with gathering.running(function):
                return _with_values(*call)

        def start(call: tuple[Any, ...]) -> GreenThunk:
            pending = gathering.expect(lambda function: self._begin(run, (function, *call), {}, origin))
            return GreenThunk(pending, origin)

        return [start(call) for call in calls]

    # Calls of services

    def _wrap_call(self, view: View, name: str, method: Callable[..., Any], label: str) -> Callable[..., Any]:
        """What stands for a service's method here."""
        self._open()
        form = getattr(method, "__api_bulk__", None)
        if self._coalescer is not None and form is not None and form.entry is None:
            enrolment = self._enrolment(view, method)
            if not enrolment.alone:
                return (writer if form.writes else reader)(enrolment, label)
        if self._coalescer is not None and hasattr(method, "__api_begins__"):
            return self._beginner(getattr(view._target, method.__api_begins__), method, label)
        make = self._maker(view, method)
        if make is None:
            return self._starter(method, label)

        def call(*args: Any, **kwargs: Any) -> GreenThunk:
            frame = sys._getframe(1)
            return make((label, frame.f_code, frame.f_lasti), args, kwargs)

        return call

    def _beginner(
        self, begin: Callable[..., Any], method: Callable[..., Any], label: str
    ) -> Callable[..., Any]:
        """For a call that can be begun without a thread."""
        pool = self._open()

        def call(*args: Any, **kwargs: Any) -> GreenThunk:
            frame = sys._getframe(1)
            origin = label, frame.f_code, frame.f_lasti
            if weigh(args) < 0 or (kwargs and weigh(kwargs) < 0):  # it has to wait for thunks
                return self._start(method, args, kwargs, origin)
            try:
                underway = begin(*args, **kwargs)
            except Exception:  # it makes no sense; made alone it says so where the result is needed
                underway = None
            if underway is None:
                return self._start(method, args, kwargs, origin)
            begun = Begun(underway, origin, pool)
            self._remember(begun, origin)
            return GreenThunk(begun, origin)

        return call

    def _starter(self, method: Callable[..., Any], label: str) -> Callable[..., Any]:
        """For a call that has a green thread of its own and changes nothing."""
        start = self._open().start

        def call(*args: Any, **kwargs: Any) -> GreenThunk:
            frame = sys._getframe(1)
            origin = label, frame.f_code, frame.f_lasti
            pending = start(run_lazily, method, args, kwargs, origin)
            self._remember(pending, origin)
            return GreenThunk(pending, origin)

        return call

    def _maker(self, view: View, method: Callable[..., Any]) -> Make | None:
        """How a call of this method is made; None if there is nothing special about it."""
        coalescer = self._coalescer
        if coalescer is not None:
            if hasattr(method, "__api_chooses__"):
                return self._chooser(view, method)
            if hasattr(method, "__api_bulk__"):
                return self._enrolment(view, method).enrol
            if not hasattr(method, "__api_reads__"):
                return self._writer(coalescer, method)
        return None

    def _enrolment(self, view: View, method: Callable[..., Any]) -> Enrolment:
        assert self._coalescer is not None
        return Enrolment(self._coalescer, view._target, method, self._start)

    def _writer(self, coalescer: Coalescer, method: Callable[..., Any]) -> Make:
        """For a call that may change anything: no read shares a request across it."""
        written = coalescer.writes.note

        def write(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            finally:
                written()

        def make(origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> GreenThunk:
            written()
            return self._start(write, args, kwargs, origin)

        return make

    def _chooser(self, view: View, method: Callable[..., Any]) -> Make:
        """For a call that only chooses another one."""
        target = view._target
        choose = getattr(target, method.__api_chooses__)  # type: ignore[attr-defined]
        makers: dict[str, Make | None] = {}

        def make(origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> GreenThunk:
            if any(type(arg) is GreenThunk for arg in args):  # what to choose depends on what it will be
                return self._start(make_later, (origin, args, kwargs), {}, origin)
            try:
                name, args = choose(*args)
            except Exception:  # it makes no sense; made alone it says so where the result is needed
                return self._start(method, args, kwargs, origin)
            if name not in makers:
                makers[name] = self._maker(view, getattr(target, name))
            chosen = makers[name]
            if chosen is None:
                return self._start(getattr(target, name), args, kwargs, origin)
            return chosen(origin, args, kwargs)

        def make_later(origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            args, kwargs = force_all(args, kwargs)
            return make(origin, args, kwargs)

        return make

    def _start(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin
    ) -> GreenThunk:
        """A thunk of a call that begins in a green thread of its own."""
        return GreenThunk(self._begin(method, args, kwargs, origin), origin)

    def _begin(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin
    ) -> Pending:
        pending = (self._pool or self._open()).start(run_lazily, method, args, kwargs, origin)
        self._remember(pending, origin)
        return pending

    def _remember(self, call: Pending, origin: Origin) -> None:
        track(call, origin)
        if self._block is not None:
            self._block.add(call)

    def _open(self) -> Pool:
        pool = self._pool
        if pool is None:
            async_lib, wanted = self._wanted
            pool = open_pool(async_lib, wanted)
            if pool.runs_by_itself and (wanted is None or isinstance(wanted, int)):
                known = vars(self._target).setdefault("_bulk_forms", {})
                self._coalescer = Coalescer(pool, known, min(DISPATCHERS, wanted or DISPATCHERS))
            self._pool = pool
        return pool

    # As a block

    def __enter__(self: Self) -> Self:
        self._open()
        self._block = _Block(self._block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block, coalescer = self._block, self._coalescer
        assert block is not None
        try:
            if kind is not None and not issubclass(kind, Exception):
                block.give_up(coalescer)
            else:
                block.wait(coalescer)
        finally:
            self._block = block.outer


class _Block:
    """The calls of one `with` block that run in threads of their own. Those enrolled the coalescer knows."""

    def __init__(self, outer: _Block | None) -> None:
        self.outer = outer
        self._fired: list[Pending] = []
        self._many = 1000

    def add(self, pending: Pending) -> None:
        fired = self._fired
        fired.append(pending)
        if len(fired) > self._many:  # those that are done are done; do not keep their results
            self._fired = [pending for pending in fired if not pending.ready()]
            self._many = max(1000, 2 * len(self._fired))

    def wait(self, coalescer: Coalescer | None) -> None:
        """Wait for all of them, and for those that they make meanwhile."""
        try:
            self._settle_all(coalescer)
        except BaseException:
            self.give_up(coalescer)
            raise

    def _settle_all(self, coalescer: Coalescer | None) -> None:
        while True:
            while self._fired:
                self._fired[-1].settle()
                self._fired.pop()
            if coalescer is None or not coalescer.drain():
                return

    def give_up(self, coalescer: Coalescer | None) -> None:
        """Stop them all, as far as they can be stopped, and wait for those that were."""
        fired, self._fired = self._fired, []
        forget(fired, coalescer)
        if coalescer is not None:
            coalescer.give_up()
        for pending in [pending for pending in fired if not pending.ready() and pending.abandon()]:
            pending.settle()


def _with_values(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*unwrap(args), **unwrap(kwargs))


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
