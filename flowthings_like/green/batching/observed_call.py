"""A call of which observers are told: from when it is made until it has its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowthings_like.telemetry.event import Family
from flowthings_like.telemetry.observers import begin, end

from ..future import Failure
from .queue import Call

if TYPE_CHECKING:
    from typing import Any

    from flowthings_like.telemetry.event import CallEvent

    from ..future import Future

__all__ = ["ObservedCall", "tell_shared"]


class ObservedCall(Call):
    """A `Call` with an event, which ends when the result is set.

    Attributes:
        sharers: the events of equal calls that share this one's result.
    """

    __slots__ = ("event", "sharers")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sharers: list[CallEvent] = []
        service = type(getattr(self.method, "__self__", None))
        family = getattr(service, "__api_family__", Family.HTTP)
        # The host is known when there is a request.
        self.event = begin(family, f"{service.__name__}.{self.method.__name__}")

    def set_result(self, value: Any) -> None:
        """The call returned this, or failed. It counts unless there is a result already."""
        super().set_result(value)
        if self.event is not None:  # it is, if `begin` was interrupted
            end(self.event, _error(self))
        self.end_sharers()

    def end_sharers(self) -> None:
        """End the events of the calls that share the result, which is there."""
        for event in tuple(self.sharers):
            own = self.event
            if own is not None:
                event.family, event.host, event.status = own.family, own.host, own.status
                event.attempts, event.batch = own.attempts, own.batch or own
            end(event, _error(self))


def tell_shared(call: Call, future: Future) -> None:
    """The call has no request of its own: it shares the future of an equal one."""
    event = call.event
    if event is None or future is call:
        return
    if not isinstance(future, ObservedCall):  # it began when there were no observers
        end(event)
        return
    future.sharers.append(event)
    if future.done():
        future.end_sharers()


def _error(future: Future) -> BaseException | None:
    outcome = future._outcome
    return outcome.error if type(outcome) is Failure else None
