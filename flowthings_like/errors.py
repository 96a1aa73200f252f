"""The exceptions of this library, in one tree.

    FlowThingsError
    ├── FlowThingsException          a platform answered with an error
    │   ├── FlowThingsBadRequest     400
    │   ├── FlowThingsForbidden      403
    │   │   └── FlowThingsUnauthorized   401
    │   ├── FlowThingsNotFound       404
    │   ├── FlowThingsTooLarge       413
    │   ├── FlowThingsTooManyRequests    429 (retryable)
    │   └── FlowThingsServerError    500 and above
    │       └── FlowThingsUnavailable    502, 503, 504 (retryable)
    ├── InvalidInput                 the input was refused before anything was sent (also a ValueError)
    │   ├── FilterSyntaxError        a filter's text does not parse: line, column, what was expected
    │   └── CannotFilter             a store cannot test a part of a filter: which, and what would work
    ├── ConfigurationError           credentials, profiles, the choice of a green library
    ├── InvalidResponse              the answer is not the platform's envelope
    ├── ResponseTooLarge             the answer has more bytes than max_response_bytes
    ├── ConnectionFailed             no connection, or it broke (also a ConnectionError; retryable)
    │   └── ConnectionLost           a pool's database connection was lost or interrupted
    ├── DeadlineExceeded             the time limit was reached (also a TimeoutError; retryable)
    ├── CallCancelled                a parallel call was cancelled, or its green thread was killed
    └── WrongThread                  a green call was used in another OS thread (also a RuntimeError)

Every error can be pickled, says what was asked and what was answered, and has `retryable` and `attempts`. No
error holds a secret: `creds` of a FlowThingsException is the name of the account, without the token.

The names that begin with FlowThings, and their attributes errors, creds, method and path, are the original
client's. There, `creds` was the whole credential.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CallCancelled",
    "CannotFilter",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionLost",
    "DeadlineExceeded",
    "FilterSyntaxError",
    "FlowThingsBadRequest",
    "FlowThingsError",
    "FlowThingsException",
    "FlowThingsForbidden",
    "FlowThingsNotFound",
    "FlowThingsServerError",
    "FlowThingsTooLarge",
    "FlowThingsTooManyRequests",
    "FlowThingsUnauthorized",
    "FlowThingsUnavailable",
    "InvalidInput",
    "InvalidResponse",
    "ResponseTooLarge",
    "WrongThread",
    "from_status",
]


class FlowThingsError(Exception):
    """The base class of all exceptions of this library.

    Attributes:
        retryable: whether the same call may succeed if it is made again.
        attempts: how many times the call was made before this was raised.
    """

    retryable: bool = False
    attempts: int = 1

    def __str__(self) -> str:
        said = super().__str__()
        return said if self.attempts == 1 else f"{said} (after {self.attempts} attempts)"


class FlowThingsException(FlowThingsError):
    """A platform answered with an error.

    Attributes:
        errors: the platform's own messages, a list of str, which may be empty.
        status: the status of the answer: `head.status`, else that of HTTP, else 0.
        method: the HTTP method of the request.
        path: the resource path of the request, without account and query.
        creds: the account that made the request.
        retry_after: the seconds to wait that the platform asked for; None if it did not ask.
    """

    def __init__(
        self,
        errors: list[str] | str | None = None,
        *,
        status: int = 0,
        method: str = "",
        path: str = "",
        creds: Any = None,
        attempts: int = 1,
        retry_after: float | None = None,
    ) -> None:
        self.attempts = attempts
        self.retry_after = retry_after
        self.errors = [errors] if isinstance(errors, str) else list(errors or ())
        self.status = status
        self.method = method
        self.path = path
        self.creds = creds
        super().__init__(self._describe())

    def _describe(self) -> str:
        said = "; ".join(self.errors) or "the platform gave no reason"
        asked = f"{self.method} {self.path}".strip()
        status = str(self.status) if self.status else ""
        head = ": ".join(part for part in (asked, status) if part)
        return f"{head}: {said}" if head else said

    def __reduce__(self) -> tuple[Any, ...]:
        names = "status", "method", "path", "creds", "attempts", "retry_after"
        return _rebuild, (type(self), self.errors, {name: getattr(self, name) for name in names})


def _rebuild(cls: type[FlowThingsException], errors: list[str], state: dict[str, Any]) -> FlowThingsException:
    return cls(errors, **state)


class FlowThingsBadRequest(FlowThingsException):
    """400: the request is not valid."""


class FlowThingsForbidden(FlowThingsException):
    """403: the credentials are unknown, or do not give the right to do this."""


class FlowThingsUnauthorized(FlowThingsForbidden):
    """401: there are no credentials. It is a FlowThingsForbidden, so that one handler catches both."""


class FlowThingsNotFound(FlowThingsException):
    """404: the resource does not exist."""


class FlowThingsTooLarge(FlowThingsException):
    """413: the request is larger than the platform allows."""


class FlowThingsTooManyRequests(FlowThingsException):
    """429: there were too many requests. `retry_after` is the time to wait."""

    retryable = True


class FlowThingsServerError(FlowThingsException):
    """500 and above: the platform failed."""


class FlowThingsUnavailable(FlowThingsServerError):
    """502, 503 or 504: the platform is not available at the moment."""

    retryable = True


class InvalidInput(FlowThingsError, ValueError):
    """The caller's input was refused before anything was sent or changed."""


