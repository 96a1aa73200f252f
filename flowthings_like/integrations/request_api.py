"""RequestAPI: an API as one request sees it, with the request's credentials and the process's connections."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..api import API
from ..families import Families

if TYPE_CHECKING:
    from ..green.calls.async_ import AsyncAPI
    from ..green.calls.lazy import LazyAPI
    from ..services.database.pool import ConnectionPool
    from ..services.parallel import AsyncServices, LazyServices
    from ..services.records.api_client import Records
    from ..services.streams.client import Client as StreamClient
    from ..services.things.client import Client

__all__ = ["RequestAPI"]

_CLIENTS = tuple(name for name, value in vars(Families).items() if name.startswith("_") and value is None)
"""Where an API keeps the clients that it has made."""


class RequestAPI(API):
    """An API for one request. It has the options of another API and uses its sockets.

    HTTP requests carry their credentials with them, so those of all requests share the connections of `base`.
    So do calls of databases and records, which have no account. A connection of `things` or `stream` is
    logged in. With the credentials of `base` these are its own clients. With other credentials they are made
    for this request, and closed with it.

    Args:
        base: the API of the process.
        creds: the account and token of this request; None for those of `base`.

    Raises:
        ConfigurationError: the credentials cannot be used.
    """

    def __init__(self, base: API, creds: Any = None) -> None:
        vars(base).setdefault("_bulk_forms", {})  # what is known of the platform is the same for all requests
        vars(self).update(vars(base))
        # Services and clients are made again, with this connection, when they are asked for.
        for name in (*base._services, *_CLIENTS):
            vars(self).pop(name, None)
        self._base = base
        self._has_own_creds = creds is not None
        self._services: dict[str, Any] = {}
        self._connection = base._connection.with_creds(base.creds if creds is None else creds)
        self._views: list[LazyAPI | AsyncAPI] = []

    if not TYPE_CHECKING:  # the types are those of API

        def __getattr__(self, name: str) -> Any:
            make = vars(self).get("_factories", {}).get(name)
            if make is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            service = self._services[name] = make(self._connection)
            setattr(self, name, service)
            return service

    @property
    def things(self) -> Client:
        """The ThingsDB client; see `API.things`."""
        return super().things if self._has_own_creds else self._base.things

    @property
    def stream(self) -> StreamClient:
        """The client of time series; see `API.stream`."""
        return super().stream if self._has_own_creds else self._base.stream

    @property
    def record(self) -> Records:
        """The store of binary records; see `API.record`."""
        return self._base.record

    @property
    def db(self) -> ConnectionPool:
        """The pool of connections to the database; see `API.db`."""
        return self._base.db

    def async_(self, pool: Any = None) -> AsyncServices:
        """See `API.async_`. The calls belong to this request."""
        made: Any = super().async_(pool)
        self._views.append(made)
        return made  # type: ignore[no-any-return]

    def lazy(self, pool: Any = None) -> LazyServices:
        """See `API.lazy`. The calls belong to this request."""
        made: Any = super().lazy(pool)
        made.__enter__()
        self._views.append(made)
        return made  # type: ignore[no-any-return]

    def wait(self) -> None:
        """Wait for all calls of `lazy()` and `async_()`. Left by an exception, it cancels them."""
        try:
            self._wait_for_views()
        except BaseException:
            self.cancel()
            raise

    def _wait_for_views(self) -> None:
        for view in list(self._views):
            view.__exit__(None, None, None)

    def cancel(self) -> None:
        """Stop the calls of `lazy()` and `async_()` that are not done, as far as they can be stopped."""
        with ExitStack() as stopping:  # each of them, whatever another one raises
            for view in list(self._views):
                stopping.callback(view.cancel)

    def close(self) -> None:
        """Refuse further calls, and close what was opened for this request alone. May be called again."""
        with ExitStack() as closing:  # from the last to the first, each one whatever another raises
            if self._stream is not None:
                closing.callback(self._stream.close)
            if self._things is not None:
                closing.callback(self._things.close)
            closing.callback(self._connection.close)
        self._views.clear()
        self._room = None  # it refers to this API


setattr(RequestAPI, "async", RequestAPI.async_)
