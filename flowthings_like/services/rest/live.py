"""Live subscriptions: receives drops over a WebSocket as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ...green.calls.markers import plain
from .live_sessions import new_session
from .resource import BaseService

if TYPE_CHECKING:
    from ...transport.websocket.live import WebSocketClient

__all__ = ["WebSocketService"]


class WebSocketService(BaseService):
    """`api.websocket`. Sessions have a host of their own, and URLs without version and account.

    With an embedded platform there is no socket: a client and the platform call each other.
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
        """A client for live drops. Its `run()` opens the socket and calls the handlers.

        Args:
            on_open: called as (client) whenever a connection is open. Subscribe in it.
            on_message: called as (client, resource, drop) for every drop of a subscribed flow.
            on_close: called as (client) whenever a connection has ended.
            on_error: called as (client, exception) for refused requests, lost connections and exceptions in
                handlers. Without it they are logged, to the logger `flowthings_like`.
            reconnect: open a new session and subscribe again when the connection is lost.
            heartbeat: seconds between two heartbeats. If nothing arrives for as long after one, and for at
                least 5 seconds, the connection is lost.
            reply_timeout: seconds after which a request without an answer fails with DeadlineExceeded.
            options: those of `websocket.create_connection` of the websocket-client package, such as header=,
                except class_= and socket=. Redirects are never followed.

        Raises:
            FlowThingsException: the platform refuses a session.
        """
        from ...transport.websocket.live import WebSocketClient

        return WebSocketClient(
            partial(new_session, self.connection, retry=False),  # it reconnects with pauses of its own
            self.connection,
            first_url=new_session(self.connection),
            on_open=on_open,
            on_message=on_message,
            on_close=on_close,
            on_error=on_error,
            reconnect=reconnect,
            heartbeat=heartbeat,
            reply_timeout=reply_timeout,
            options=options,
        )

    def _url(self, path: str) -> str:
        return self.connection.session_url(path)
