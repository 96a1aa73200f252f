"""Observers, and the functions with which the services tell them of calls.

A service looks whether `observers` is empty before it does anything else for them:

    if observers:
        with Observed(Family.HTTP, operation, host) as event:
            return self._call(request, event)
    return self._call(request, None)
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import CallCancelled
from .event import CallEvent, Family, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Token
    from types import TracebackType

__all__ = [
    "BulkRequest",
    "Carrying",
    "Observed",
    "Observer",
    "SingleCall",
    "Subscription",
    "begin",
    "end",
    "observed_items",
    "observers",
    "subscribe",
]  # fmt: skip

T = TypeVar("T")

_log = logging.getLogger("flowthings_like")


class Observer(Protocol):
    """What is told of calls. Its methods run in the thread of the call, and must not wait for anything."""

    def call_began(self, event: CallEvent) -> None:
        """A call begins. `event.headers` may be filled."""

    def call_ended(self, event: CallEvent) -> None:
        """A call has ended. The event does not change any more."""


class Subscription:
    """Tells one observer of calls until it is closed."""

    __slots__ = ()

    def close(self) -> None:
        """Tell the observer nothing more, not even the end of calls that run. More calls do nothing."""
        observers.pop(self, None)


class _AtEnd:
    """The observer that a function is."""

    def __init__(self, function: Callable[[CallEvent], object]) -> None:
        self._function = function

    def call_began(self, event: CallEvent) -> None:
        pass

    def call_ended(self, event: CallEvent) -> None:
        self._function(event)


observers: dict[Subscription, Observer] = {}
"""The observers. Each change is one step, so it needs no lock."""

_carrier: ContextVar[SingleCall | BulkRequest | None] = ContextVar("flowthings_like_carrier", default=None)


def subscribe(observer: Observer | Callable[[CallEvent], object]) -> Subscription:
    """Tell an observer of all calls of this process from now on.

    An exception of an observer is logged; the call goes on.

    Args:
        observer: an `Observer`, or a function, which gets the event of each call when that has ended.
    """
    subscription = Subscription()
    told: Any = observer if hasattr(observer, "call_ended") else _AtEnd(observer)
    observers[subscription] = told
    return subscription


def begin(family: Family, operation: str, host: str = "", *, is_block: bool = False) -> CallEvent:
    """Make the event of a call that begins now, and tell the observers. `end` has to follow."""
    host = host.rpartition("@")[2]  # never a password
    event = CallEvent(family, operation, host, time.time(), time.monotonic(), is_block)
    for observer in tuple(observers.values()):
        try:
            observer.call_began(event)
        except Exception:
            _log.exception("an observer of calls failed")
    return event


def end(event: CallEvent, error: BaseException | None = None, at: float | None = None) -> None:
    """The call has ended. It counts once.

    Args:
        error: what it raised.
        at: when it ended, by `time.monotonic()`; None for now.
    """
    try:
        del event.untold  # one thread can do this, and tells the end
    except AttributeError:
        return
    if event.batch is not None:
        event.host = event.batch.host
    event.seconds = (time.monotonic() if at is None else at) - event.started
    if error is None:
        event.outcome = Outcome.FAILED if event.error else Outcome.OK
    else:
        gave_up = isinstance(error, CallCancelled) or not isinstance(error, Exception)
        event.outcome = Outcome.CANCELLED if gave_up else Outcome.FAILED
        event.error = type(error).__name__
        status, attempts = getattr(error, "status", None), getattr(error, "attempts", None)
        if type(status) is int:
            event.status = status
        if type(attempts) is int:
            event.attempts = attempts
    for observer in tuple(observers.values()):
        try:
            observer.call_ended(event)
        except Exception:
            _log.exception("an observer of calls failed")


class Observed:
    """The event of one call for the length of a `with` block.

    Within a `SingleCall` the event is that of the single call, which its own thread ends. Within a
    `BulkRequest` the event is the request that the calls have as their batch.
    """

    __slots__ = ("_event", "_is_own")

    def __init__(self, family: Family, operation: str, host: str = "", *, is_block: bool = False) -> None:
        carrier = _carrier.get()
        taken = carrier.take(family, host) if isinstance(carrier, SingleCall) else None
        self._is_own = taken is None
        self._event = taken or begin(family, operation, host, is_block=is_block)
        if isinstance(carrier, BulkRequest):
            carrier.carried_by(self._event)

    def __enter__(self) -> CallEvent:
        return self._event

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_own:
            end(self._event, error)


def observed_items(family: Family, operation: str, host: str, items: Iterator[T]) -> Iterator[T]:
    """The items of a call, whose event lasts from when the first one is asked for until the last one is read.

    A caller that takes no more items has not failed.
    """
    event = begin(family, operation, host)
    failure: BaseException | None = None
    try:
        yield from items
    except GeneratorExit:
        raise
    except BaseException as error:
        failure = error
        raise
    finally:
        end(event, failure)
        del failure  # its frames refer to this one


class SingleCall:
    """A call that has an event already, and is about to be made by itself."""

    __slots__ = ("_event", "_is_taken")

    def __init__(self, event: CallEvent) -> None:
        self._event = event
        self._is_taken = False

    def take(self, family: Family, host: str) -> CallEvent | None:
        """The event, for the first request of the call; None for further ones."""
        if self._is_taken:
            return None
        self._is_taken = True
        self._event.family, self._event.host = family, host.rpartition("@")[2]
        return self._event


class BulkRequest:
    """Calls that are about to be made in one bulk request."""

    __slots__ = ("_calls", "_count")

    def __init__(self, calls: list[CallEvent], count: int) -> None:
        self._calls = calls
        self._count = count

    def carried_by(self, event: CallEvent) -> None:
        """This request carries the calls."""
        event.calls = self._count
        for call in self._calls:
            call.batch, call.family = event, event.family


class Carrying:
    """For the length of a `with` block, the requests of this thread are those of a carrier."""

    __slots__ = ("_carrier", "_token")

    def __init__(self, carrier: SingleCall | BulkRequest) -> None:
        self._carrier = carrier
        self._token: Token[SingleCall | BulkRequest | None] | None = None

    def __enter__(self) -> None:
        self._token = _carrier.set(self._carrier)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _carrier.reset(self._token)
