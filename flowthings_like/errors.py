"""The one tree of exceptions.

    FlowThingsError
    ├── FlowThingsException          a platform answered with an error
    │   ├── FlowThingsBadRequest     400
    │   ├── FlowThingsForbidden      403
    │   │   └── FlowThingsUnauthorized   401
    │   ├── FlowThingsNotFound       404
    │   ├── FlowThingsTooLarge       413
    │   ├── FlowThingsTooManyRequests    429: worth another try, later
    │   └── FlowThingsServerError    500 and above
    │       └── FlowThingsUnavailable    502, 503, 504: worth another try
    ├── InvalidInput                 refused here, before anything was sent (also a ValueError)
    │   └── FilterSyntaxError        a filter's text that does not parse: line, column, what was expected
    ├── ConfigurationError           credentials, profiles, the choice of a green library
    ├── InvalidResponse              what came back is not the platform's envelope
    ├── ResponseTooLarge             what came back is more than max_response_bytes
    ├── ConnectionFailed             no connection, or it broke (also a ConnectionError)
    ├── DeadlineExceeded             the time given ran out (also a TimeoutError)
    ├── CallCancelled                a parallel call was cancelled, or its green thread was killed
    └── WrongThread                  a green call or its result was in another OS thread (also a RuntimeError)

Every error is picklable, says what was asked and what came back, and carries `retryable` and `attempts`. None
carries a secret: `creds` on a FlowThingsException names the account, its token is left out.

The names that begin with FlowThings and their attributes errors, creds, method and path are the original
client's; `creds` there was the full credential.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CallCancelled",
    "ConfigurationError",
    "ConnectionFailed",
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
    """The root.

    Attributes:
        retryable: whether the same call may succeed if it is simply made again.
        attempts: how often it was made before this was raised.
    """

    retryable: bool = False
    attempts: int = 1

    def __str__(self) -> str:
        said = super().__str__()
        return said if self.attempts == 1 else f"{said} (after {self.attempts} attempts)"


class FlowThingsException(FlowThingsError):
    """A platform answered, and the answer is an error.

    Attributes:
        errors: the platform's own messages, a list of str, possibly empty.
        status: the status of the answer (`head.status`, or HTTP's where there is no head), 0 if unknown.
        method: the HTTP verb that was sent.
        path: the resource path that was asked, without account and query.
        creds: whose request it was, without the token.
        retry_after: seconds after which the platform asks to be called again; None if it did not say.
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
    """400: the platform could not make sense of the request."""


class FlowThingsForbidden(FlowThingsException):
    """403: unknown credentials, or no right to do this."""


class FlowThingsUnauthorized(FlowThingsForbidden):
    """401: no credentials. A kind of Forbidden, so that one handler catches both."""


class FlowThingsNotFound(FlowThingsException):
    """404: there is no such resource."""


class FlowThingsTooLarge(FlowThingsException):
    """413: more than the platform takes in one request."""


class FlowThingsTooManyRequests(FlowThingsException):
    """429: more requests than the platform takes in that time. `retry_after` says when to come back."""

    retryable = True


class FlowThingsServerError(FlowThingsException):
    """500 and above: the platform failed."""


class FlowThingsUnavailable(FlowThingsServerError):
    """502, 503 or 504: the platform is not there right now."""

    retryable = True


class InvalidInput(FlowThingsError, ValueError):
    """The caller's input was refused before anything was sent or changed."""


class FilterSyntaxError(InvalidInput):
    """A filter's text that does not parse.

    Attributes:
        text: the whole text.
        line, column: where, both counted from 1.
        expected: what would have been right there.
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


class ConfigurationError(FlowThingsError):
    """Something about the set-up is wrong: credentials, a profile, the choice of a green library."""


class InvalidResponse(FlowThingsError):
    """What came back is not the platform's envelope: HTML, an empty body, JSON without a head."""


class ResponseTooLarge(FlowThingsError):
    """An answer of more bytes than `max_response_bytes`, as it came or unpacked. The rest was not read."""


class ConnectionFailed(FlowThingsError, ConnectionError):
    """No connection could be made, or it broke before the answer was complete.

    `sent` is False if no part of the request can have reached the platform.
    """

    retryable = True
    sent: bool = True


class DeadlineExceeded(FlowThingsError, TimeoutError):
    """The time given for the call ran out.

    `sent` is False if no part of the request can have reached the platform.
    """

    retryable = True
    sent: bool = True


class CallCancelled(FlowThingsError):
    """A parallel call has no result: it was cancelled before it ran, or its green thread was killed."""


class WrongThread(FlowThingsError, RuntimeError):
    """A green thread's result was asked for in another OS thread, where waiting for it could never end."""


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
    """The class for a platform status: its own, else ServerError from 500 up, else the base."""
    return _BY_STATUS.get(status) or (FlowThingsServerError if status >= 500 else FlowThingsException)
