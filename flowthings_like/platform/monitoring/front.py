"""The WSGI application of a served platform: request ids, health and metrics around all the rest.

    GET /healthz     200 as long as the process answers
    GET /readyz      200 if it can read its data and has not been told to stop, else 503. It lists the bus,
                     whose loss leaves it at 200: requests are answered without the bus, by all workers alike
    GET /metrics     at the metrics port alone, because it says how much is done

They take no token. No account can have these paths: those of accounts begin with a version and a name.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..problems import MethodNotAllowed, NotFound, Unavailable
from ..resources.base import registry
from ..rest.envelope import Response
from .metrics import CONTENT_TYPE
from .request_context import CURRENT, RequestContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..bus.reachability import BusState
    from ..live.front import LiveFront
    from ..rest.application import Application, Environ, StartResponse
    from .metrics import ServerMetrics

__all__ = ["MonitoringFront"]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "MGET", "MPUT"))
_RESOURCES = frozenset(("drop", "plan", "statistics"))


class MonitoringFront:
    """The platform as a server shows it.

    Args:
        front: live messages and the REST side.
        application: the REST side, which writes responses.
        check: raises Unavailable if requests cannot be answered now.
        metrics: counts requests; None if nobody asks.
        metrics_port: the port at which metrics are shown, and nothing of the platform; None for none.
        bus: returns the state of the bus; None if there is none that could be lost.
    """

    def __init__(
        self,
        front: LiveFront,
        application: Application,
        check: Callable[[], object],
        metrics: ServerMetrics | None = None,
        metrics_port: int | None = None,
        bus: Callable[[], BusState | None] = lambda: None,
    ) -> None:
        self._front = front
        self._application = application
        self._check = check
        self._metrics = metrics
        self._metrics_port = None if metrics_port is None else str(metrics_port)
        self._bus = bus
        self._is_stopping = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 says."""
        context = RequestContext.of(environ)
        CURRENT.set(context)
        status = "101"  # of one that takes over its socket, which starts no response

        def start(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, [*headers, ("X-Request-Id", context.id)], *more)

        path = environ.get("PATH_INFO", "")
        is_own = path in ("/healthz", "/readyz", "/metrics")
        if is_own or environ.get("SERVER_PORT") == self._metrics_port:
            return self._inspect(environ, start, path)
        metrics = self._metrics
        if metrics is None:
            return self._front(environ, start)
        started = time.perf_counter()
        method: str = environ["REQUEST_METHOD"]
        try:
            with metrics.answering():
                return self._front(environ, start)
        finally:
            metrics.answered(
                method if method in _METHODS else "other",
                _resource(path),
                status,
                time.perf_counter() - started,
            )

    def stop(self) -> None:
        """The server stops: say so at /readyz, and end the live sessions."""
        self._is_stopping = True
        self._front.stop()

    def close(self) -> None:
        """End all sessions, and close the REST side."""
        self._is_stopping = True
        self._front.close()

    def _inspect(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        text: list[bytes] = []

        def work() -> Response:
            if method not in ("GET", "HEAD"):
                raise MethodNotAllowed(f"{method} means nothing here: GET does", ["GET", "HEAD"])
            if path == "/healthz":
                return Response({"status": "ok"})
            if path == "/readyz":
                if self._is_stopping:
                    raise Unavailable("the server is stopping")
                self._check()
                return Response(self._readiness())
            at_port = environ.get("SERVER_PORT") == self._metrics_port
            if path == "/metrics" and self._metrics is not None and at_port:
                text.append(self._metrics.text())
                return Response({})
            raise NotFound(f"there is nothing at {path}")

        response = self._application.guarded(work, f"{method} {path}")
        if not text:
            return self._application.send(environ, start_response, response)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(text[0])))])
        return [] if method == "HEAD" else text

    def _readiness(self) -> dict[str, Any]:
        bus = self._bus()
        if bus is None:
            return {"status": "ready"}
        reached = round(bus.last_reached * 1000) or None
        return {"status": "ready", "bus": {"connected": bus.is_connected, "lastReached": reached}}


def _resource(path: str) -> str:
    """What a path is about, of which there are few."""
    segments = path.split("/", 4)
    if segments[1:2] == ["session"]:
        return "session"
    name = segments[3] if len(segments) > 3 else ""
    return name if name in _RESOURCES or name in registry.resources() else "other"
