"""The HTTP front of live messages: a WSGI application before that of the REST side.

    POST /session                     opens a session; both headers are required
    GET  /session/<id>/ws             its WebSocket
    GET  /session/<id>/streaming      pushes as lines of JSON, for as long as the client reads
    GET  /session/<id>/polling        pushes as a list, as soon as there are any

The last two take the subscription in their query: `flowId` or `path`, and if wanted `filter`, `since` and
`hints`. A client that polls passes the `cursor` of the last push as `since`, so no process has to keep
anything between two polls, and none is lost.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from ...wire.live import HEARTBEAT, Since
from ...wire.websocket import accept_key
from ..problems import BadRequest, MethodNotAllowed, NotFound, Problem
from ..resources.query.query import switch
from ..rest import request as requests_in
from ..rest.envelope import Response, created
from .live import Live
from .sockets import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..resources.access.accounts import Accounts
    from ..resources.drops.resource_store import ResourceStore
    from ..rest.application import Application, Environ, StartResponse
    from .session import Session

__all__ = ["LiveFront"]

LONGEST_POLL = 30.0
"""Seconds that a poll waits for a push, at most."""

STREAM_HEARTBEAT = 20.0
"""Seconds after which a stream without pushes gets a heartbeat."""


class LiveFront:
    """The platform as a WSGI application, with live messages.

    Args:
        application: the REST side.
        store: the platform's data.
        accounts: authenticates callers.

    Attributes:
        live: opens sessions for callers in this process.
    """

    def __init__(self, application: Application, store: ResourceStore, accounts: Accounts) -> None:
        self._application = application
        self.live = Live(store, accounts, application.call)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 says."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/session"):
            return self._application(environ, start_response)
        begun: list[Callable[[], Iterable[bytes]]] = []

        def work() -> Response:
            found = self._route(environ, path.strip("/").split("/"), start_response)
            if isinstance(found, Response):
                return found
            begun.append(found)
            return Response({})

        response = self._application.guarded(work, f"{environ['REQUEST_METHOD']} /session")
        return begun[0]() if begun else self._application.send(environ, start_response, response)

    def stop(self) -> None:
        """End all sessions, because the server stops. Their clients are told, and connect elsewhere."""
        self.live.close()

    def close(self) -> None:
        """End all sessions, and close the REST side."""
        self.stop()
        self._application.close()

    def _route(
        self, environ: Environ, segments: list[str], start_response: StartResponse
    ) -> Response | Callable[[], Iterable[bytes]]:
        """The response, or the function that gives it as it comes."""
        method = environ["REQUEST_METHOD"]
        if segments == ["session"]:
            _require(method, "POST")
            token, account = environ.get("HTTP_X_AUTH_TOKEN"), environ.get("HTTP_X_AUTH_ACCOUNT")
            return created({"id": self.live.new_session_id(token, account)})
        if len(segments) != 3 or segments[0] != "session":
            raise NotFound("there is nothing here: POST /session opens a session, /session/<id>/ws uses it")
        _require(method, "GET")
        session = self.live.open(segments[1])
        if segments[2] == "ws":
            return _web_socket(environ, session)
        if segments[2] not in ("streaming", "polling"):
            raise NotFound(f"there is no /session/<id>/{segments[2]}: there are ws, streaming and polling")
        seconds = _subscribe(session, requests_in.query(environ))
        if segments[2] == "polling":
            return _poll(session, seconds)
        start_response("200 OK", [("Content-Type", "application/x-ndjson"), ("Cache-Control", "no-store")])
        return lambda: _stream(session)


def _require(method: str, needed: str) -> None:
    if method != needed:
        raise MethodNotAllowed(f"{method} means nothing here: {needed} does", [needed])


def _web_socket(environ: Environ, session: Session) -> Callable[[], Iterable[bytes]]:
    """Do the handshake. Returns a function that serves the WebSocket until it ends."""
    try:
        if environ.get("HTTP_UPGRADE", "").lower() != "websocket" or environ.get(
            "HTTP_SEC_WEBSOCKET_VERSION"
        ) not in ("13", None):
            raise BadRequest("this is the place of a WebSocket: ask for an upgrade to version 13")
        try:
            key = accept_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""))
        except ValueError as error:
            raise BadRequest(str(error)) from None
        take_over: Callable[[], Any] | None = environ.get("flowthings.take_over") or getattr(
            environ.get("gunicorn.socket"), "take_over", None
        )
        if take_over is None:
            raise NotImplementedHere("this server does not hand over sockets: use /polling")
        sock = take_over()
        sock.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {key}\r\n\r\n".encode()
        )
    except BaseException:
        session.close()
        raise

    def served() -> Iterable[bytes]:
        serve(sock, session)
        # gunicorn takes this for "there is no response, and the connection has ended".
        raise StopIteration

    return served


class NotImplementedHere(Problem):
    """The server cannot do it."""

    status = 501


def _subscribe(session: Session, params: dict[str, list[str]]) -> float:
    """Subscribe to what a query names. Returns for how long to wait for pushes."""
    given = {name: values[-1] for name, values in params.items()}
    ref = given.get("flowId") or given.get("path")
    if not ref:
        raise BadRequest("flowId or path is required: the flow's id, or its path such as /account/weather")
    typed = switch(params, "hints") is True
    session.subscribe(ref, _since(given.get("since")), given.get("filter") or "", typed)
    session.outgoing.take()  # the reply
    try:
        return min(float(given.get("wait") or LONGEST_POLL), LONGEST_POLL)
    except ValueError:
        raise BadRequest(f"wait must be a number of seconds, not {given['wait'][:40]!r}") from None


def _since(text: str | None) -> Since:
    """Where to begin: now, start, a push's cursor, a drop's id, or ms since the epoch."""
    given: Any = text or "now"
    if given.isdecimal():
        given = {"time": int(given)}
    elif given.startswith("d"):
        given = {"drop": given}
    elif given not in ("now", "start"):
        given = {"cursor": given}
    try:
        return Since.parse(given)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _poll(session: Session, seconds: float) -> Response:
    """The next pushes, as soon as there are any."""
    try:
        return Response(_next_pushes(session, seconds))
    finally:
        session.close()


def _next_pushes(session: Session, seconds: float) -> list[Any]:
    found: list[Any] = []
    deadline = monotonic() + seconds
    while not found and (left := deadline - monotonic()) > 0:
        found = [orjson.Fragment(text) for batch in session.output(left) for text in batch.texts]
        if session.outgoing.ending is not None:
            break
    return found


def _stream(session: Session) -> Iterator[bytes]:
    """The pushes as lines, until the client has gone."""
    try:
        yield from _lines(session)
    finally:
        session.close()


def _lines(session: Session) -> Iterator[bytes]:
    while True:
        batches = session.output(STREAM_HEARTBEAT)
        texts = [text for batch in batches for text in batch.texts]
        if session.outgoing.ending is not None and not texts:
            return
        yield b"\n".join([*(texts or [HEARTBEAT]), b""])
