"""QueryFuture: a lazy query that was sent. Whoever needs its result waits for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionFailed
from ...transport.outgoing_values import to_send
from ...wire.things.values import pack
from .answers import error_in

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from ...transport.things.in_flight import Call
    from ...wire.things.packages import Package
    from .session import Session

__all__ = ["QueryFuture"]


class QueryFuture:
    """A request that was sent, and that has no thread of its own: an `SentCall` of `lazy()`.

    Args:
        session: repeats the request where that does no harm.
        connection: sends it.
        kind, body: the request, packed.
        deadline: the `time.monotonic()` until which to wait for the answer.
        idempotent: whether it may run twice.
        value_of: computes the result from the answer.
    """

    __slots__ = (
        *("_body", "_call", "_connection", "_deadline", "_idempotent", "_is_cancelled", "_kind", "_session"),
        "_value_of",
    )

    @classmethod
    def send(
        cls,
        session: Session,
        kind: int,
        content: Any,
        deadline: float | None,
        idempotent: bool,
        value_of: Callable[[Package], Any],
    ) -> QueryFuture | None:
        """Send a request. Returns None if there is no connection right now, because it would have to wait.

        Args:
            content: is packed, with the values of the thunks in it.
        """
        connection = session.current
        if connection is None:
            return None
        return cls(session, connection, kind, pack(content, to_send), deadline, idempotent, value_of)

    def __init__(
        self,
        session: Session,
        connection: PacketConnection,
        kind: int,
        body: bytes,
        deadline: float | None,
        idempotent: bool,
        value_of: Callable[[Package], Any],
    ) -> None:
        self._session = session
        self._connection = connection
        self._kind = kind
        self._body = body
        self._deadline = deadline
        self._idempotent = idempotent
        self._value_of = value_of
        self._is_cancelled = False
        self._call: Call | None = connection.submit(kind, body)  # None while the request is repeated

    def hold(self, holder: object) -> None:
        """Keep `holder` alive until there is an answer, or none will come."""
        if self._call is not None:
            self._call.held = holder
            if self.arrived():
                self._call.held = None

    def arrived(self) -> bool:
        call = self._call
        return call is not None and (call.answer is not None or self._connection.closed)

    def answered_at(self) -> float | None:
        """When the answer came, by `time.monotonic()`; None if it has not come."""
        return None if self._call is None else self._call.answered_at

    def wait(self, timeout: float | None) -> bool:
        call, deadline = self._call, self._deadline
        if call is None or call.answer is not None:
            return True
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
            if timeout is None or left <= timeout:
                call.event.wait(left)
                return True  # answered or too late: that is the result
        return call.event.wait(timeout)

    def result(self) -> Any:
        call = self._call
        if call is None:
            error = ConnectionFailed(
                "the wait was interrupted while the request was repeated; it may have run"
            )
            error.sent = True
            raise error
        session = self._session
        try:
            answer = self._connection.result(call, self._deadline)
        except ConnectionFailed as error:
            if self._is_cancelled or not session.may_repeat(error, self._idempotent):
                raise
            answer = self._repeat()
        else:
            refusal = error_in(answer)
            if refusal is not None:
                if self._is_cancelled or not session.is_temporary(refusal):
                    raise refusal
                answer = self._repeat()
        return self._value_of(answer)

    def give_up(self) -> None:
        self._is_cancelled = True
        call = self._call
        if call is not None and call.answer is None:
            self._connection.cancel(call)

    def _repeat(self) -> Package:
        """Make the request again. If that is interrupted, it is not made a third time."""
        self._call = None
        return self._session.request_packed(
            self._kind, self._body, self._deadline, idempotent=self._idempotent
        )[1]
