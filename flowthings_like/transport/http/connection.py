"""One connection that speaks HTTP/1.1: a socket, perhaps TLS around it, and a parser.

`socket` is looked up when a connection is opened, so it is the green one where that is patched in.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...green.backends.contract import detect
from ...green.backends.turnstile import LARGE, turn
from ...wire.http import ResponseParser
from ..forks import cut_off, forget_in_child
from ..homes import close_elsewhere
from ..timing import TimedSocket, earlier, sooner
from ..tls import TLSStream

if TYPE_CHECKING:
    import ssl

    from ...wire.http import Answer

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
        timeout: seconds to connect, for each address of the host, and to agree on TLS; None waits for ever.
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
        self._home = ref(detect().home())
        forget_in_child(self)
        try:
            self._socket = below = self._connect(host, port, timeout, until)
            self._timed = TimedSocket(below)
            self._stream: TimedSocket | TLSStream = self._timed
            if context is not None:
                self._timed.bound(None, earlier(until, None if timeout is None else monotonic() + timeout))
                self._stream = stream = TLSStream(self._timed, context, host)
                stream.handshake()
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
                made.settimeout(sooner(timeout, until))
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
        self,
        request: bytes,
        method: str,
        timeout: float | None = None,
        until: float | None = None,
        *,
        first_by: float | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            request: its bytes.
            method: its verb, for an answer to HEAD has no body.
            timeout: seconds between two reads; None waits for ever.
            until: the `time.monotonic()` by which all must be done, or None.
            first_by: the `time.monotonic()` by which something of the answer must have come, or None.
            limit: bytes that the body may have, as it comes and unpacked; None for any number.

        Raises:
            LostError: the connection broke. TimeoutError: too late. ProtocolError: what came is no HTTP.
            BodyTooLargeError: the body is larger than that.
        """
        stream, timed, parser = self._stream, self._timed, self._parser
        parser.begin(method, limit)
        timed.bound(timeout, earlier(until, first_by))
        broken = self._send(request)
        total, due = 0, LARGE
        try:
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
                timed.until = until
                if total >= due:
                    # While there is data no read waits, and whoever reads holds up all the others.
                    turn()
                    due = total + LARGE
        except TimeoutError:
            raise
        except _BROKEN as error:
            raise LostError(broken or _said(error), sent=True, answered=parser.started) from error
        if broken is not None:
            parser.reusable = False
        if total >= LARGE_PACKED and parser.packing:
            turn()
        return parser.answer()

    def _send(self, request: bytes) -> str | None:
        """Send all of it; what went wrong in the middle is returned: there may be an answer all the same."""
        sent = 0
        try:
            sent = self._stream.send(request)
            if sent < len(request):
                self._stream.sendall(memoryview(request)[sent:])
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
        if below is None or (isinstance(stream, TLSStream) and not stream.quiet()):
            return False
        self._timed.stop_waiting()
        try:
            # Anything but silence means that it is at its end, or out of step.
            below.recv(1)
        except BlockingIOError:
            return True
        except _BROKEN:
            pass
        return False

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        if self._socket is not None:
            cut_off(self._socket.fileno())

    def close(self) -> None:
        """Close the socket at once, in whichever thread."""
        closing, self._socket = self._socket, None
        self._parser.release()
        if closing is None:
            return
        home = self._home()
        if home is None or home is not detect().home():
            close_elsewhere(closing)
            return
        with suppress(OSError):
            closing.close()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
