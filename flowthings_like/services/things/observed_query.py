"""ObservedQuery: a lazy query that was sent, of whose end observers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import CallCancelled
from ...telemetry.observers import end

if TYPE_CHECKING:
    from ...telemetry.event import CallEvent
    from .query_future import QueryFuture

__all__ = ["ObservedQuery"]


class ObservedQuery:
    """A `QueryFuture` with an event, which ends when the answer has come.

    The end is told when the result is asked for, because no thread waits for the answer before.
    """

    __slots__ = ("_event", "_sent")

    def __init__(self, sent: QueryFuture, event: CallEvent) -> None:
        self._sent = sent
        self._event = event

    def hold(self, holder: object) -> None:
        self._sent.hold(holder)

    def arrived(self) -> bool:
        return self._sent.arrived()

    def wait(self, timeout: float | None) -> bool:
        return self._sent.wait(timeout)

    def result(self) -> Any:
        at = self._sent.answered_at()
        try:
            value = self._sent.result()
        except Exception as error:  # an interrupted one may be asked again
            end(self._event, error, at)
            raise
        end(self._event, None, at)
        return value

    def give_up(self) -> None:
        self._sent.give_up()
        if not self._sent.arrived():
            end(self._event, CallCancelled("the call was given up"))
