"""One HTTP/1.1 connection of the native transport: a socket, TLS on top of it for https, and a parser."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...green.backends.choice import detect
from ...green.backends.fairness import LARGE, fair_yield
from ...wire.http import ResponseParser
from ..after_fork import cut_off, forget_in_child
from ..dial import dial
from ..hubless import close_without_hub
from ..retry import earliest
from ..socket_stream import SocketStream
from ..tls import TLSStream, warn_if_unverified

if TYPE_CHECKING:
    import socket
    import ssl

    from ...wire.http import Answer
    from ..byte_stream import ByteStream

__all__ = ["ConnectionLostError", "HTTPConnection"]

PIECE = 1 << 20  # bytes of a request that are encrypted and sent at once
LARGE_PACKED = LARGE // 8  # bytes of compressed JSON that unpack to about LARGE
_ADVICE = "leave verify_ssl (or verify) on, or give it the path of the bundle of authorities to trust"


class ConnectionLostError(Exception):
    """The connection broke before the answer was complete.

    Attributes:
        sent: whether any of the request may have been sent.
        answered: whether any of an answer came.
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
        OSError: it cannot connect. TimeoutError: not in time. ssl.SSLError: no trusted TLS connection.
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
        self._home = ref(detect().socket_owner())
        forget_in_child(self)
        try:
            below = dial(host, port, timeout=timeout, until=until, hold=self._hold)
            self._stream: ByteStream = SocketStream(below, f"{host}:{port}")
            if context is not None:
                self._stream.limit(earliest(until, None if timeout is None else monotonic() + timeout))
                self._stream = stream = TLSStream(self._stream, context, host)
                warn_if_unverified(context, "HTTPS", host, _ADVICE)
                stream.handshake()
        except BaseException:
            self.close()
            raise

    def _hold(self, made: socket.socket) -> None:
        """Keep the socket before it connects, so that an interrupt or a fork finds something to close."""
        self._socket = made

    @property
    def reusable(self) -> bool:
        """Whether the connection can be used for another exchange."""
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
            ConnectionLostError: the connection broke. TimeoutError: too late.
            ProtocolError: what came is no HTTP.
            BodyTooLargeError: the body is larger than that.
        """
        stream, parser = self._stream, self._parser
        parser.begin(method, limit)
        stream.limit(earliest(until, first_by), timeout)
        broken = self._send(request)
        total, due = 0, LARGE
        try:
            while True:
                data = stream.receive() or b""
                total += len(data)
                if parser.feed(data) if data else parser.finish():
                    break
                if not data:
                    raise ConnectionLostError(
                        broken or "it was closed before the answer was complete",
                        sent=True,
                        answered=parser.started,
                    )
                stream.limit(until, timeout)
                if total >= due:
                    # While there is data no read waits, and whoever reads holds up all the others.
                    fair_yield()
                    due = total + LARGE
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionLostError(broken or _said(error), sent=True, answered=parser.started) from error
        if broken is not None:
            parser.reusable = False
        if total >= LARGE_PACKED and parser.packing:
            fair_yield()
        return parser.answer()

    def _send(self, request: bytes) -> str | None:
        """Send a request. Returns why only a part was sent: the server may have answered all the same."""
        stream = self._stream
        rest, sent = memoryview(request), False
        try:
            while rest:
                taken = stream.offer([rest[:PIECE]])
                sent, rest = True, rest[PIECE:]
                if not taken:
                    stream.flush()
        except TimeoutError:
            raise
        except OSError as error:
            if sent:
                return _said(error)
            raise ConnectionLostError(_said(error), sent=False, answered=False) from error
        return None

    def usable(self) -> bool:
        """Whether an idle connection is still open and silent. Does not wait."""
        if self._socket is None:
            return False
        try:
            # Anything but silence means that it is at its end, or out of step.
            return self._stream.receive_now() is None
        except OSError:
            return False

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        if self._socket is not None:
            cut_off(self._socket.fileno())

    def close(self) -> None:
        """Close the socket at once. Any thread may call it."""
        closing, self._socket = self._socket, None
        self._parser.release()
        if closing is None:
            return
        home = self._home()
        if home is None or home is not detect().socket_owner():
            close_without_hub(closing)
            return
        with suppress(OSError):
            closing.close()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
