"""A session for a client in the same process: without a socket and without a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.live import NORMAL
from .outgoing import Ending

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Channel"]


class Channel:
    """What a client in this process sends to and receives from.

    Args:
        session: the platform's end.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def send(self, text: bytes) -> None:
        """Send a message. It has been handled when this returns; the reply is received like any message."""
        self._session.receive(text)

    def receive(self, seconds: float) -> list[bytes]:
        """Wait for messages, for so long at most. Returns them in order.

        Raises:
            ConnectionResetError: the platform has ended the session.
        """
        batches = self._session.output(seconds)
        ending = self._session.outgoing.ending
        if ending is not None and not batches:
            raise ConnectionResetError(ending.reason)
        return [text for batch in batches for text in batch.texts]

    def abandon(self) -> None:
        """End the session without a lock: it may be called by the garbage collector. The feed does the
        rest."""
        self._session.outgoing.ending = Ending(NORMAL, "the client was abandoned")

    def close(self) -> None:
        """End the session. A thread that receives is woken. More calls do nothing."""
        self._session.end(NORMAL, "the client has closed the session")
