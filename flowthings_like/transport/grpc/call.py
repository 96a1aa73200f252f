"""One call on a connection, as its caller and the connection share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.grpc.client import ClientCall

if TYPE_CHECKING:
    from ...green.future import OneShotEvent
    from ...wire.grpc.metadata import Header

__all__ = ["Call"]


class Call(ClientCall):
    """One call.

    Attributes:
        is_unary: whether its caller waits for its end, and not for each message.
        event: set when there is something that its caller waits for; a one-shot event.
        sent: whether some of its bytes may have reached the server.
        cancelled: whether nobody waits for it any more.
    """

    __slots__ = ("cancelled", "event", "is_unary", "sent")

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
