"""Live subscriptions: drops as they arrive, over a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ...errors import InvalidResponse
from ...green.calls.marks import plain
from ...transport.http.urls import segment
from .resource import BaseService

if TYPE_CHECKING:
    from ...transport.websocket.live import WebSocketClient

__all__ = ["WebSocketService"]


class WebSocketService(BaseService):
    """`api.websocket`. Sessions live on a host of their own, without version and account in the URL.

    The embedded platform, and what `serve` serves, has no sessions yet: `connect` gets a 404 there.
    """

    name = "websocket"
    path = "/session"

    @plain
    def connect(
        self,
        *,
        on_open: Callable[..., Any] | None = None,
        on_message: Callable[..., Any] | None = None,
        on_close: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
        reconnect: bool = True,
        heartbeat: float = 20.0,
        reply_timeout: float = 60.0,
        **options: Any,
    ) -> WebSocketClient:
        """A client for live drops; `run()` it to open the socket and handle what comes.

        Args:
            on_open: called as (client) whenever a connection stands: the place to subscribe.
            on_message: called as (client, resource, drop) for every drop of a subscribed flow.
            on_close: called as (client) whenever a connection has ended.
            on_error: called as (client, exception): refused requests, lost connections, failures in handlers.
                Without it these are logged, to the logger `flowthings_like`.
            reconnect: open a new session, and subscribe again, when the connection is lost.
            heartbeat: seconds between the signs of life that are sent. A peer of which nothing comes for as
                long after one, and 5 seconds at least, is lost.
            reply_timeout: seconds until a request that is not answered fails with DeadlineExceeded.
            options: for `websocket.create_connection` of the websocket-client package, such as header=.
                Redirects are never followed.

        Raises:
            FlowThingsException: the platform does not grant a session.
        """
        from ...transport.websocket.live import WebSocketClient

        return WebSocketClient(
            partial(self._new_session, retry=False),  # the client comes back with pauses of its own
            self.connection,
            first_url=self._new_session(),
            on_open=on_open,
            on_message=on_message,
            on_close=on_close,
            on_error=on_error,
            reconnect=reconnect,
            heartbeat=heartbeat,
            reply_timeout=reply_timeout,
            options=options,
        )

    def _new_session(self, retry: Literal[False] | None = None) -> str:
        """Ask for a session; the URL of its socket."""
        session = self.request("POST", retry=retry)
        id = session.get("id") if isinstance(session, dict) else None
        if not isinstance(id, str) or not id:
            raise InvalidResponse("the platform granted a session without an id")
        return self.connection.socket_url(f"{self.path}/{segment(id)}/ws")

    def _url(self, path: str) -> str:
        return self.connection.session_url(path)
