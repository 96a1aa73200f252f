"""One place on the network, and the connections that this process has to it."""

from __future__ import annotations

import os
import ssl
from time import monotonic
from typing import TYPE_CHECKING

import requests
from requests.exceptions import ConnectTimeout, ContentDecodingError, InvalidURL, ReadTimeout, SSLError

from ..wire.http import PackingError, ProtocolError, UnsafeRequestError, request_head
from .http1 import HTTPConnection, LostError
from .pool import Pool
from .tls import client_context

if TYPE_CHECKING:
    from ..wire.http import Answer
    from .retry import Limits

__all__ = ["POOL_SIZE", "NotSentError", "Origin"]

POOL_SIZE = 100
"""Connections to one place at once. Who asks for more waits for a free one."""

IDLE_SECONDS = 50.0
"""Shorter than the minute after which most servers and balancers hang up."""

# Doing one of these twice leaves what doing it once leaves.
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "MGET", "MPUT"))
_PORTS = {"http": 80, "https": 443}


class NotSentError(requests.ConnectionError):
    """There is no connection, and nothing of the request has left."""


class Origin:
    """A scheme, a host and a port, and a pool of connections there. Nothing is opened before it is needed.

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
        self.host_line = f"Host: {shown}\r\n".encode()
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

    def exchange(self, method: str, target: str, lines: bytes, body: bytes | None, limits: Limits) -> Answer:
        """Send one request and read the whole answer.

        A connection that turns out to be dead before a byte of an answer came is replaced by a new one, once,
        if nothing of the request had left or if its method may be repeated.

        Args:
            method: the verb, in capitals.
            target: path and query.
            lines: all headers but Content-Length.
            body: None for none.
            limits: how long it may take. Waiting for a free connection may take as long as a read.

        Raises:
            requests.RequestException: what requests raises in that case.
            DeadlineExceeded: no connection was free in time.
        """
        try:
            length = None if body is None and method in ("GET", "HEAD") else len(body or b"")
            request = request_head(method, target, lines, length)
        except UnsafeRequestError as error:
            raise InvalidURL(str(error)) from None
        if body:
            request += body
        connect, read, total = limits
        now = monotonic()
        until = None if total is None else now + total
        patience = until if read is None else now + read
        try:
            return self._exchange(request, method, connect, read, until, patience)
        except LostError as error:
            raise (requests.ConnectionError if error.sent else NotSentError)(str(error)) from error
        except PackingError as error:
            raise ContentDecodingError(str(error)) from error
        except ProtocolError as error:
            raise requests.ConnectionError(str(error)) from error

    def _exchange(
        self,
        request: bytes,
        method: str,
        connect: float | None,
        read: float | None,
        until: float | None,
        patience: float | None,
    ) -> Answer:
        fresh = False
        while True:
            with self.pool.lease(patience, connect, until, fresh=fresh) as lease:
                connection = lease.connection
                try:
                    answer = connection.exchange(request, method, read, until)
                except TimeoutError as error:
                    raise ReadTimeout("the time ran out while waiting for the answer") from error
                except LostError as error:
                    repeatable = method in _REPEATABLE or not error.sent
                    if fresh or not lease.reused or error.answered or not repeatable:
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
        except TimeoutError as error:
            raise ConnectTimeout("the time ran out while connecting") from error
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except OSError as error:
            raise NotSentError(error) from error

    def _tls(self) -> ssl.SSLContext | None:
        if not self._secure:
            return None
        found = self._context
        if found is None or found[0] != os.getpid():
            try:
                found = self._context = os.getpid(), client_context(self._verify)
            except OSError as error:
                raise SSLError(f"{self._verify} is no bundle of certificates: {error}") from error
        return found[1]
