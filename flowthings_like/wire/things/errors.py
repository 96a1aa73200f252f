"""The errors that a ThingsDB node answers with, each by its own name.

Several have the name of a Python builtin and are one as well, so `except LookupError` catches the node's too:

    from flowthings_like.things import things_errors

    try:
        api.things.query(".missing")
    except things_errors.LookupError as error:
        print(error.error_code, error)          # -54 …

Some are raised here, before anything is sent, where the node could only have answered the same.
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
    """The root of what a node answers with; its text is the node's message.

    Attributes:
        error_code: the number that the protocol has for it, negative; 0 if it has none.
    """

    error_code: int = 0


class CancelledError(ThingsDBError):
    """The operation was cancelled before it was done. It is not asyncio's error of this name, which hides
    from `except Exception`."""

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
    """The right type with a value that is not allowed; a malformed scope, too."""

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
    """The code does not parse. It is no builtin SyntaxError, which is about Python source."""

    error_code = -52


class NodeError(ThingsDBError):
    """The node cannot serve now. Nothing was run, so the same request may be made again."""

    error_code = -51
    retryable = True


class AssertionError(ThingsDBError, builtins.AssertionError):
    """An `assert` in the code failed."""

    error_code = -50


class ResultTooLargeError(ThingsDBError):
    """The result is larger than the node's limit."""

    error_code = -6


class RequestTimeoutError(ThingsDBError):
    """A node waited for another one in vain. It is not about the deadline of the call."""

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
    """Raised by the code itself, with a code of its own: -127 to -100, which is also what is left to `raise`
    with nothing but a text."""

    error_code = -100


_BY_CODE: dict[int, type[ThingsDBError]] = {
    cls.error_code: cls for cls in ThingsDBError.__subclasses__() if cls is not CustomError
}


def error_from(code: int, message: str) -> ThingsDBError:
    """The exception for an answer's code and message; CustomError for a code that has no name."""
    cls = _BY_CODE.get(code)
    if cls is not None:
        return cls(message)
    error = CustomError(message)
    error.error_code = code
    return error
