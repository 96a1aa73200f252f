"""One connection that speaks HTTP/1.1: a socket, perhaps TLS around it, and a parser.

`socket` is looked up when a connection is opened, so it is the green one where that is patched in.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..green.turnstile import LARGE, turn
from ..wire.http import ResponseParser
from .tls import TLSStream

if TYPE_CHECKING:
    import ssl

    from ..wire.http import Answer

__all__ = ["HTTPConnection", "LostError"]

CHUNK = 65_536
LARGE_PACKED = LARGE // 8  # what JSON is packed to that takes a turn to unpack
_BROKEN = (OSError, EOFError)


class LostError(Exception):
    """The connection broke before the answer was complete.

    Attributes:
        sent: whether anything of the request may have left.
        answered: whether anything of an answer came.
    """

    def __init__(self, reason: str, *, sent: bool, answered: bool) -> None:
        super().__init__(reason)
        self.sent = sent
        self.answered = answered


class HTTPConnection:
    """A connection to one host, for one exchange at a time.

    Args:
        host: a name or an address.
        port: its port.
        context: for TLS; None for none.
        timeout: seconds to connect, for each address of the host; None waits for ever.
        until: the `time.monotonic()` by which it must be done, or None.

    Raises:
        OSError: there is no connection to be had; TimeoutError: not in time; ssl.SSLError: no trusted one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
        timeout: float | None = None,
        until: float | None = None,
    ) -> None:
        self._parser = ResponseParser()
        self._socket: socket.socket | None = None
        self._timeout: float | None = None
        try:
            self._socket = below = self._connect(host, port, timeout, until)
            self._stream: Any = below
            if context is not None:
                self._stream = TLSStream(below, context, host)
                self._stream.handshake()
        except BaseException:
            self.close()
            raise

    def _connect(self, host: str, port: int, timeout: float | None, until: float | None) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
            try:
                # Held by self from the first moment, so that an interrupt finds something to close.
                self._socket = made = socket.socket(family, kind, protocol)
            except OSError as error:
                failure = error
                continue
            try:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._timeout = _sooner(timeout, until)
                made.settimeout(self._timeout)
                made.connect(address)
                return made
            except OSError as error:
                failure = error
                made.close()
        try:
            raise failure or OSError(f"{host} has no address")
        finally:
            del failure  # or its traceback and this frame keep each other alive

    @property
    def reusable(self) -> bool:
        """Whether the last exchange has left the connection fit for another."""
        return self._parser.reusable

    def exchange(
        self, request: bytes, method: str, timeout: float | None = None, until: float | None = None
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            request: its bytes.
            method: its verb, for an answer to HEAD has no body.
            timeout: seconds between two reads; None waits for ever.
            until: the `time.monotonic()` by which all must be done, or None.

        Raises:
            LostError: the connection broke. TimeoutError: too late. ProtocolError: what came is no HTTP.
        """
        stream, parser = self._stream, self._parser
        parser.begin(method)
        broken = self._send(request, timeout, until)
        total, due = 0, LARGE
        try:
            if until is not None or timeout != self._timeout:
                self._limit(timeout, until)
            while True:
                data = stream.recv(CHUNK)
                total += len(data)
                if parser.feed(data) if data else parser.finish():
                    break
                if not data:
                    raise LostError(
                        broken or "it was closed before the answer was complete",
                        sent=True,
                        answered=parser.started,
                    )
                if total >= due:
                    # While there is data no read waits, and whoever reads holds up all the others.
                    turn()
                    due = total + LARGE
                if until is not None:
                    self._limit(timeout, until)
        except TimeoutError:
            raise
        except _BROKEN as error:
            raise LostError(broken or _said(error), sent=True, answered=parser.started) from error
        if broken is not None:
            parser.reusable = False
        if total >= LARGE_PACKED and parser.packing:
            turn()
        return parser.answer()

    def _send(self, request: bytes, timeout: float | None, until: float | None) -> str | None:
        """Send all of it; what went wrong in the middle is returned: there may be an answer all the same."""
        stream: Any = self._stream
        sent = 0
        try:
            # `usable` has left the socket so that it does not wait, and most requests need no waiting.
            if self._timeout == 0.0 and not isinstance(stream, TLSStream):
                with suppress(BlockingIOError):
                    sent = stream.send(request)
            if sent < len(request):
                self._limit(timeout, until)
                sent += stream.send(request[sent:])
            if sent < len(request):
                stream.sendall(memoryview(request)[sent:])
        except TimeoutError:
            raise
        except OSError as error:
            if sent:
                return _said(error)
            raise LostError(_said(error), sent=False, answered=False) from error
        return None

    def usable(self) -> bool:
        """Whether an idle connection is still open and silent. Does not wait."""
        stream, below = self._stream, self._socket
        if below is None or (stream is not below and not stream.quiet()):
            return False
        below.settimeout(0.0)
        self._timeout = 0.0
        try:
            # Anything but silence means that it is at its end, or out of step.
            below.recv(1)
        except BlockingIOError:
            return True
        except _BROKEN:
            pass
        return False

    def close(self) -> None:
        """Close the socket at once."""
        closing, self._socket = self._socket, None
        self._stream = None
        self._parser.release()
        if closing is not None:
            with suppress(OSError):
                closing.close()

    def _limit(self, timeout: float | None, until: float | None) -> None:
        self._timeout = limit = _sooner(timeout, until)
        self._stream.settimeout(limit)


def _sooner(timeout: float | None, until: float | None) -> float | None:
    """The time-out for one step, which must be over by `until`."""
    if until is None:
        return timeout
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left if timeout is None else min(timeout, left)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
