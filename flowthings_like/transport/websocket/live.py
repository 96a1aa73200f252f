"""The client end of a live connection: subscriptions, replies, signs of life, and coming back after a loss.

Messages are JSON texts. A request carries a `msgId`, which its reply repeats in its head; drops come unasked,
as `{"type": "message", "resource": …, "value": …}`.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import websocket

from ... import errors
from ...green.backends.contract import detect
from ..forks import cut_off, forget_in_child
from ..values import resolve, text
from .live_socket import LiveSocket, bound_messages

if TYPE_CHECKING:
    from ..http.client import Connection

__all__ = ["WebSocketClient"]

_log = logging.getLogger("flowthings_like")
_LONGEST_TICK = 5.0
_PATIENCE = 5.0  # seconds at least that a peer has to answer a ping
_LONGEST_PAUSE = 60.0
_LOST = (OSError, websocket.WebSocketException)

Callback = Callable[["WebSocketClient", Any], Any]


@dataclass(slots=True)
class _Waiting:
    """A request whose reply is still to come."""

    callback: Callback | None
    asked: dict[str, Any]
    until: float


class WebSocketClient:
    """What `api.websocket.connect()` returns.

    Handlers run in `run()`, one at a time; an exception in one goes to `on_error`, and to the log if there is
    none. The other methods may be called from any thread and at any time: what is sent while there is no
    connection leaves when there is one.
    """

    def __init__(
        self,
        new_session: Callable[[], str],
        connection: Connection,
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
        self._new_session = new_session
        self._connection = connection
        self._url = first_url
        self._options = options
        self._lock = threading.RLock()
        self._stopping = detect().event()
        self._socket: Any = None
        self._queue: list[dict[str, Any]] = []
        self._waiting: dict[int | str, _Waiting] = {}
        self._subscribed: dict[str, None] = {}
        self._next_id = 0
        self._live: LiveSocket | None = None

    def run(self) -> None:
        """Connect and handle what comes, until `close()`; without `reconnect`, until the connection ends.

        Raises:
            FlowThingsError: a session is refused for a reason that trying again does not change, or, without
                `reconnect`, no connection can be made.
        """
        failures = 0
        process = os.getpid()
        # A copy of this call that a fork has made ends: the connection is the parent's.
        while not self._stopping.is_set() and process == os.getpid():
            began = time.monotonic()
            try:
                self._connect()
                if process != os.getpid():
                    return
            except errors.FlowThingsError as error:
                self._report(error)
                if not (self.reconnect and error.retryable):
                    self._abandon(error)
                    raise
            else:
                self._serve()
            if process != os.getpid():
                return
            if not self.reconnect:
                break
            failures = 1 if time.monotonic() - began > self.heartbeat else failures + 1
            # Full jitter: clients that lost the same server do not come back all at once.
            self._stopping.wait(random.uniform(0, min(_LONGEST_PAUSE, 2.0**failures)))
        self._abandon(errors.ConnectionFailed("the connection was closed"))

    def subscribe(self, resource: str, callback: Callback | None = None) -> None:
        """Ask for the drops of a flow from now on.

        Args:
            resource: the flow's id, or its path (which begins with a slash).
            callback: called as (client, body) with the platform's reply, or as (client, exception) if it
                refuses, does not answer in time, or the connection is lost before.
        """
        self.send({"object": "drop", "type": "subscribe", **_flow(resource)}, callback)

    def unsubscribe(self, resource: str, callback: Callback | None = None) -> None:
        """Ask for no more of them. Arguments as for `subscribe`."""
        with self._lock:
            self._subscribed.pop(text(resource, "a flow's id or path"), None)
        self.send({"object": "drop", "type": "unsubscribe", **_flow(resource)}, callback)

    def send(self, data: Mapping[str, Any], callback: Callback | None = None) -> None:
        """Send any request.

        Args:
            data: the message; a `msgId` is added unless it has one, which may be a str or an int.
            callback: as for `subscribe`.

        Raises:
            InvalidInput: data that is no dict or no JSON, a msgId of another type or in use.
            ConfigurationError: the client was closed.
        """
        message = dict(resolve(data)) if isinstance(resolve(data), Mapping) else None
        if message is None:
            raise errors.InvalidInput(f"a message is a dict, not {type(data).__name__}")
        if self._stopping.is_set():
            raise errors.ConfigurationError("this client was closed; connect again")
        with self._lock:
            id = self._take_id(message)
            self._connection.encode(message)
            self._waiting[id] = _Waiting(callback, message, time.monotonic() + self.reply_timeout)
            if self._socket is None:
                self._queue.append(message)
                return
        self._transmit(message)

    def close(self) -> None:
        """End the connection and make `run()` return. Closing again does nothing."""
        self._stopping.set()
        with self._lock:
            open_socket = self._socket
        if open_socket is None:
            return
        try:
            open_socket.send_close()
            # Only this wakes a thread that is reading.
            open_socket.sock.shutdown(socket.SHUT_RDWR)
        except (*_LOST, AttributeError):
            pass

    def _take_id(self, message: dict[str, Any]) -> int | str:
        id = message.get("msgId")
        if id is None:
            id, self._next_id = self._next_id, self._next_id + 1
            message["msgId"] = id
        if not isinstance(id, int | str) or isinstance(id, bool) or id in self._waiting:
            raise errors.InvalidInput(f"msgId {id!r} must be an int or a str that no open request has")
        return id

    def _connect(self) -> None:
        url, self._url = self._url or self._new_session(), None
        connect_within = self._connection.timeout.connect
        options = {"sslopt": _tls(self._connection.verify_ssl), "timeout": connect_within, **self._options}
        made: list[Any] = []
        kind = options.pop("class_", websocket.WebSocket)

        def make(**given: Any) -> Any:
            made.append(kind(**given))
            return made[-1]

        try:
            # A redirect would be handed the headers and cookies that are for this host.
            opened: Any = websocket.create_connection(
                url,
                class_=make,  # type: ignore[arg-type]
                **{**options, "redirect_limit": 0},
            )
            self._refuse_redirect(opened)
        except _LOST as error:
            self._refuse_redirect(made[-1] if made else None)
            raise errors.ConnectionFailed(
                f"WebSocket to {self._connection.ws_host}: {type(error).__name__}"
            ) from error
        bound_messages(opened)
        self._live = opened.sock = LiveSocket(opened.sock)
        forget_in_child(self)
        opened.settimeout(min(self.heartbeat, self.reply_timeout, _LONGEST_TICK))
        with self._lock:
            self._socket = opened

    def _refuse_redirect(self, opened: Any) -> None:
        answer = getattr(opened, "handshake_response", None)
        status = getattr(answer, "status", None)
        if answer is None or status is None or not 300 <= status < 400:
            return
        opened.shutdown()
        place = urlsplit(str(answer.headers.get("location") or "")).netloc.rpartition("@")[2]
        raise errors.InvalidResponse(
            f"WebSocket to {self._connection.ws_host}: {status}, a redirect to {place or 'another path'}, "
            "which is not followed: headers and cookies would travel along. Give the final host as ws_host="
        )

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        if self._live is not None:
            cut_off(self._live.fileno())

    def _serve(self) -> None:
        """One connection, from its first message to its last."""
        opened = self._socket
        try:
            self._greet()
            self._listen(opened)
        except _LOST as error:
            if not self._stopping.is_set():
                self._report(errors.ConnectionFailed(f"the connection was lost: {type(error).__name__}"))
        finally:
            with self._lock:
                self._socket = None
            self._live = None
            opened.shutdown()
        self._fail_waiting(errors.ConnectionFailed("the connection was lost before the reply came"))
        self._handle(self.on_close)

    def _greet(self) -> None:
        with self._lock:
            before, self._subscribed = self._subscribed, {}
            queued, self._queue = self._queue, []
        for message in queued:
            self._transmit(message)
        self._handle(self.on_open)
        for resource in before:
            # on_open may have subscribed to it again already.
            if resource not in self._subscribed:
                self.subscribe(resource)

    def _listen(self, opened: Any) -> None:
        due = time.monotonic() + self.heartbeat
        patience = max(self.heartbeat, _PATIENCE)
        asked: float | None = None  # when a sign of life was asked for that has not come
        while not self._stopping.is_set():
            try:
                # With control frames, or a peer that sends many would keep us from all the rest.
                opcode, payload = opened.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                opcode, payload = None, b""
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                self._receive(payload)
            now = time.monotonic()
            if asked is not None and opened.sock.heard >= asked:
                asked = None
            if asked is not None and now - asked > patience:
                raise ConnectionResetError(f"nothing came for {now - opened.sock.heard:.0f} seconds")
            if now >= due:
                due = now + self.heartbeat
                self._write({"type": "heartbeat"})
                self._send(opened.ping)
                asked = asked or now
            self._expire(now)

    def _receive(self, payload: bytes) -> None:
        try:
            message = self._connection.encoder.loads(payload.decode())
        except ValueError:
            message = None
        if not isinstance(message, Mapping):
            self._report(errors.InvalidResponse("a message that is no JSON object"))
        elif message.get("type") == "message":
            self._handle(self.on_message, message.get("resource"), message.get("value"))
        elif isinstance(message.get("head"), Mapping):
            self._reply(message["head"], message.get("body"))

    def _reply(self, head: Mapping[str, Any], body: Any) -> None:
        waiting = self._claim(head.get("msgId"))
        if head.get("ok", True):
            if waiting is not None:
                self._handle(waiting.callback, body)
            return
        status = head.get("status") or 0
        asked = waiting.asked if waiting is not None else {}
        error = errors.from_status(status)(
            [str(part) for part in head.get("errors") or ()],
            status=status,
            method=str(asked.get("type", "")),
            path=str(asked.get("flowId") or asked.get("path") or asked.get("object") or ""),
            creds=str(self._connection.creds.account),
        )
        if asked.get("type") == "subscribe":
            with self._lock:
                self._subscribed.pop(asked.get("flowId") or asked.get("path") or "", None)
        self._report(error)
        if waiting is not None:
            self._handle(waiting.callback, error)

    def _claim(self, id: Any) -> _Waiting | None:
        """The request with this msgId, which some servers return as a text."""
        with self._lock:
            if isinstance(id, int | str) and id in self._waiting:
                return self._waiting.pop(id)
            if isinstance(id, str) and id.isascii() and id.isdigit():
                return self._waiting.pop(int(id), None)
            return self._waiting.pop(str(id), None) if isinstance(id, int) else None

    def _transmit(self, message: dict[str, Any]) -> None:
        if message.get("type") == "subscribe":
            with self._lock:
                self._subscribed[message.get("flowId") or message.get("path") or ""] = None
        self._write(message)

    def _write(self, message: Mapping[str, Any]) -> None:
        encoded = self._connection.encode(message)
        opened = self._socket
        if opened is None:
            return
        self._send(opened.send, encoded.decode() if isinstance(encoded, bytes) else encoded)

    def _send(self, send: Callable[..., object], *message: str) -> None:
        live = self._live
        try:
            send(*message)
        except BaseException as error:
            # Half of a frame may have gone, and nothing can follow it. The reader meets the end of the
            # connection, tells everybody and connects again.
            if live is not None:
                live.cut()
            if not isinstance(error, _LOST):
                raise
            _log.debug("a message could not be sent: the connection is lost")

    def _expire(self, now: float) -> None:
        with self._lock:
            expired = self._take_expired(now)
        for waiting in expired:
            self._fail(waiting, errors.DeadlineExceeded(f"no reply within {self.reply_timeout} s"))

    def _take_expired(self, now: float) -> list[_Waiting]:
        late = [id for id, waiting in self._waiting.items() if waiting.until <= now]
        return [self._waiting.pop(id) for id in late]

    def _fail_waiting(self, error: errors.FlowThingsError) -> None:
        with self._lock:
            lost = self._take_sent()
        for waiting in lost:
            self._fail(waiting, error)

    def _take_sent(self) -> list[_Waiting]:
        queued = {message["msgId"] for message in self._queue}
        return [self._waiting.pop(id) for id in list(self._waiting) if id not in queued]

    def _abandon(self, error: errors.FlowThingsError) -> None:
        with self._lock:
            self._queue.clear()
        self._fail_waiting(error)

    def _fail(self, waiting: _Waiting, error: errors.FlowThingsError) -> None:
        if waiting.callback is not None:
            self._handle(waiting.callback, error)
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


def _flow(resource: Any) -> dict[str, str]:
    name = text(resource, "a flow's id or path")
    return {"path": name} if name.startswith("/") else {"flowId": name}


def _tls(verify_ssl: bool | str) -> dict[str, Any]:
    """The API's choice of certificates in the words of websocket-client."""
    if verify_ssl is False:
        return {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    bundle = verify_ssl if isinstance(verify_ssl, str) else os.environ.get("REQUESTS_CA_BUNDLE")
    if not bundle:
        return {}
    return {"ca_cert_path" if Path(bundle).is_dir() else "ca_certs": bundle}
