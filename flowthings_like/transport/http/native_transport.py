"""The native transport: sends plain HTTP/1.1 requests over connections of our own, and reads the answers.

It has one pool of connections for each origin (scheme, host and port). It knows neither requests nor its
sessions: whether a request may go this way is decided before, see sender.py.
"""

from __future__ import annotations

import os
import re
import ssl
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import finalize

from ...errors import (
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    InvalidResponse,
    ResponseTooLarge,
)
from ...wire.http import BodyTooLargeError, PackingError, ProtocolError, UnsafeRequestError, request_head
from ..connection_pool import Pool
from ..tls import client_context
from .connection import ConnectionLostError, HTTPConnection

if TYPE_CHECKING:
    from ...wire.http import Answer
    from ..retry import Timeout

__all__ = ["ORIGIN", "POOL_SIZE", "NativeTransport", "Origin", "describe_too_large"]

ORIGIN = re.compile(r"(https?)://(?:([a-z0-9_.-]+)|\[([0-9a-f:.]+)\])(?::([0-9]{1,5}))?", re.IGNORECASE)
"""A URL up to its path, in the forms that this transport takes: scheme, name or address, port."""

POOL_SIZE = 100
"""Connections to one origin at once. A caller that needs one more waits for a free one."""

MOST_ORIGINS = 64
"""Origins that one transport keeps connections to."""

STALE_AFTER = 1.0
"""Seconds of idleness after which a connection may have died without a word: a proxy, a balancer or a
firewall on the way has forgotten it, and what is sent on it is lost."""

IDLE_SECONDS = 50.0
"""Shorter than the minute after which most servers and balancers hang up."""

# Doing one of these twice leaves what doing it once leaves.
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "MGET", "MPUT"))
_PORTS = {"http": 80, "https": 443}


class NotConnectedError(Exception):
    """There is no connection, and nothing of the request was sent. The cause says why."""


