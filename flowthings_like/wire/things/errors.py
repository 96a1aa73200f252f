"""The errors of ThingsDB, each under its own name.

Several have the name of a Python builtin and derive from it, so that `except LookupError` catches both:

    from flowthings_like.things import things_errors

    try:
        api.things.query(".missing")
    except things_errors.LookupError as error:
        print(error.error_code, error)          # -54 …

Some are raised by the client before anything is sent, if the node could only answer with the same error.
"""

from __future__ import annotations

import builtins

from ...errors import FlowThingsError

__all__ = [
    "AssertionError",
    "AuthError",
    "BadDataError",
    "CancelledError",
    "CustomError",
    "ForbiddenError",
    "InternalError",
    "LookupError",
    "MaxQuotaError",
    "MemoryError",
    "NodeError",
    "NumArgumentsError",
    "OperationError",
    "OverflowError",
    "RequestCancelError",
    "RequestTimeoutError",
    "ResultTooLargeError",
    "SyntaxError",
    "ThingsDBError",
    "TypeError",
    "ValueError",
    "WriteUVError",
    "ZeroDivisionError",
    "error_from",
]


class ThingsDBError(FlowThingsError):
    """The base of all errors that a node answers with. Its text is the node's message.

    Attributes:
        error_code: its number in the protocol, which is negative; 0 if it has none.
    """

    error_code: int = 0


class CancelledError(ThingsDBError):
    """The operation was cancelled. This is not asyncio's error of the same name, which `except Exception`
    does not catch."""

    error_code = -64


class OperationError(ThingsDBError):
    """The operation is not valid in this context."""

    error_code = -63


class NumArgumentsError(ThingsDBError):
    """A function was called with a wrong number of arguments."""

    error_code = -62


class TypeError(ThingsDBError, builtins.TypeError):
    """A value of the wrong type."""

    error_code = -61


class ValueError(ThingsDBError, builtins.ValueError):
    """A value that is not allowed, or a malformed scope."""

    error_code = -60


class OverflowError(ThingsDBError, builtins.OverflowError):
    """An integer that does not fit 64 bits with a sign."""

    error_code = -59


class ZeroDivisionError(ThingsDBError, builtins.ZeroDivisionError):
    """Division or modulo by zero."""

    error_code = -58


class MaxQuotaError(ThingsDBError):
    """A quota is reached."""

    error_code = -57


class AuthError(ThingsDBError):
    """The credentials are wrong or expired, or none were given yet."""

    error_code = -56


class ForbiddenError(ThingsDBError):
    """The user lacks a privilege, or the room is not on the user's list."""

    error_code = -55


class LookupError(ThingsDBError, builtins.LookupError):
    """There is no such name, id, index, collection, node or procedure."""

    error_code = -54


class BadDataError(ThingsDBError):
    """A malformed request."""

    error_code = -53


class SyntaxError(ThingsDBError):
    """The code has a syntax error. It does not derive from Python's SyntaxError, which is about Python
    source."""

    error_code = -52


class NodeError(ThingsDBError):
    """The node is not ready. Nothing was run, so the request can be repeated."""

    error_code = -51
    retryable = True


class AssertionError(ThingsDBError, builtins.AssertionError):
    """An `assert` in the code failed."""

    error_code = -50


class ResultTooLargeError(ThingsDBError):
    """The result is larger than the node's limit."""

    error_code = -6


class RequestTimeoutError(ThingsDBError):
    """A node got no answer from another node in time. This is not about the deadline of the call."""

    error_code = -5


class RequestCancelError(ThingsDBError):
    """The request was cancelled inside the node."""

    error_code = -4


class WriteUVError(ThingsDBError):
    """The node could not write to a socket."""

    error_code = -3


class MemoryError(ThingsDBError, builtins.MemoryError):
    """The node ran out of memory."""

    error_code = -2


class InternalError(ThingsDBError):
    """The node failed in a way that it did not expect."""

    error_code = -1


class CustomError(ThingsDBError):
    """Raised by the code itself, with a number from -127 to -100; `raise` with only a text has -100."""

    error_code = -100


_BY_CODE: dict[int, type[ThingsDBError]] = {
    cls.error_code: cls for cls in ThingsDBError.__subclasses__() if cls is not CustomError
}


def error_from(code: int, message: str) -> ThingsDBError:
    """Make the exception for an error code. It is a CustomError if the code has no name."""
    cls = _BY_CODE.get(code)
    if cls is not None:
        return cls(message)
    error = CustomError(message)
    error.error_code = code
    return error