class FilterSyntaxError(InvalidInput):
    """The text of a filter does not parse.

    Attributes:
        text: the whole text.
        line, column: the position, both counted from 1.
        expected: what the parser expected at this position.
        found: what is there.
    """

    def __init__(self, text: str, line: int, column: int, expected: str, found: str = "") -> None:
        self.text = text
        self.line = line
        self.column = column
        self.expected = expected
        self.found = found
        said = f", found {found}" if found else ""
        super().__init__(f"filter, line {line}, column {column}: expected {expected}{said}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.text, self.line, self.column, self.expected, self.found)


class CannotFilter(InvalidInput):
    """A store cannot test a part of a filter. Nothing was sent.

    Attributes:
        target: what cannot test it, such as "ThingsDB".
        part: the text of the part.
        instead: the reason, and what would work.
    """

    def __init__(self, target: str, part: str, instead: str) -> None:
        self.target = target
        self.part = part
        self.instead = instead
        shown = part if len(part) <= 200 else part[:199] + "…"
        super().__init__(f"{target} cannot test `{shown}`: it {instead}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.target, self.part, self.instead)


class ConfigurationError(FlowThingsError):
    """The configuration is wrong: credentials, a profile, or the choice of a green library."""


class InvalidResponse(FlowThingsError):
    """The answer is not the platform's envelope, but HTML, an empty body, JSON without a head or the like."""


class ResponseTooLarge(FlowThingsError):
    """The answer has more than `max_response_bytes`, before or after decompression. The rest was not read."""


class ConnectionFailed(FlowThingsError, ConnectionError):
    """No connection could be made, or the connection broke before the answer was complete.

    `sent` is False if the platform cannot have received any part of the request.
    """

    retryable = True
    sent: bool = True


class ConnectionLost(ConnectionFailed):
    """A database connection was closed by the server, or interrupted, before this statement was sent.

    The drivers' own errors are raised unchanged; this is for what is asked of a connection afterwards.
    """


class DeadlineExceeded(FlowThingsError, TimeoutError):
    """The time limit of the call was reached.

    `sent` is False if the platform cannot have received any part of the request.
    """

    retryable = True
    sent: bool = True


class CallCancelled(FlowThingsError):
    """A parallel call has no result, because it was cancelled or its green thread was killed."""


class WrongThread(FlowThingsError, RuntimeError):
    """The result of a green thread was used in another OS thread, where the wait for it would never end."""


_BY_STATUS: dict[int, type[FlowThingsException]] = {
    400: FlowThingsBadRequest,
    401: FlowThingsUnauthorized,
    403: FlowThingsForbidden,
    404: FlowThingsNotFound,
    413: FlowThingsTooLarge,
    429: FlowThingsTooManyRequests,
    502: FlowThingsUnavailable,
    503: FlowThingsUnavailable,
    504: FlowThingsUnavailable,
}


def from_status(status: int) -> type[FlowThingsException]:
    """The exception class for a status of the platform."""
    return _BY_STATUS.get(status) or (FlowThingsServerError if status >= 500 else FlowThingsException)
