"""The client for live messages: subscribes to flows, and calls handlers with the drops that come.

Messages are JSON texts. A request has a `msgId`, which the head of its reply repeats. A drop comes as
`{"type": "message", "resource": …, "value": …}`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ... import errors
from ...green.backends.choice import detect
from ..outgoing_values import resolve, text
from .live_session import LiveSession
from .opening import Opening
from .requests import Request, Requests

if TYPE_CHECKING:
    import socket

    from .opening import AnyConnection, APIConnection

__all__ = ["WebSocketClient"]

_log = logging.getLogger("flowthings_like")

LONGEST_TICK = 5.0
"""Seconds that one read or write may take, at most."""

Callback = Callable[["WebSocketClient", Any], Any]


class WebSocketClient:
    """A client for live messages, made by `api.websocket.connect()`.

    `run()` calls the handlers, one at a time. An exception in a handler is passed to `on_error`, or logged if
    there is none. The other methods may be called by any thread at any time. Messages that are sent while
    there is no connection are queued until there is one.
    """

    def __init__(
        self,
        new_session: Callable[[], str],
        connection: APIConnection,
        *,
        first_url: str | None,
        on_open: Callable[..., Any] | None,
        on_message: Callable[..., Any] | None,
        on_close: Callable[..., Any] | None,
        on_error: Callable[..., Any] | None,
        reconnect: bool,
        heartbeat: float,
        reply_timeout: float,
        options: dict[str, Any],
    ) -> None:
        self.on_open = on_open
        self.on_message = on_message
        self.on_close = on_close
        self.on_error = on_error
        self.reconnect = reconnect
        self.heartbeat = heartbeat
        self.reply_timeout = reply_timeout
        self._connection = connection
        self._opening = Opening(connection, new_session, options, first_url)
        self._stopping = detect().event()
        self._requests = Requests()
        self._session: LiveSession | None = None

    def run(self) -> None:
        """Connect and call the handlers, until `close()`; without `reconnect`, until the connection ends.

        Raises:
            FlowThingsError: a session is refused for a reason that trying again does not change, or, without
                `reconnect`, no connection can be made.
        """
        session = LiveSession(_Listener(self), reconnect=self.reconnect, heartbeat=self.heartbeat)
        self._session = session
        if self._stopping.is_set():  # read after `_session` is set: `close` sets this first
            session.close()
        session.run()
        if not session.forked:  # in a copy of this call that a fork has made, the connection is the parent's
            self._abandon(errors.ConnectionFailed("the connection was closed"))

    def subscribe(self, resource: str, callback: Callback | None = None) -> None:
        """Subscribe to the drops of a flow.

        Args:
            resource: the flow's id, or its path (which begins with a slash).
            callback: called as (client, body) with the platform's reply, or as (client, exception) if it
                refuses, does not answer in time, or the connection is lost before.
        """
        self.send({"object": "drop", "type": "subscribe", **_flow(resource)}, callback)

    def unsubscribe(self, resource: str, callback: Callback | None = None) -> None:
        """End a subscription. Arguments as for `subscribe`."""
        with self._requests.lock:
            self._requests.subscribed.pop(text(resource, "a flow's id or path"), None)
        self.send({"object": "drop", "type": "unsubscribe", **_flow(resource)}, callback)

    def send(self, data: Mapping[str, Any], callback: Callback | None = None) -> None:
        """Send a request.

        Args:
            data: the message; a `msgId` is added unless it has one, which may be a str or an int.
            callback: as for `subscribe`.

        Raises:
            InvalidInput: data is not a dict or cannot be encoded as JSON; or the msgId has a wrong type or is
                in use.
            ConfigurationError: the client was closed.
        """
        message = dict(resolve(data)) if isinstance(resolve(data), Mapping) else None
        if message is None:
            raise errors.InvalidInput(f"a message is a dict, not {type(data).__name__}")
        if self._stopping.is_set():
            raise errors.ConfigurationError("this client was closed; connect again")
        is_due = self._requests.add(
            message,
            callback,
            self.reply_timeout,
            check=self._connection.encode,
            is_connected=lambda: self._open is not None,
        )
        if is_due:
            self._transmit(message)

    def close(self) -> None:
        """Close the connection and make `run()` return. May be called again."""
        self._stopping.set()
        session = self._session
        if session is not None:
            session.close()

    @property
    def _open(self) -> AnyConnection | None:
        """The connection, if there is one now."""
        session = self._session
        return None if session is None else session.current

    def _transmit(self, message: Mapping[str, Any]) -> None:
        self._requests.note_sent(message)
        encoded = self._connection.encode(message)
        connection = self._open
        if connection is not None:
            connection.send(encoded.encode() if isinstance(encoded, str) else encoded)

    def _connect(self, hold: Callable[[socket.socket], object]) -> AnyConnection:
        return self._opening.open(hold, min(self.heartbeat, self.reply_timeout, LONGEST_TICK))

    def _greet(self) -> None:
        queued, before = self._requests.begin()
        for message in queued:
            self._transmit(message)
        self._handle(self.on_open)
        for resource in before:
            # on_open may have subscribed to it again already.
            if resource not in self._requests.subscribed:
                self.subscribe(resource)

    def _receive(self, payload: bytes) -> None:
        try:
            message = self._connection.decode(payload)
        except ValueError:
            message = None
        if not isinstance(message, Mapping):
            self._report(errors.InvalidResponse("a message that is no JSON object"))
        elif message.get("type") == "message":
            self._handle(self.on_message, message.get("resource"), message.get("value"))
        elif isinstance(message.get("head"), Mapping):
            self._reply(message["head"], message.get("body"))

    def _reply(self, head: Mapping[str, Any], body: Any) -> None:
        request = self._requests.claim(head.get("msgId"))
        if head.get("ok", True):
            if request is not None:
                self._handle(request.callback, body)
            return
        status = head.get("status") or 0
        asked = request.message if request is not None else {}
        error = errors.from_status(status)(
            [str(part) for part in head.get("errors") or ()],
            status=status,
            method=str(asked.get("type", "")),
            path=str(asked.get("flowId") or asked.get("path") or asked.get("object") or ""),
            creds=str(self._connection.creds.account),
        )
        self._requests.note_refused(asked)
        self._report(error)
        if request is not None:
            self._handle(request.callback, error)

    def _expire(self) -> None:
        for request in self._requests.take_expired():
            self._fail(request, errors.DeadlineExceeded(f"no reply within {self.reply_timeout} s"))

    def _lost(self, failure: Exception | None) -> None:
        if failure is not None and not self._stopping.is_set():
            self._report(errors.ConnectionFailed(f"the connection was lost: {type(failure).__name__}"))
        lost = errors.ConnectionFailed("the connection was lost before the reply came")
        for request in self._requests.take_sent():
            self._fail(request, lost)
        self._handle(self.on_close)

    def _abandon(self, error: errors.FlowThingsError) -> None:
        """Fail all requests: there will be no other connection."""
        for request in self._requests.take_all():
            self._fail(request, error)

    def _fail(self, request: Request, error: errors.FlowThingsError) -> None:
        if request.callback is not None:
            self._handle(request.callback, error)
        elif not self._stopping.is_set():
            self._report(error)

    def _handle(self, handler: Callable[..., Any] | None, *args: Any) -> None:
        if handler is None:
            return
        try:
            handler(self, *args)
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if self.on_error is None:
            if isinstance(error, errors.FlowThingsError):
                _log.warning("WebSocket: %s (%s)", error, type(error).__name__)
            else:
                _log.error("a WebSocket handler failed", exc_info=error)
            return
        try:
            self.on_error(self, error)
        except Exception as failure:
            _log.error("on_error itself failed", exc_info=failure)


class _Listener:
    """Calls a client's private methods when something happens to its session."""

    def __init__(self, client: WebSocketClient) -> None:
        self._client = client

    def connect(self, hold: Callable[[socket.socket], object]) -> AnyConnection:
        return self._client._connect(hold)

    def connected(self, connection: AnyConnection) -> None:
        self._client._greet()

    def heard(self, text: bytes) -> None:
        self._client._receive(text)

    def tick(self) -> None:
        self._client._expire()

    def failed(self, error: Exception) -> None:
        self._client._report(error)

    def refused(self, error: errors.FlowThingsError) -> None:
        self._client._report(error)
        self._client._abandon(error)

    def lost(self, connection: AnyConnection) -> None:
        self._client._lost(connection.failure)


def _flow(resource: Any) -> dict[str, str]:
    name = text(resource, "a flow's id or path")
    return {"path": name} if name.startswith("/") else {"flowId": name}
