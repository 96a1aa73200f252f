"""What the platform refuses, as exceptions that carry the status of the answer.

The nouns raise these; only the application turns them into an envelope.
"""

from __future__ import annotations

from http import HTTPStatus


class Problem(Exception):
    """A request that cannot be answered as asked. `status` is the answer's, `message` its one error.

    `retry_after` is the number of seconds after which it may be made again; None says nothing about that.
    """

    status = 500
    retry_after: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def errors(self) -> list[str]:
        """What to tell the caller: the message, or what the status means."""
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
    """One caller asks for too much at the same time."""

    status = 429
    retry_after = 1


class Unavailable(Problem):
    """The platform cannot do it right now: the disk is full, another process holds the file."""

    status = 503
