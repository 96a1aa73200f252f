"""One call on a connection, as its caller and the connection share it.

The caller holds a `Handle` and nothing else does. A caller that is interrupted cancels its call; if another
interrupt comes just then, the handle is gone all the same, and that cancels the call, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from ...wire.grpc.client import ClientCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...green.future import OneShotEvent
    from ...wire.grpc.metadata import Header

__all__ = ["Call", "Dropped", "Handle"]


class Call(ClientCall):
    """One call.

    Attributes:
        is_unary: whether its caller waits for its end, and not for each message.
        event: set when there is something that its caller waits for; a one-shot event.
        sent: whether some of its bytes may have reached the server.
        cancelled: whether nobody waits for it any more.
        dropped: tells when its handle is gone; None once that does not matter.
    """

    __slots__ = ("cancelled", "dropped", "event", "is_unary", "sent")

    dropped: Dropped | None

    def __init__(
        self,
        headers: list[Header],
        request: bytes,
        limit: int,
        event: OneShotEvent,
        *,
        is_unary: bool,
        is_compressed: bool = False,
    ) -> None:
        super().__init__(headers, request, limit, is_compressed=is_compressed)
        self.is_unary = is_unary
        self.event = event
        self.sent = False
        self.cancelled = False

    @property
    def is_due(self) -> bool:
        """Whether there is what its caller waits for: a message, or its end."""
        return self.status is not None or (bool(self.messages) and not self.is_unary)


class Handle:
    """A caller's hold on its call.

    Args:
        call: the call.
        on_drop: called with a `Dropped` when the handle is gone. It must be C code, which no signal can
            interrupt.
    """

    __slots__ = ("__weakref__", "call")

    def __init__(self, call: Call, on_drop: Callable[[Dropped], object]) -> None:
        self.call = call
        call.dropped = Dropped(self, on_drop)
        call.dropped.call = call


class Dropped(ref[Handle]):
    """Says of which call the handle is gone."""

    __slots__ = ("call",)

    call: Call
