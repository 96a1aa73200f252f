"""The near end of a lazy call that has a bulk form: what it takes to put it into its lane."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .lanes import ALONE, weigh
from .thunk import GreenThunk, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from .coalesce import Coalescer
    from .failure import Origin
    from .marks import Bulk

    Start = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Origin], GreenThunk]

__all__ = ["Enrolment", "reader"]


def reader(enrolment: Enrolment, label: str) -> Callable[..., GreenThunk]:
    """What stands for a method whose argument is the key: the shortest way into its lane."""
    coalescer, method = enrolment.coalescer, enrolment.method
    enrol, place, writes = enrolment.lane.enrol, enrolment.place, coalescer.writes

    def read(*args: Any, **kwargs: Any) -> GreenThunk:
        frame = sys._getframe(1)
        origin = label, frame.f_code, frame.f_lasti
        if kwargs or len(args) != 1 or type(args[0]) is not str or not args[0]:
            return enrolment.enrol(origin, args, kwargs)
        key = args[0]
        thunk = GreenThunk(coalescer, origin)
        enrol((thunk, key, key, key, place, writes.count, 0, method, args, kwargs))
        return thunk

    return read


class Enrolment:
    """One service's method that has a bulk form, and the lane that its calls go to.

    Args:
        start: makes a call in a green thread of its own: one that cannot be enrolled, or not yet.
    """

    def __init__(self, coalescer: Coalescer, service: Any, method: Callable[..., Any], start: Start) -> None:
        self.coalescer = coalescer
        self.service = service
        self.form: Bulk = method.__api_bulk__  # type: ignore[attr-defined]
        self.method = method
        self.start = start
        self.lane = coalescer.lane(service, self.form)
        self.place: str = getattr(service, "path", "")

    def enrol(self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> GreenThunk:
        """Queue a call; one that waits for other thunks is queued once they are there, by its own thread.

        Args:
            args, kwargs: as the caller gave them.
        """
        weight = weigh(args)
        if weight < 0 or (kwargs and weigh(kwargs) < 0):
            return self.start(self._enrol_later, (origin, args, kwargs), {}, origin)
        return self._enrol(origin, args, kwargs, weight)

    def _enrol_later(self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            args, kwargs = unwrap(args), unwrap(kwargs)
        except RecursionError:  # it holds itself; what encodes it says where
            return self.method(*args, **kwargs)
        if weigh(args) < 0 or weigh(kwargs) < 0:  # a thunk in something that unwrap does not look into
            return self.method(*args, **kwargs)
        return self._enrol(origin, args, kwargs, weigh(args)).force()

    def _enrol(
        self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any], weight: int
    ) -> GreenThunk:
        form, coalescer, lane = self.form, self.coalescer, self.lane
        try:
            key, item, timeout = self._entry(args, kwargs)
        except Exception:
            # It makes no sense; made alone it says so where the result is asked for.
            key, item, timeout = None, ALONE, None
        if item is ALONE and not form.writes:
            return self.start(self.method, args, kwargs, origin)
        if timeout is not None and item is not ALONE:
            lane = coalescer.lane(self.service, form, timeout)
        thunk = GreenThunk(coalescer, origin)
        if form.writes:
            same = None
            coalescer.writes.note(self.place, key)
        else:
            same = item
        lane.enrol(
            (thunk, key, item, same, self.place, coalescer.writes.count, weight, self.method, args, kwargs)
        )
        return thunk

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
        """(key, what goes into the list or ALONE, the timeout) of a call."""
        form = self.form
        timeout = kwargs.get("timeout")
        if form.entry is not None:
            given = {name: value for name, value in kwargs.items() if name != "timeout"}
            found = getattr(self.service, form.entry)(*args, **given)
            return (None, ALONE, None) if found is None else (*found, timeout)
        values = [*args, *(kwargs[name] for name in kwargs if name == form.argument)]
        if len(values) != 1 or kwargs.keys() - {form.argument, "timeout"}:
            return None, ALONE, None
        (item,) = values
        if form.key == form.argument:
            return (item, item, timeout) if _is_key(item) else (None, ALONE, None)
        if not isinstance(item, Mapping):
            return None, ALONE, None
        if form.key is None:
            return None, item, timeout
        key = item.get(form.key.partition(".")[2])
        return (key, item, timeout) if _is_key(key) else (None, ALONE, None)


def _is_key(value: Any) -> bool:
    return type(value) is str and bool(value)
