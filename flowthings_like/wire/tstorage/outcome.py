"""How a reply has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .status import ResponseStatus

__all__ = ["Completed", "Failed", "Malformed", "Outcome"]


@dataclass(frozen=True, slots=True)
class Completed:
    """The reply has come whole, and the server has done what was asked.

    Attributes:
        acq: GET and GETACQ: records with a lower acq do not change any more. PUT: the lowest acq that was
            assigned.
        acq_max: PUT: the highest acq that was assigned; otherwise as `acq`.
    """

    acq: int
    acq_max: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The server has refused or failed to do it, and closes the connection.

    Attributes:
        status: BAD_REQUEST for a GET that was refused before any record; otherwise ERROR.
        code: the server's own.
    """

    status: ResponseStatus
    code: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """What came is not the protocol. Nothing after it can be read, so the connection has to be closed.

    Attributes:
        reason: what is wrong with it.
    """

    reason: str


Outcome = Completed | Failed | Malformed