class NativeTransport:
    """Sends requests and reads answers. Nothing is opened before it is needed; any thread may use it.

    >>> lines = header_lines({"Accept": "*/*"})
    >>> NativeTransport().handle("GET", url, lines, timeout=Timeout(5, 5, 30))  # doctest: +SKIP
    Answer(status=200, reason='OK', headers=Headers({…}), body=b'…')
    """

    def __init__(self) -> None:
        self._origins: dict[tuple[str, bool | str], Origin] = {}
        finalize(self, _close, self._origins).atexit = False

    @property
    def pools(self) -> list[Pool[HTTPConnection]]:
        """One for each origin that was sent to."""
        return [origin.pool for origin in list(self._origins.values())]

    def handle(
        self,
        method: str,
        url: str,
        lines: bytes,
        body: bytes | None = None,
        *,
        timeout: Timeout,
        verify: bool | str = True,
        max_bytes: int | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            method: the verb, in capitals.
            url: complete, with its query, and percent-encoded.
            lines: the headers, from `header_lines`, without Host and Content-Length.
            body: None for none.
            timeout: how long it may take. Waiting for a free connection may take as long as a read.
            verify: for https: True, False, or the path of a bundle of authorities.
            max_bytes: bytes that the answer's body may have, as it comes and unpacked; None for any number.

        Raises:
            InvalidInput: a URL or a method that cannot be sent.
            ConnectionFailed: no connection, a broken one, or a certificate that does not verify.
            DeadlineExceeded: the time ran out.
            InvalidResponse: the answer's body cannot be unpacked.
            ResponseTooLarge: the answer's body has more bytes than it may have.
        """
        slash = url.find("/", 8)
        prefix, target = (url, "/") if slash < 0 else (url[:slash], url[slash:])
        try:
            origin = self._origins.get((prefix, verify)) or self._add_origin(prefix, verify)
            return origin.exchange(method, target, lines, body, timeout, max_bytes)
        except FlowThingsError:
            raise
        except (UnsafeRequestError, NotConnectedError, ConnectionLostError, TimeoutError) as error:
            raise _failure(error, method, url) from error.__cause__ or error
        except (BodyTooLargeError, PackingError, ProtocolError) as error:
            raise _failure(error, method, url) from error

    def close(self) -> None:
        """Close all idle connections, and those in use when they come back. It may be used again."""
        _close(self._origins)

    def _add_origin(self, prefix: str, verify: bool | str) -> Origin:
        match = ORIGIN.fullmatch(prefix)
        if match is None:
            raise UnsafeRequestError("the URL does not begin with http:// or https:// and a host")
        origins = self._origins
        for oldest in list(origins)[: max(0, len(origins) + 1 - MOST_ORIGINS)]:
            dropped = origins.pop(oldest, None)
            if dropped is not None:
                dropped.pool.close()
        scheme, name, address, port = match.groups()
        made = Origin(scheme.lower(), (name or address).lower(), int(port) if port else None, verify)
        # Of two threads that get here at once both must use the same one.
        return origins.setdefault((prefix, verify), made)


class Origin:
    """A scheme, a host and a port, and a pool of connections there.

    Args:
        scheme: http or https.
        host: a name or address, without brackets.
        port: None for the scheme's own.
        verify: for https: True, False, or the path of a bundle of authorities.
    """

    def __init__(self, scheme: str, host: str, port: int | None, verify: bool | str = True) -> None:
        self.host = host
        self.port = port or _PORTS[scheme]
        shown = f"[{host}]" if ":" in host else host
        if self.port != _PORTS[scheme]:
            shown += f":{self.port}"
        self._host_line = f"Host: {shown}\r\n".encode()
        self.pool: Pool[HTTPConnection] = Pool(
            f"connections to {scheme}://{shown}",
            self._open,
            HTTPConnection.close,
            size=POOL_SIZE,
            idle_for=IDLE_SECONDS,
            usable=HTTPConnection.usable,
        )
        self._secure = scheme == "https"
        self._verify = verify
        self._context: tuple[int, ssl.SSLContext] | None = None

    def exchange(
        self,
        method: str,
        target: str,
        lines: bytes,
        body: bytes | None,
        timeout: Timeout,
        max_bytes: int | None,
    ) -> Answer:
        """Send one request and read the whole answer.

        A connection that turns out to be dead before a byte of an answer came is replaced by a new one, once,
        if nothing of the request had left or if its method may be repeated.

        Raises:
            UnsafeRequestError: a method or a target that would become another request.
            NotConnectedError: no connection could be opened.
            ConnectionLostError: the connection broke. ProtocolError: what came is no HTTP.
            TimeoutError: the answer came too late. DeadlineExceeded: no connection was free in time.
            BodyTooLargeError, PackingError: the body is too large, or cannot be unpacked.
        """
        length = None if body is None and method in ("GET", "HEAD") else len(body or b"")
        request = request_head(method, target, self._host_line + lines, length)
        if body:
            request += body
        until = None if timeout.total is None else monotonic() + timeout.total
        fresh, process = False, os.getpid()
        while True:
            began = monotonic()
            wait_until = until if timeout.read is None else began + timeout.read
            with self.pool.lease(wait_until, timeout.connect, until, fresh=fresh) as lease:
                connection = lease.connection
                first_by = None
                if timeout.reused is not None and lease.idled >= STALE_AFTER:
                    first_by = monotonic() + timeout.reused
                try:
                    answer = connection.exchange(
                        request, method, timeout.read, until, first_by=first_by, limit=max_bytes
                    )
                except TimeoutError:
                    if lease.reused:
                        # It may have died while it was idle, and others at the same time.
                        self.pool.close_idle(began)
                    raise
                except ConnectionLostError as error:
                    repeatable = method in _IDEMPOTENT or not error.sent
                    forked = process != os.getpid()
                    if fresh or not lease.reused or error.answered or not repeatable or forked:
                        raise
                    fresh = True
                else:
                    if connection.reusable:
                        lease.complete()
                    return answer

    def _open(self, timeout: float | None, until: float | None) -> HTTPConnection:
        context = self._tls()
        try:
            return HTTPConnection(self.host, self.port, context, timeout, until)
        except OSError as error:
            raise NotConnectedError from error

    def _tls(self) -> ssl.SSLContext | None:
        if not self._secure:
            return None
        found = self._context
        if found is None or found[0] != os.getpid():
            try:
                found = self._context = os.getpid(), client_context(self._verify)
            except OSError as error:
                wrong = ssl.SSLError(f"{self._verify} is no bundle of certificates: {error}")
                raise NotConnectedError from wrong
        return found[1]


def describe_too_large(error: BodyTooLargeError) -> str:
    """Describe an answer that is too large, and what to write."""
    unpacked = "unpacks to" if error.unpacked else "is"
    return (
        f"the answer {unpacked} more than {error.limit} bytes, and the rest was not read; "
        "raise max_response_bytes=, or ask for less at once (limit=, only=)"
    )


def _failure(error: Exception, method: str, url: str) -> FlowThingsError:
    """The error to raise for what has gone wrong in an exchange."""
    parts = urlsplit(url)
    asked = f"{method} {parts.path} at {parts.netloc.rpartition('@')[2]}"
    failed: ConnectionFailed | DeadlineExceeded
    if isinstance(error, UnsafeRequestError):
        return InvalidInput(f"{asked}: {error}")
    if isinstance(error, BodyTooLargeError):
        return ResponseTooLarge(f"{asked}: {describe_too_large(error)}")
    if isinstance(error, PackingError):
        return InvalidResponse(f"{asked}: the answer cannot be unpacked: {error}")
    if isinstance(error, NotConnectedError):
        cause = error.__cause__
        if isinstance(cause, TimeoutError):
            failed = DeadlineExceeded(f"{asked}: the time ran out while connecting")
        elif isinstance(cause, ssl.SSLError):
            failed = ConnectionFailed(f"{asked}: no trusted TLS connection: {_reason(cause)}")
            failed.retryable = False
            return failed
        else:
            failed = ConnectionFailed(f"{asked}: {_reason(cause or error)}")
        failed.sent = False
        return failed
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{asked}: the time ran out while waiting for the answer")
    failed = ConnectionFailed(f"{asked}: {error}")
    failed.sent = not isinstance(error, ConnectionLostError) or error.sent
    return failed


def _reason(error: BaseException) -> str:
    said = str(error.args[-1]) if error.args else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _close(origins: dict[tuple[str, bool | str], Origin]) -> None:
    for origin in list(origins.values()):
        origin.pool.close()
