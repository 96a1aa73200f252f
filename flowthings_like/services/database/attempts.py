"""Makes a call with a connection of the pool, and again if the connection was lost and that does no harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ...green.future import CapturedException
from ...telemetry.event import Family
from ...telemetry.observers import Observed, observers
from ...transport.database.session import State
from .connections import Checkout

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...telemetry.event import CallEvent
    from ...transport.database.session import Session
    from .connections import Connections

__all__ = ["run"]

T = TypeVar("T")


def run(connections: Connections, what: str, body: Callable[[Session], T], idempotent: bool) -> T:
    """Make a call.

    Args:
        what: the call, such as "run_query" or "run_interaction(transfer)", for messages.
        body: the call, with a session.
        idempotent: whether it may be made again if its connection was lost after something was sent.
    """
    if observers:
        operation, _, interaction = what.partition("(")
        with Observed(Family.DATABASE, operation, connections.host, is_block=bool(interaction)) as event:
            return _run(connections, what, body, idempotent, event)
    return _run(connections, what, body, idempotent, None)


def _run(
    connections: Connections,
    what: str,
    body: Callable[[Session], T],
    idempotent: bool,
    event: CallEvent | None,
) -> T:
    attempt = _attempt(connections, what, body, fresh=False)
    if attempt.failure is not None:
        if attempt.lost and (idempotent or (attempt.reused and not attempt.sent)):
            if event is not None:
                event.attempts = 2
            attempt = _attempt(connections, what, body, fresh=True)
        if attempt.failure is not None:
            attempt.failure.again()
    value: T = attempt.value
    return value


@dataclass(frozen=True)
class _Attempt:
    """How a call ended.

    Attributes:
        value: what it returned.
        failure: the exception; None if there was none.
        lost: whether the connection was lost, or found closed.
        reused: whether the connection had been used before.
        sent: whether anything was sent.
    """

    value: Any = None
    failure: CapturedException | None = None
    lost: bool = False
    reused: bool = False
    sent: bool = False


def _attempt(connections: Connections, what: str, body: Callable[[Session], Any], fresh: bool) -> _Attempt:
    checkout = Checkout(connections, what, fresh)
    with checkout as session:
        try:
            value = body(session)
        except Exception as error:
            is_loss = isinstance(error, connections.driver.errors)
            return _Attempt(
                failure=CapturedException.caught(error),
                lost=is_loss and session.state is State.BROKEN,
                reused=checkout.reused,
                sent=session.exchanges > 0,
            )
        return _Attempt(value)
