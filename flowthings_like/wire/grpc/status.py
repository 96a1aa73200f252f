"""gRPC's status codes, the error that a call fails with, and how HTTP's own failures translate to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from ...errors import FlowThingsError

__all__ = [
    "OK",
    "GrpcError",
    "Status",
    "StatusCode",
    "http_status",
    "read_status",
    "reset_status",
    "status_headers",
]

MAX_MESSAGE = 4096
"""Characters of a status message that are sent, or kept of what was received."""

# RFC 3986 leaves these alone, and so does gRPC: all that can be seen, but not "%".
_SAFE = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


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


@dataclass(frozen=True)
class Status:
    """The end of a call.

    Attributes:
        code: usually a `StatusCode`; another int if gRPC does not know it.
        message: what is said about it; may be empty.
        refused: whether the server has certainly not begun the call, so that it can be made again.
    """

    code: int
    message: str = ""
    refused: bool = False


OK = Status(StatusCode.OK)


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


_BY_HTTP_STATUS = {
    b"400": StatusCode.INTERNAL,
    b"401": StatusCode.UNAUTHENTICATED,
    b"403": StatusCode.PERMISSION_DENIED,
    b"404": StatusCode.UNIMPLEMENTED,
    b"429": StatusCode.UNAVAILABLE,
    b"502": StatusCode.UNAVAILABLE,
    b"503": StatusCode.UNAVAILABLE,
    b"504": StatusCode.UNAVAILABLE,
}
"""What a proxy or a web server means that answers in the place of a gRPC server."""

_REFUSED_STREAM = 7
_BY_RESET = {
    _REFUSED_STREAM: StatusCode.UNAVAILABLE,
    8: StatusCode.CANCELLED,  # CANCEL
    11: StatusCode.RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    12: StatusCode.PERMISSION_DENIED,  # INADEQUATE_SECURITY
}
"""HTTP/2's error codes; those that are not here mean INTERNAL."""


def read_status(headers: Mapping[bytes, bytes]) -> Status:
    """The status that trailers carry, or the headers of an answer that consists of nothing else."""
    code = headers.get(b"grpc-status")
    if code is None:
        return http_status(headers)
    if code == b"0":
        return OK
    if not code.isdigit() or len(code) > 9:
        return Status(StatusCode.UNKNOWN, f"a status that is no number: {code[:20].decode('latin-1')}")
    return Status(int(code), _decode(headers.get(b"grpc-message", b"")))


def http_status(headers: Mapping[bytes, bytes]) -> Status:
    """The status that an answer stands for which is none of gRPC."""
    code = headers.get(b":status", b"200")
    if code != b"200":
        known = _BY_HTTP_STATUS.get(code, StatusCode.UNKNOWN)
        return Status(known, f"HTTP status {code[:20].decode('latin-1')}")
    content = headers.get(b"content-type", b"")[:100].decode("latin-1")
    return Status(StatusCode.UNKNOWN, f"the call ended without a status, content type {content!r}")


def reset_status(error_code: int) -> Status:
    """The status that a reset of the stream stands for."""
    known = _BY_RESET.get(error_code, StatusCode.INTERNAL)
    return Status(
        known, f"the stream was reset, HTTP/2 error code {error_code}", error_code == _REFUSED_STREAM
    )


def status_headers(status: Status) -> list[tuple[bytes, bytes]]:
    """The trailers that carry a status."""
    headers = [(b"grpc-status", b"%d" % status.code)]
    if status.message:
        headers.append((b"grpc-message", quote(status.message[:MAX_MESSAGE], safe=_SAFE).encode()))
    return headers


def _decode(message: bytes) -> str:
    return unquote_to_bytes(message).decode("utf-8", "replace")[:MAX_MESSAGE]
