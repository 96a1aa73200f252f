"""The exceptions for the statuses of answers: of `raise_for_status()`, and of channels with `strict=True`."""

from __future__ import annotations

from ...errors import ConnectionFailed, FlowThingsError, InvalidResponse, ResponseTooLarge
from ...wire.tstorage.status import ResponseStatus

__all__ = ["Disconnected", "NoMemory", "RecordsError", "UnparseableEntity", "error_of"]


class RecordsError(FlowThingsError):
    """A call on a channel failed. As this class itself: the server refused it, or nothing could be connected.

    Attributes:
        status: the status of the answer.
    """

    status: int = ResponseStatus.ERROR


class Disconnected(RecordsError, ConnectionFailed):
    """The channel is not connected, or the connection broke before the answer was complete."""


class UnparseableEntity(RecordsError, InvalidResponse):
    """A record cannot be sent or read. See the status UNPARSEABLE_ENTITY of each call."""


class NoMemory(RecordsError, ResponseTooLarge):
    """The answer has more bytes than the channel's memory_limit."""


_CLASSES: dict[int, type[RecordsError]] = {
    ResponseStatus.DISCONNECTED: Disconnected,
    ResponseStatus.UNPARSEABLE_ENTITY: UnparseableEntity,
    ResponseStatus.NO_MEMORY: NoMemory,
}


def error_of(status: int, reason: str) -> RecordsError:
    """The exception for a status.

    Args:
        status: not OK.
        reason: what went wrong, a sentence.
    """
    name = status.name if isinstance(status, ResponseStatus) else str(int(status))
    error = _CLASSES.get(status, RecordsError)(f"{reason} ({name})" if reason else name)
    error.status = status
    return error
