"""The statuses of responses, and the codes of a server's replies."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ResponseStatus"]


class ResponseStatus(IntEnum):
    """How a call has ended. It is true only if it is OK.

    The numbers from 128 on are the client's own. A server answers with OK or ERROR; it may have other
    negative codes, which are ERROR here and kept as a number beside it.
    """

    OK = 0
    ERROR = -1
    """The server has refused or failed to do it, or there is no connection to be opened or closed."""
    DISCONNECTED = 128
    """The connection was never opened, or it has ended before the reply did."""
    BAD_REQUEST = 129
    """The server has refused a GET before it sent any record."""
    UNPARSEABLE_ENTITY = 130
    """The server has sent what is no reply, or a payload that the payload type refuses."""
    NO_MEMORY = 131
    """The reply is larger than the memory limit."""

    def is_ok(self) -> bool:
        """Whether it is no error."""
        return self is ResponseStatus.OK

    def __bool__(self) -> bool:
        return self is ResponseStatus.OK
