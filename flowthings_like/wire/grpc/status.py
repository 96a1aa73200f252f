"""gRPC's status codes, and the error that a call fails with."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ...errors import FlowThingsError

__all__ = ["GrpcError", "StatusCode"]


class StatusCode(IntEnum):
    """How a call has ended, as the trailer `grpc-status` says it."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class GrpcError(FlowThingsError):
    """A call has ended with a status other than OK.

    A client raises it with the server's status. A handler raises it to end its call with this status.

    Attributes:
        code: the status, usually a `StatusCode`; an int if gRPC does not know it.
        message: what the server says about it; may be empty.
        method: the call's method, such as "/v5api.BTrDB/Insert"; empty in a handler.
        retryable: whether the same call may succeed if it is made again: the status is UNAVAILABLE.
    """

    def __init__(self, code: int, message: str = "", method: str = "") -> None:
        self.code = int(code)
        self.message = message
        self.method = method
        self.retryable = self.code == StatusCode.UNAVAILABLE
        said = f"{self.name}: {message}" if message else self.name
        super().__init__(f"{method}: {said}" if method else said)

    @property
    def name(self) -> str:
        """The status by name, such as "UNAVAILABLE"."""
        try:
            return StatusCode(self.code).name
        except ValueError:
            return f"status {self.code}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.message, self.method), {"attempts": self.attempts}
