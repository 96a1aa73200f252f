"""Problems: exceptions that carry the status of the response that reports them.

Any module of the platform raises them. The HTTP front turns them into envelopes.
"""

from __future__ import annotations

from http import HTTPStatus


class Problem(Exception):
    """A request that cannot be served. `status` is the response's, `message` its one error.

    `retry_after` is the number of seconds after which a retry may succeed; None if that is not known.
    """

    status = 500
    retry_after: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def errors(self) -> list[str]:
        """The message as the list that a response holds; without one, the phrase of the status."""
        status = HTTPStatus(self.status)
        return [self.message or f"{status.value} {status.phrase}"]


class BadRequest(Problem):
    status = 400


class Unauthorized(Problem):
    status = 401


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class MethodNotAllowed(Problem):
    """`allowed` lists the methods that the path knows, for the Allow header."""

    status = 405

    def __init__(self, message: str, allowed: list[str]) -> None:
        super().__init__(message)
        self.allowed = allowed


class RequestTimeout(Problem):
    status = 408


class TooLarge(Problem):
    status = 413


class TooManyRequests(Problem):
    """One caller makes too many requests at the same time."""

    status = 429
    retry_after = 1


class Unavailable(Problem):
    """The platform cannot do it now: the disk is full, or another process holds the file."""

    status = 503
