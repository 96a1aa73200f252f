"""Turns a lazy call of a method that has a bulk form into a queued `Call`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowthings_like.telemetry.observers import observers

from ..batching.observed_call import ObservedCall, tell_shared
from ..batching.queue import NO_ITEM, Call
from ..future import Origin
from .thunk import GreenThunk, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from ..batching.batcher import Batcher
    from ..batching.bulk_marker import BulkForm
    from .chained import Chaining

    Start = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Origin], GreenThunk]

__all__ = ["BulkMethod", "estimate_size"]


class BulkMethod:
    """One service's method that has a bulk form, as lazy calls use it.

    Args:
        start: makes a call in a green thread of its own: one that cannot be queued, or not yet.
        chains: chains functions to the thunks.
    """

    def __init__(
        self,
        batcher: Batcher,
        form: BulkForm,
        service: Any,
        method: Callable[..., Any],
        start: Start,
        chains: Chaining,
    ) -> None:
        self._batcher = batcher
        self._form = form
        self._service = service
        self._method = method
        self._start = start
        self._chains = chains
        self._goes_alone = bool(getattr(service, "__api_alone__", False))
        self._member = (form.key or "").partition(".")[2]
        self._queue = batcher.queue(form, service)

    def call(
        self, label: str, code: CodeType, offset: int, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> GreenThunk:
        """Make a call; one that has thunks among its arguments waits for them in a thread of its own.

        Args:
            label, code, offset: where the call is made, see `Origin`.
        """
        size = estimate_size(args)
        if size < 0 or (kwargs and estimate_size(kwargs) < 0):
            later = label, code, offset, args, kwargs
            return self._start(self._call_later, later, {}, Origin(label, code, offset))
        batcher, queue, form = self._batcher, self._queue, self._form
        try:
            key, item = self._entry(args, kwargs)
            if kwargs and not form.writes and kwargs.get("timeout") is not None:
                queue = batcher.queue(form, self._service, kwargs["timeout"])
        except Exception:  # it makes no sense; made alone it says so where the result is asked for
            key, item = _GOES_ALONE
        if form.writes:
            batcher.writes.note(queue.place, key)
        elif item is NO_ITEM:
            return self._start(self._method, args, kwargs, Origin(label, code, offset))
        count = batcher.writes.count
        if observers:
            call: Call = ObservedCall(
                queue, self._method, args, kwargs, key, item, size, count, label, code, offset
            )
            future = batcher.submit(call)
            tell_shared(call, future)
            return GreenThunk(future, call, self._chains)
        call = Call(queue, self._method, args, kwargs, key, item, size, count, label, code, offset)
        return GreenThunk(batcher.submit(call), call, self._chains)

    def _call_later(
        self, label: str, code: CodeType, offset: int, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            args, kwargs = unwrap(args), unwrap(kwargs)
        except RecursionError:  # it holds itself; what encodes it says where
            return self._method(*args, **kwargs)
        if estimate_size(args) < 0 or estimate_size(kwargs) < 0:  # a thunk where unwrap does not look
            return self._method(*args, **kwargs)
        return self.call(label, code, offset, args, kwargs).force()

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """(key, what goes into the list of the bulk form, or NO_ITEM)."""
        form = self._form
        if self._goes_alone:
            return _GOES_ALONE
        if form.entry is not None:
            given = {name: value for name, value in kwargs.items() if name != "timeout"}
            key, item = getattr(self._service, form.entry)(*args, **given) or _GOES_ALONE
            hash(key)
            return key, item
        if kwargs:
            if kwargs.keys() - {form.argument, "timeout"}:
                return _GOES_ALONE
            if form.argument in kwargs:
                args = *args, kwargs[form.argument]
        if len(args) != 1:
            return _GOES_ALONE
        item = args[0]
        if form.key == form.argument:
            key = item
        elif type(item) is not dict and not isinstance(item, Mapping):
            return _GOES_ALONE
        elif form.key is None:
            return None, item
        else:
            key = item.get(self._member)
        return (key, item) if type(key) is str and key else _GOES_ALONE


_GOES_ALONE = None, NO_ITEM


def estimate_size(value: Any) -> int:
    """About how many bytes of JSON `value` is; -1 if a thunk is in it, which may have to be waited for."""
    kind, total = type(value), 2
    try:
        if kind is tuple or kind is list:
            for item in value:
                if type(item) is str:
                    total += len(item) + 4
                elif (size := estimate_size(item)) < 0:
                    return -1
                else:
                    total += size
        elif kind is str or kind is bytes:
            total += len(value)
        elif kind in _SMALL:
            total += 8
        elif kind is GreenThunk:
            return -1
        elif kind is dict or isinstance(value, Mapping):
            for key, item in value.items():
                of_item = type(item)
                if of_item is str:
                    total += len(item) + 16
                elif of_item in _SMALL:
                    total += 16
                elif type(key) is GreenThunk or (size := estimate_size(item)) < 0:
                    return -1
                else:
                    total += size + 16
        else:
            total += 32
    except RecursionError:  # it holds itself; what encodes it says so
        return -1
    return total


_SMALL = frozenset((int, float, bool, type(None)))
