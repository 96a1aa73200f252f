"""FlowThings: a Flask extension with a view of an API for each request.

flowthings = FlowThings(app, RequestScopes(api))

@app.get("/hot")
def hot():
    return jsonify(drops=flowthings.lazy.drop("/acme/weather").find(mem.elems.temp > 90))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask

from ..errors import CallCancelled, ConfigurationError, DeadlineExceeded
from ..green.calls.thunk import GreenThunk
from .jinja import install
from .request_scope import SCOPE, RequestScope, RequestScopes, status_of
from .wsgi import ScopeMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..api import API
    from ..services.parallel import LazyServices

__all__ = ["FlowThings", "RequestScopes"]

NAME = "flowthings_like"
"""The extension's name in `app.extensions`."""

_OPENED = "flowthings_like.opened_by_flask"


class FlowThings:
    """The Flask extension. `api`, `lazy` and `scope` are those of the current request.

    It wraps `app.wsgi_app`, so a streamed response has its scope until its end. It lets `jsonify`, the values
    that views return, and the filters of templates take GreenThunks. If a view raises because the deadline of
    its request has passed, the response is 504. A handler that the application registers for DeadlineExceeded
    afterwards replaces this.

    Args:
        app: the application, or None to call `init_app` later.
        scopes: opens the scope of each request. May be left to `init_app`.
    """

    def __init__(self, app: flask.Flask | None = None, scopes: RequestScopes | None = None) -> None:
        self._scopes = scopes
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask, scopes: RequestScopes | None = None) -> None:
        """Add the extension to an application.

        Raises:
            ConfigurationError: there are no scopes, or the application has this extension already.
        """
        scopes = scopes or self._scopes
        if scopes is None:
            raise ConfigurationError("FlowThings needs scopes: FlowThings(app, RequestScopes(api))")
        if NAME in app.extensions:
            raise ConfigurationError("this application has the FlowThings extension already")
        app.teardown_request(_close_opened)  # first: it raises if the application has answered a request
        app.extensions[NAME] = scopes
        app.wsgi_app = ScopeMiddleware(app.wsgi_app, scopes)  # type: ignore[method-assign]
        for error in (DeadlineExceeded, CallCancelled):
            app.register_error_handler(error, _answer)
        encode_thunks(app)
        install(app.jinja_env)

    @property
    def scope(self) -> RequestScope:
        """The scope of the current request.

        Raises:
            RuntimeError: there is no current request.
            ConfigurationError: the current application does not have this extension.
        """
        environ = flask.request.environ
        scope: RequestScope | None = environ.get(SCOPE)
        if scope is None:  # in `app.test_request_context()`, which calls no middleware
            scopes = flask.current_app.extensions.get(NAME)
            if scopes is None:
                raise ConfigurationError("this application has no FlowThings; call flowthings.init_app(app)")
            scope = environ[_OPENED] = scopes.open(environ)
        return scope

    @property
    def api(self) -> API:
        """The API with the credentials of the current request; see `RequestScope.api`."""
        return self.scope.api

    @property
    def lazy(self) -> LazyServices:
        """The one `lazy()` object of the current request."""
        return self.scope.lazy


def encode_thunks(app: flask.Flask) -> None:
    """Let the JSON provider of an application encode thunks as their values.

    It is Flask's own, or has a `default` as that one does. For others there is `green.json_default`.
    """
    provider: Any = app.json
    other: Callable[[Any], Any] | None = getattr(provider, "default", None)
    if other is None:
        return

    def default(value: Any) -> Any:
        return value.force() if type(value) is GreenThunk else other(value)

    provider.default = default


def _answer(error: Exception) -> flask.Response:
    """Answer a request whose deadline has passed, or whose client has gone. Other errors are raised again."""
    scope = flask.request.environ.get(SCOPE)
    status = None if scope is None else status_of(error, scope)
    if status is None:
        raise error
    return flask.Response(f"{error}\n", status=status, mimetype="text/plain")


def _close_opened(error: BaseException | None) -> None:
    scope = flask.request.environ.pop(_OPENED, None)
    if scope is not None and error is None:
        scope.close()
    elif scope is not None:
        scope.abandon("the request has failed")
