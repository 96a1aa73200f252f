"""A lazy query on its way: it was sent, and its answer is looked at when somebody needs the result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionFailed
from .answers import refusal_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transport.things.connection import PacketConnection
    from ...transport.things.in_flight import Call
    from ...wire.things.packages import Package
    from .session import Session

__all__ = ["UnderwayQuery"]


class UnderwayQuery:
    """See `green.begun.Underway`.

    Args:
        session: makes the call again where that does no harm.
        connection, call: which was begun there.
        request: its kind and its packed body.
        deadline: the `time.monotonic()` until which to wait for the answer.
        idempotent: whether it may run twice.
        value_of: what the answer comes to.
    """

    __slots__ = (
        "_call", "_connection", "_deadline", "_given_up", "_idempotent", "_request", "_session", "_value_of"
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        connection: PacketConnection,
        call: Call,
        request: tuple[int, bytes],
        deadline: float | None,
        idempotent: bool,
        value_of: Callable[[Package], Any],
    ) -> None:
        self._session = session
        self._connection = connection
        self._call: Call | None = call  # None while it is made again
        self._request = request
        self._deadline = deadline
        self._idempotent = idempotent
        self._value_of = value_of
        self._given_up = False

    def hold(self, holder: object) -> None:
        """Keep `holder` alive until there is an answer, or none will come."""
        if self._call is not None:
            self._call.held = holder
            if self.arrived():
                self._call.held = None

    def arrived(self) -> bool:
        call = self._call
        return call is not None and (call.answer is not None or self._connection.closed)

    def wait(self, timeout: float | None) -> bool:
        call, deadline = self._call, self._deadline
        if call is None or call.answer is not None:
            return True
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            if timeout is None or left <= timeout:
                call.latch.wait(left)
                return True  # answered or too late: that is the result
        return call.latch.wait(timeout)

    def result(self) -> Any:
        call = self._call
        if call is None:
            error = ConnectionFailed(
                "the wait was interrupted while the request was made again; it may have run"
            )
            error.sent = True
            raise error
        session = self._session
        try:
            answer = self._connection.finish(call, self._deadline)
        except ConnectionFailed as error:
            if self._given_up or not session.may_repeat(error, self._idempotent):
                raise
            answer = self._again()
        else:
            refusal = refusal_in(answer)
            if refusal is not None:
                if self._given_up or not session.is_passing(refusal):
                    raise refusal
                answer = self._again()
        return self._value_of(answer)

    def give_up(self) -> None:
        self._given_up = True
        call = self._call
        if call is not None and call.answer is None:
            self._connection.give_up(call)

    def _again(self) -> Package:
        """Make the call as if for the first time. Interrupted in that, it is not made a third time."""
        self._call = None
        return self._session.complete(*self._request, self._deadline, idempotent=self._idempotent)[1]
