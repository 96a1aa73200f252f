"""One place on the network, and the connections that this process has to it."""

from __future__ import annotations

import os
import ssl
from time import monotonic
from typing import TYPE_CHECKING

import requests
from requests.exceptions import ConnectTimeout, ContentDecodingError, InvalidURL, ReadTimeout, SSLError

from ...wire.http import BodyTooLargeError, PackingError, ProtocolError, UnsafeRequestError, request_head
from ..pool import Pool
from ..tls import client_context
from .connection import HTTPConnection, LostError

if TYPE_CHECKING:
    from ...wire.http import Answer
    from ..retry import Limits

__all__ = ["POOL_SIZE", "AnswerTooLargeError", "BadRedirectError", "NotSentError", "Origin", "too_large"]

POOL_SIZE = 100
"""Connections to one place at once. Who asks for more waits for a free one."""

SUSPICIOUS = 1.0
"""Seconds of idleness after which a connection may have died without a word: a proxy, a balancer or a
firewall on the way has forgotten it, and what is sent on it is lost."""

IDLE_SECONDS = 50.0
"""Shorter than the minute after which most servers and balancers hang up."""

# Doing one of these twice leaves what doing it once leaves.
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "MGET", "MPUT"))
_PORTS = {"http": 80, "https": 443}


def too_large(error: BodyTooLargeError) -> str:
    """What to say of it, and what to write."""
    unpacked = "unpacks to" if error.unpacked else "is"
    return (
        f"the answer {unpacked} more than {error.limit} bytes, and the rest was not read; "
        "raise max_response_bytes=, or ask for less at once (limit=, only=)"
    )


class NotSentError(requests.ConnectionError):
    """There is no connection, and nothing of the request has left."""


class AnswerTooLargeError(requests.RequestException):
    """An answer of more bytes than are wanted."""


class BadRedirectError(requests.RequestException):
    """A redirect to what is no URL."""


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

    def exchange(
        self,
        method: str,
        target: str,
        lines: bytes,
        body: bytes | None,
        limits: Limits,
        most: int | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        A connection that turns out to be dead before a byte of an answer came is replaced by a new one, once,
        if nothing of the request had left or if its method may be repeated.

        Args:
            method: the verb, in capitals.
            target: path and query.
            lines: all headers but Content-Length.
            body: None for none.
            limits: how long it may take. Waiting for a free connection may take as long as a read.
            most: bytes that the answer's body may have, as it comes and unpacked; None for any number.

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
        until = None if limits.total is None else monotonic() + limits.total
        try:
            return self._exchange(request, method, limits, until, most)
        except BodyTooLargeError as error:
            raise AnswerTooLargeError(too_large(error)) from error
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
        limits: Limits,
        until: float | None,
        most: int | None,
    ) -> Answer:
        read, fresh, process = limits.read, False, os.getpid()
        while True:
            began = monotonic()
            patience = until if read is None else began + read
            with self.pool.lease(patience, limits.connect, until, fresh=fresh) as lease:
                connection = lease.connection
                first_by = None
                if limits.reused is not None and lease.idled >= SUSPICIOUS:
                    first_by = monotonic() + limits.reused
                try:
                    answer = connection.exchange(request, method, read, until, first_by=first_by, limit=most)
                except TimeoutError as error:
                    if lease.reused:
                        # It may have died while it was idle, and others at the same time.
                        self.pool.drop_idle(began)
                    raise ReadTimeout("the time ran out while waiting for the answer") from error
                except LostError as error:
                    repeatable = method in _REPEATABLE or not error.sent
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
