"""Turns the status of an answer into an exception."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.message import DecodeError

from ...errors import InvalidResponse
from .errors import (
    AmbiguousStream,
    BadSQLValue,
    BadValue,
    BTrDBError,
    BTRDBServerError,
    InvalidCollection,
    InvalidPointWidth,
    InvalidTagKey,
    InvalidTagValue,
    InvalidTimeRange,
    NoSuchPoint,
    NotSupported,
    PermissionDenied,
    RecycledUUID,
    StreamExists,
    StreamNotFoundError,
    VersionNotAvailable,
)

__all__ = ["INSERT_TOO_BIG", "RETRYABLE", "check", "error_from", "error_from_text", "read"]

INSERT_TOO_BIG = 414
"""The code for an insert with more points than the server takes at once."""

RETRYABLE = frozenset({405, 419, 426})
"""The codes after which the same call may succeed: wrong endpoint, cluster degraded, resources depleted."""

_CLASSES: dict[int, type[BTrDBError]] = {
    401: NoSuchPoint,
    404: StreamNotFoundError,
    406: AmbiguousStream,  # version 4's number for it
    407: InvalidCollection,
    408: InvalidTagKey,
    409: InvalidTagValue,
    413: InvalidTimeRange,
    415: InvalidPointWidth,
    417: StreamExists,
    418: AmbiguousStream,
    425: BadValue,
    429: RecycledUUID,
    437: PermissionDenied,
    441: BadSQLValue,
    450: VersionNotAvailable,
    501: NotSupported,
}
_SERVER_ERRORS = frozenset(
    {402, 403, 405, 414, 421, 423, 424, 426, 427, 431, 432, 433, 434, 438, 440, *range(452, 460), 500, 502}
)
_CODE_IN_TEXT = re.compile(r"\[(\d{3})\]\s*(.*)", re.DOTALL)
_LONGEST_TEXT = 500


def error_from(code: int, message: str) -> BTrDBError:
    """The exception for a status: of the class for its code, with the server's message as its text."""
    cls = _CLASSES.get(code) or (BTRDBServerError if code in _SERVER_ERRORS else BTrDBError)
    said = message[:_LONGEST_TEXT] or "the server gave no reason"
    error = cls(said if cls is not BTRDBServerError else f"{code}: {said}")
    error.code = code
    error.retryable = code in RETRYABLE
    return error


def error_from_text(text: str) -> BTrDBError | None:
    """The exception for the text of a gRPC error that begins with a code, as "[404] stream does not exist".
    None if it begins with something else."""
    found = _CODE_IN_TEXT.match(text)
    return None if found is None else error_from(int(found[1]), found[2])


def check(answer: Any) -> None:
    """Raise the exception for an answer's status, unless the call succeeded.

    Raises:
        BTrDBError: it did not.
    """
    code = answer.stat.code
    if code:
        raise error_from(code, answer.stat.msg)


def read(cls: Any, data: bytes) -> Any:
    """Parse an answer of a message class, and check its status.

    Raises:
        BTrDBError: the call did not succeed.
        InvalidResponse: the data are not such a message.
    """
    try:
        answer = cls.FromString(data)
    except DecodeError:
        raise InvalidResponse(f"the server's answer is not a {cls.DESCRIPTOR.name}") from None
    check(answer)
    return answer
