"""ScopeMiddleware: WSGI middleware that opens a scope for each request and ends it with the response.

application = ScopeMiddleware(application, RequestScopes(api))

def application(environ, start_response):
    lazy = scope_of(environ).lazy
    ...
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ConfigurationError, InvalidInput
from .request_scope import SCOPE, RequestScope, RequestScopes, status_of

__all__ = ["RequestScope", "RequestScopes", "ScopeMiddleware", "scope_of"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def scope_of(environ: dict[str, Any]) -> RequestScope:
    """The scope of a request.

    Raises:
        ConfigurationError: there is none, because the request did not pass a ScopeMiddleware, or has ended.
    """
    scope: RequestScope | None = environ.get(SCOPE)
    if scope is None:
        raise ConfigurationError(
            "this request has no scope; wrap the application: ScopeMiddleware(application, scopes)"
        )
    return scope


class ScopeMiddleware:
    """An application in which each request has a scope.

    The scope ends when the server closes the response. If that was sent to its end, calls that are not done
    are waited for. If it was not, because the client has gone or the application has failed, they are
    cancelled.

    If the application raises because the deadline has passed, the response is 504. A header with a time-out
    that is no number is answered with 400.

    Args:
        application: of WSGI.
        scopes: opens the scopes.
    """

    def __init__(self, application: Application, scopes: RequestScopes) -> None:
        self.application = application
        self.scopes = scopes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            scope = self.scopes.open(environ)
        except InvalidInput as error:
            return _answer("400 Bad Request", str(error), start_response)
        try:
            return ScopedResponse(scope.run(self.application, environ, start_response), scope)
        except BaseException as error:
            status = status_of(error, scope)
            scope.abandon("the application has failed")
            if status is None:
                raise
            # With the exception, which is raised again if the headers were sent.
            return _answer(status, str(error), start_response, sys.exc_info())


class ScopedResponse:
    """The parts of a response. Closing it ends the request's scope.

    Args:
        response: what the application has returned.
        scope: the request's scope.
    """

    def __init__(self, response: Iterable[bytes], scope: RequestScope) -> None:
        self._response = response
        self._parts: Iterator[bytes] = iter(response)
        self._scope = scope
        self._is_complete = False

    def __iter__(self) -> ScopedResponse:
        return self

    def __next__(self) -> bytes:
        try:
            return self._scope.run(next, self._parts)
        except StopIteration:
            self._is_complete = True
            raise

    def close(self) -> None:
        """Close the application's response, and then the scope."""
        try:
            close = getattr(self._response, "close", None)
            if close is not None:
                self._scope.run(close)
        except BaseException:
            self._scope.abandon("the application has failed")
            raise
        if self._is_complete:
            self._scope.close()
        else:
            self._scope.abandon()


def _answer(status: str, text: str, start_response: Callable[..., Any], *exc_info: Any) -> list[bytes]:
    body = f"{text}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, headers, *exc_info)
    return [body]
