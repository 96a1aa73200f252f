"""The near end of a lazy call that has a bulk form: what it takes to put it into its lane."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..calls.thunk import GreenThunk, unwrap
from .queue import IN_TURN, weigh

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..calls.failure import Origin
    from ..calls.marks import Bulk
    from .batcher import Coalescer

    Start = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Origin], GreenThunk]

__all__ = ["Enrolment", "reader", "writer"]


def reader(enrolment: Enrolment, label: str) -> Callable[..., GreenThunk]:
    """What stands for a method whose argument is the key: the shortest way into its lane."""
    coalescer = enrolment.coalescer
    enrol, writes = enrolment.lane.enrol, coalescer.writes

    def read(*args: Any, **kwargs: Any) -> GreenThunk:
        frame = sys._getframe(1)
        if kwargs or len(args) != 1 or type(args[0]) is not str or not args[0]:
            return enrolment.enrol((label, frame.f_code, frame.f_lasti), args, kwargs)
        thunk = GreenThunk(coalescer, (label, frame.f_code, frame.f_lasti, args[0], writes.count))
        enrol(thunk)
        return thunk

    return read


def writer(enrolment: Enrolment, label: str) -> Callable[..., GreenThunk]:
    """What stands for a method that writes a model: the shortest way into its lane for the usual call."""
    coalescer, lane, member = enrolment.coalescer, enrolment.lane, enrolment.member
    enrol, place, writes = lane.enrol, lane.place, coalescer.writes

    def write(*args: Any, **kwargs: Any) -> GreenThunk:
        frame = sys._getframe(1)
        if kwargs or len(args) != 1 or type(args[0]) is not dict:
            return enrolment.enrol((label, frame.f_code, frame.f_lasti), args, kwargs)
        model = args[0]
        weight = weigh(model)
        key = model.get(member) if member else None
        if weight < 0 or (member and not (type(key) is str and key)):
            return enrolment.enrol((label, frame.f_code, frame.f_lasti), args, kwargs)
        writes.note(place, key)
        call = label, frame.f_code, frame.f_lasti, key, writes.count, model, None, weight, place, None
        thunk = GreenThunk(coalescer, call)
        enrol(thunk)
        return thunk

    return write


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
        self.alone = bool(getattr(service, "__api_alone__", False))
        self.member = (self.form.key or "").partition(".")[2]
        self.lane = coalescer.lane(service, method)

    def enrol(self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> GreenThunk:
        """Queue a call; one that waits for other thunks is queued once they are there, by its own thread.

        Args:
            args, kwargs: as the caller gave them.
        """
        weight = weigh(args[0]) if len(args) == 1 else weigh(args)
        if weight < 0 or (kwargs and weigh(kwargs) < 0):
            return self.start(self._enrol_later, (origin, args, kwargs), {}, origin)
        return self._enrol(origin, args, kwargs, weight)

    def _enrol_later(self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            args, kwargs = unwrap(args), unwrap(kwargs)
        except RecursionError:  # it holds itself; what encodes it says where
            return self.method(*args, **kwargs)
        weight = weigh(args)
        if weight < 0 or weigh(kwargs) < 0:  # a thunk in something that unwrap does not look into
            return self.method(*args, **kwargs)
        return self._enrol(origin, args, kwargs, weight).force()

    def _enrol(
        self, origin: Origin, args: tuple[Any, ...], kwargs: dict[str, Any], weight: int
    ) -> GreenThunk:
        coalescer, lane, form = self.coalescer, self.lane, self.form
        try:
            key, item = self._entry(args, kwargs)
            hash(key)
            if kwargs.get("timeout") is not None and item is not IN_TURN and not form.writes:
                lane = coalescer.lane(self.service, self.method, kwargs["timeout"])
        except Exception:  # it makes no sense; made alone it says so where the result is asked for
            key, item = None, IN_TURN
        made = self.method, args, kwargs
        writes = coalescer.writes
        if form.writes:
            writes.note(lane.place, key)
        elif item is IN_TURN:
            return self.start(*made, origin)
        same = None if form.writes else item
        call = *origin, key, writes.count, item, same, weight, lane.place, made
        thunk = GreenThunk(coalescer, call)
        lane.enrol(thunk)
        return thunk

    def _entry(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """(key, what goes into the list of the bulk form, or IN_TURN)."""
        form = self.form
        if self.alone:
            return _MUST_GO_ALONE
        if form.entry is not None:
            given = {name: value for name, value in kwargs.items() if name != "timeout"}
            return getattr(self.service, form.entry)(*args, **given) or _MUST_GO_ALONE
        if kwargs:
            if kwargs.keys() - {form.argument, "timeout"}:
                return _MUST_GO_ALONE
            args = (*args, *(kwargs[name] for name in kwargs if name == form.argument))
        if len(args) != 1:
            return _MUST_GO_ALONE
        item = args[0]
        if form.key == form.argument:
            key = item
        elif not isinstance(item, dict) and not isinstance(item, Mapping):
            return _MUST_GO_ALONE
        elif form.key is None:
            return None, item
        else:
            key = item.get(self.member)
        return (key, item) if type(key) is str and key else _MUST_GO_ALONE


_MUST_GO_ALONE = None, IN_TURN
