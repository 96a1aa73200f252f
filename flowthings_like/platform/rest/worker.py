"""gunicorn's gevent worker, with limits for each client and a graceful shutdown."""

from __future__ import annotations

import resource
import ssl
import time
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import gevent
from gevent.server import StreamServer
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from ...errors import ConfigurationError
from ..certificates import Certificate
from ..problems import Unavailable
from .connections import Connection, Connections
from .envelope import REASONS, Response, encode, failed

_POLL_INTERVAL = 0.1  # seconds
_SILENT = 5.0  # seconds that a client may be silent within a request while the worker waits to end
_LOOK_INTERVAL = 1.0  # seconds between two looks at the certificate's files, and two notes of the metrics
_BOOT_PAUSE = 1.0  # seconds between two workers that cannot start
_SPARE_FILES = 512  # descriptors for other things than clients

_UNREADABLE = {
    "ExpectationFailed": 417,
    "LimitRequestHeaders": 431,
    "LimitRequestLine": 414,
    "UnsupportedTransferCoding": 501,
}
"""Statuses by the name of gunicorn's error; it is 400 for all others."""


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn comes without types
    """Serves connections until SIGTERM; then it answers requests that have begun, closes the rest and ends.

    `app`, which gunicorn hands it, is a `platform.server.Server`.
    """

    def load_wsgi(self) -> None:
        """Open the application, or end so that another worker is started.

        gunicorn ends the whole server when a worker cannot start. But the others may still have what this one
        cannot get, and a database that is away comes back.
        """
        try:
            super().load_wsgi()
        except (ConfigurationError, Unavailable) as error:
            self.log.error("a worker cannot start, another one will try: %s", error)
            time.sleep(_BOOT_PAUSE)
            raise SystemExit(1) from error  # not gunicorn's WORKER_BOOT_ERROR

    def run(self) -> None:
        """Serve, and return when every request has been answered."""
        settings = self.app.settings
        limits = settings.connections
        _allow_files(limits.total + _SPARE_FILES)
        self._limits = limits
        self._connections = Connections(limits)
        self._certificate: Certificate | None = None
        if settings.certfile is not None:
            self._certificate = Certificate(
                settings.certfile, settings.keyfile, partial(ssl_context, self.cfg)
            )
        servers = []
        for sock in self.sockets:
            sock.setblocking(1)
            server = StreamServer(sock, handle=partial(self.handle, sock))
            if self.cfg.workers > 1:
                server.max_accept = 1
            server.start()
            servers.append(server)
        self.app.accepting()
        self._watch()
        for server in servers:
            server.close()
        self.wsgi.stop()
        gevent.sleep(_POLL_INTERVAL)  # in which the clients of live sessions are told
        self._connections.close()
        deadline = time.monotonic() + settings.stop_seconds
        while len(self._connections) and time.monotonic() < deadline:
            self.notify()
            self._connections.end_silent(_SILENT)
            gevent.sleep(_POLL_INTERVAL)
        self._connections.end()

    def _watch(self) -> None:
        """Look after the worker until it is told to stop."""
        looked, late = time.monotonic(), 0.0
        while self.alive:
            self.notify()
            before = time.monotonic()
            gevent.sleep(_POLL_INTERVAL)
            now = time.monotonic()
            late = max(late, now - before - _POLL_INTERVAL)
            if now - looked >= _LOOK_INTERVAL:
                self.app.observe(self._connections.phases(), late)
                if self._certificate is not None:
                    self._certificate.refresh()
                looked, late = now, 0.0

    def timeout_ctx(self) -> Any:
        """No timeout here: the connection has its own."""
        return nullcontext()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection."""
        connection = Connection(client, addr[0], self._limits)
        if not self._connections.admit(connection):
            with suppress(OSError):
                if not self._is_encrypted(listener):
                    self._refuse(connection)
            client.close()
            return
        try:
            if self._is_encrypted(listener):
                assert self._certificate is not None
                connection.secure(partial(self._wrap, self._certificate.context))
        except OSError as error:  # an SSLError and a timeout are one
            self.log.debug("no TLS handshake with %s: %s", addr[0], error)
            connection.close()
            self._connections.discard(connection)
            return
        try:
            super().handle(listener, connection, addr)
        finally:
            self._connections.discard(connection)

    def handle_request(self, listener_name: Any, req: Any, sock: Connection, addr: Any) -> None:
        """Answer one request of a connection."""
        sock.begin()
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.finish()
            if not self.alive:
                sock.end()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be read, or whose answer has failed. The connection ends.

        gunicorn's own method writes what was sent into the log, and that may be a token.
        """
        kind = type(exc).__name__
        if isinstance(exc, (ParseException, ssl.SSLError)) and not kind.startswith("InvalidResponse"):
            status = _UNREADABLE.get(kind, 400)
            self.log.warning("a request from %s cannot be read: %s", addr[0] if addr else "a socket", kind)
            text = f"the request cannot be read: {kind}"
        else:
            status = 500
            self.log.exception("a request failed")
            text = "the platform failed, its log says why"
        with suppress(OSError):
            _send(client, Response({}, status, errors=[text]))

    @staticmethod
    def _wrap(context: Any, sock: Any) -> Any:
        return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _is_encrypted(self, listener: Any) -> bool:
        """Whether clients of a listening socket speak TLS: all but those of the metrics port."""
        return self._certificate is not None and listener.getsockname()[1] != self.app.metrics_port

    @staticmethod
    def _refuse(connection: Connection) -> None:
        problem = Unavailable("too many connections come from this address: use fewer, or try again")
        _send(connection, failed(problem), "Retry-After: 1\r\n")


def _send(client: Any, response: Response, headers: str = "") -> None:
    """Send a response past gunicorn; it is the connection's last."""
    content = encode(response)
    client.sendall(
        f"HTTP/1.1 {REASONS[response.status]}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\n{headers}Connection: close\r\n\r\n".encode()
        + content
    )


def _allow_files(wanted: int) -> None:
    """Raise this process's own limit of open files, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft not in (resource.RLIM_INFINITY,) and soft < most:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
