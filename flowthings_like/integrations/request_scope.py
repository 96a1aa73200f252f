"""RequestScope: what belongs to one request of a web server, and ends with it.

    request  |-- handler -- response, part by part -- close --|
    scope    |-- OPEN ------------------------------> CLOSED
                  |  the client has gone, the deadline has passed, the handler has failed
                  +-----> CANCELLED --------------> CLOSED

In a scope are an API with the request's own credentials, one `lazy()` object, which batches the calls of the
request, and a deadline for all of its calls. No two requests share one of these.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import CallCancelled, ConfigurationError, DeadlineExceeded, InvalidInput
from ..green.backends.choice import choose
from ..transport.call_scope import CallScope
from ..transport.watch import Watches
from .client_watch import INTERVAL, ClientWatch, find_client
from .request_api import RequestAPI

if TYPE_CHECKING:
    from ..api import API
    from ..services.parallel import LazyServices

__all__ = ["CLIENT_HAS_GONE", "SCOPE", "RequestScope", "RequestScopes", "ScopeState", "status_of"]

SCOPE = "flowthings_like.scope"
"""Where a request's scope is in the WSGI environment."""

CLIENT_HAS_GONE = "the client of this request has gone"

Credentials = Callable[[Mapping[str, Any]], Any]


class ScopeState(enum.Enum):
    """The life of a scope."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class RequestScopes:
    """Opens a scope for each request. Made once, where the application is configured.

    It connects to nothing and starts nothing before the first request, so it may be made before a server
    forks its workers.

    >>> scopes = RequestScopes(api, timeout=10, timeout_header="X-Request-Timeout")  # doctest: +SKIP

    Args:
        api: the API of the process, whose options and connections all requests use.
        credentials: a function that gets the WSGI environment and returns the Token of the request's client.
            It is called when the request first uses its API. Without it all requests have those of `api`.
        timeout: the seconds that all calls of a request together may take, counted from its beginning; None
            for no limit but those of each call.
        timeout_header: the name of a header in which a client may ask for fewer seconds.
        watch_client: whether the calls of a request are cancelled while its handler runs, when the client
            goes. It works where the server gives access to the client's socket.
        pool: how many lazy calls of one request may run at once; None for the backend's own number.

    Raises:
        InvalidInput: the time-out is not positive, or the pool no whole number above 0.
        ConfigurationError: the credentials are no function.
    """

    def __init__(
        self,
        api: API,
        *,
        credentials: Credentials | None = None,
        timeout: float | None = None,
        timeout_header: str | None = None,
        watch_client: bool = True,
        pool: int | None = None,
    ) -> None:
        if credentials is not None and not callable(credentials):
            raise ConfigurationError("credentials must be a function that gets the environment of a request")
        if pool is not None and (not isinstance(pool, int) or isinstance(pool, bool) or pool < 1):
            raise InvalidInput(f"pool is {pool!r}; give a whole number, 1 or more")
        self.api = api
        self.credentials = credentials
        self.timeout = None if timeout is None else _seconds(timeout, "timeout")
        self.timeout_header = timeout_header
        self.watch_client = watch_client
        self.pool = pool
        self._watches = Watches(ClientWatch)

    def open(self, environ: dict[str, Any]) -> RequestScope:
        """Open the scope of a request.

        Args:
            environ: of WSGI. The scope is put into it.

        Raises:
            InvalidInput: the header with the time-out is no number of seconds.
        """
        scope = RequestScope(self, environ, self._timeout_of(environ))
        environ[SCOPE] = scope
        return scope

    def _timeout_of(self, environ: Mapping[str, Any]) -> float | None:
        name, most = self.timeout_header, self.timeout
        asked = None if name is None else environ.get(f"HTTP_{name.upper().replace('-', '_')}")
        if asked is None:
            return most
        seconds = _seconds(asked, f"the header {name}")
        return seconds if most is None else min(seconds, most)

    def _watch(self) -> ClientWatch:
        """The watch of this process and hub."""
        return self._watches.here(choose(self.api.async_lib))


class RequestScope:
    """One request's API, lazy object and deadline. `RequestScopes.open` makes it.

    Close it when the response is complete, or abandon it. Both may be called again.

    Attributes:
        state: where it is in its life.
        run: `run(function, *args)` calls a function of the application. The deadline counts for all calls
            which the function makes, also for those that are not made through this scope.
        entered: `entered()` is a block of a coroutine, for which the same holds.
    """

    def __init__(self, scopes: RequestScopes, environ: dict[str, Any], timeout: float | None) -> None:
        self.state = ScopeState.OPEN
        self._scopes = scopes
        self._environ: Mapping[str, Any] = environ
        self._has_gone = False
        self._api: RequestAPI | None = None
        self._lazy: LazyServices | None = None
        self._watch: ClientWatch | None = None
        self._client = find_client(environ) if scopes.watch_client else None
        self._calls = CallScope(None if timeout is None else time.monotonic() + timeout)
        self.run = self._calls.run
        self.entered = self._calls.entered

    @property
    def api(self) -> API:
        """The API with the credentials of this request.

        Raises:
            ConfigurationError: the request has no credentials, or it has ended.
        """
        if self._api is None:
            if self.state is ScopeState.CLOSED:
                raise ConfigurationError("this request has ended, and its API with it; use it before")
            scopes = self._scopes
            creds = None if scopes.credentials is None else scopes.credentials(self._environ)
            if scopes.credentials is not None and creds is None:
                raise ConfigurationError(
                    "this request has no credentials: credentials() returned None; refuse such requests "
                    "before they use the API, or return a Token for them"
                )
            made = RequestAPI(scopes.api, creds)
            self._api = self._api or made  # two threads of the request may be here at once
            if self._client is not None or self._calls.deadline is not None:
                self._watch = scopes._watch()
                self._watch.add(self)
        return self._api

    @property
    def lazy(self) -> LazyServices:
        """The one `lazy()` object of this request: calls that are made together travel together."""
        if self._lazy is None:
            made = self.api.lazy(self._scopes.pool)
            self._lazy = self._lazy or made
        return self._lazy

    def left(self) -> float:
        """Seconds until the request's deadline, negative after it; infinity without one."""
        return self._calls.left()

    @property
    def is_cancelled(self) -> bool:
        """Whether its calls were cancelled."""
        return self.state is ScopeState.CANCELLED

    def is_due(self) -> str | None:
        """Why its calls should be cancelled now; None if they should not. Asked from time to time."""
        has_gone = self._client
        if has_gone is not None:
            # Twice in a row, because a client may go as soon as it has the last byte, which is before the
            # server closes the response.
            had_gone, self._has_gone = self._has_gone, has_gone()
            if had_gone and self._has_gone:
                return CLIENT_HAS_GONE
        if self.left() < -INTERVAL:  # calls that know the deadline have ended by themselves
            return "the deadline of this request has passed"
        return None

    def cancel(self, reason: str = "the request was cancelled") -> None:
        """Stop the calls that are not done, as far as they can be stopped, and refuse further ones."""
        if self.state is ScopeState.OPEN:
            self.state = ScopeState.CANCELLED
        self._calls.cancel(reason)
        if self._api is not None:
            self._api.cancel()

    def close(self) -> None:
        """End the scope of a complete response: wait for the calls that are not done, and refuse others.

        Calls whose results the handler did not need, such as writes, are finished in this way.
        """
        self._client = None  # it has all that it wanted, and may go
        try:
            if self._api is not None and self.state is ScopeState.OPEN:
                self._api.wait()
        finally:
            self._end()

    def abandon(self, reason: str = CLIENT_HAS_GONE) -> None:
        """End the scope of a response that is not complete: cancel the calls, and refuse further ones."""
        try:
            if self.state is ScopeState.OPEN:
                self.cancel(reason)
        finally:
            self._end()

    def _end(self) -> None:
        self.state = ScopeState.CLOSED
        try:
            if self._watch is not None:
                self._watch.discard(self)
            if self._api is not None:
                self._api.close()
        finally:
            self._calls.end()
            self._environ = {}  # which refers to this scope


def status_of(error: BaseException, scope: RequestScope) -> str | None:
    """The HTTP status for an exception that the end of a scope has caused in a handler; None for others.

    504 after the deadline; 499, which only logs will show, when the client has gone.
    """
    if isinstance(error, DeadlineExceeded | CallCancelled):
        if scope.left() <= 0:
            return "504 Gateway Timeout"
        if scope.is_cancelled and isinstance(error, CallCancelled):
            return "499 Client Closed Request"
    return None


def _seconds(value: Any, name: str) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds > 0 or isinstance(value, bool):
        raise InvalidInput(f"{name} is {value!r}; give seconds above 0")
    return seconds
