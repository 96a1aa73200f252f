"""One connection to a TStorage server, for one exchange at a time.

    state        meaning                               left by
    IDLE         ready for a request                   `begin`: EXCHANGING; `close`: CLOSED
    EXCHANGING   a request or its reply is under way   `complete`: IDLE; anything else: CLOSED
    CLOSED       nothing is sent or read any more      -

The protocol has no request ids: what a half-read reply leaves behind would be taken for the next one. So an
exchange that was interrupted, timed out or refused ends the connection. Whoever began it closes it then; the
pool's `Lease` does so.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...errors import DeadlineExceeded
from ...green.backends.choice import detect
from ...green.backends.fairness import LARGE, fair_yield
from ..after_fork import cut_off, forget_in_child
from ..dial import dial
from ..hubless import close_without_hub, shut_down_without_hub
from ..socket_stream import SocketStream
from ..tls import TLSStream, warn_if_unverified

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable

__all__ = ["PIECE", "ConnectionLostError", "RecordsConnection", "State"]

PIECE = 1 << 20
"""Bytes that are sent at once, at most."""

LOOK = 0.5
"""Seconds after which a sender that waits looks whether the server has answered already."""

_ADVICE = (
    "give an ssl_context that trusts the server's authority, or the path of a bundle as verify_ssl of an API"
)


class State(Enum):
    """What a connection can be used for. See the table above."""

    IDLE = "idle"
    EXCHANGING = "exchanging"
    CLOSED = "closed"


class ConnectionLostError(Exception):
    """The connection broke, or the server closed it, before the reply was complete.

    Attributes:
        answered: whether any of a reply came.
    """

    def __init__(self, reason: str, *, answered: bool) -> None:
        super().__init__(reason)
        self.answered = answered


class RecordsConnection:
    """A connection to one server.

    Args:
        host: a name or an address.
        port: its port.
        context: for TLS; None for none.
        timeout: seconds to connect, for each address of the host, and to agree on TLS; None waits for ever.

    Raises:
        OSError: it cannot connect. TimeoutError: not in time. ssl.SSLError: no trusted TLS connection.

    Attributes:
        state: see the table above.
        peer: the server's address, for messages.
        user: the `get_ident()` of the thread, or green thread, that began the last exchange.
    """

    _stream: SocketStream | TLSStream

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None = None, timeout: float | None = None
    ) -> None:
        self.state = State.IDLE
        self.peer = f"{host}:{port}"
        self._socket: socket.socket | None = None
        self._home = ref(detect().socket_owner())
        self._timeout = timeout
        self._early = b""
        self._broken = ""
        self._is_sent = self._is_answered = False
        self._since_yield = 0
        self.user = 0
        forget_in_child(self)
        try:
            until = None if timeout is None else monotonic() + timeout
            below = dial(host, port, timeout=timeout, hold=self._hold)
            self._stream = SocketStream(below, self.peer)
            if context is not None:
                self._stream.limit(until)
                self._stream = secure = TLSStream(self._stream, context, host)
                warn_if_unverified(context, "TLS", host, _ADVICE)
                secure.handshake()
        except BaseException:
            self.close()
            raise

    def _hold(self, made: socket.socket) -> None:
        """Keep the socket before it connects, so that an interrupt or a fork finds something to close."""
        self._socket = made

    def usable(self) -> bool:
        """Whether an idle connection is still open and silent. Does not wait."""
        if self._socket is None or self.state is not State.IDLE:
            return False
        try:
            # Anything but silence means that it is at its end, or out of step.
            return self._stream.receive_now() is None
        except OSError:
            return False

    def begin(self, timeout: float | None) -> None:
        """Begin an exchange.

        Args:
            timeout: seconds that each read, and each piece that is sent, may wait; None for any number.

        Raises:
            ConnectionLostError: the connection is closed, or in the middle of an exchange.
        """
        if self.state is not State.IDLE:
            raise ConnectionLostError(f"the connection is {self.state.value}", answered=False)
        self.state = State.EXCHANGING
        self._timeout = timeout
        self.user = get_ident()
        self._early, self._broken = b"", ""
        self._is_sent = self._is_answered = False

    def complete(self) -> None:
        """Say that the reply is read to its end. If all was sent, too, another exchange may begin."""
        if self.state is State.EXCHANGING and self._is_sent and not self._early:
            self.state = State.IDLE

    def send(self, pieces: Iterable[bytes | memoryview]) -> bool:
        """Send a request. It ends early if the server answers before all is sent, or the connection breaks.

        Args:
            pieces: of at most PIECE bytes each, which are made while others are sent.

        Returns:
            Whether all was sent. If not, the reply may say why; read it.

        Raises:
            DeadlineExceeded: the server takes nothing.
        """
        self._stream.limit(None, self._timeout)
        try:
            for number, piece in enumerate(pieces):
                if number:
                    if self._has_answered():
                        return False
                    fair_yield()
                if not self._stream.offer([piece]) and not self._flush():
                    return False
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            self._broken = _said(error)
            return False
        self._is_sent = True
        return True

    def _flush(self) -> bool:
        """Send what the socket has not taken. Returns False if the server has answered meanwhile."""
        stream, timeout = self._stream, self._timeout
        sent, since = stream.delivery(), monotonic()
        while True:
            left = LOOK if timeout is None else min(LOOK, since + timeout - monotonic())
            if left <= 0:
                raise TimeoutError
            stream.limit(None, left)
            try:
                stream.flush()
            except TimeoutError:
                if self._has_answered():
                    return False
                delivery = stream.delivery()
                if delivery != sent:
                    sent, since = delivery, monotonic()
            else:
                stream.limit(None, timeout)
                return True

    def _has_answered(self) -> bool:
        early = self._stream.receive_now()
        if early is None:
            return False
        self._early += early
        if not early:
            self._broken = "the server closed the connection before all was sent"
        return True

    def receive_into(self, buffer: memoryview) -> int:
        """Wait for a part of the reply, and put it into a buffer. Returns how many bytes came, at least 1.

        Raises:
            ConnectionLostError: there is no more. DeadlineExceeded: nothing came in time.
        """
        if self._early:
            size = min(len(self._early), len(buffer))
            buffer[:size] = self._early[:size]
            self._early = self._early[size:]
            self._is_answered = True
            return size
        if self._since_yield >= LARGE:
            # While there is data no read waits, and whoever reads holds up all the others.
            self._since_yield = 0
            fair_yield()
        try:
            size = self._stream.receive_into(buffer)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            raise self._lost(_said(error)) from error
        if not size:
            raise self._lost("the server closed the connection before the reply was complete")
        self._since_yield += size
        self._is_answered = True
        return size

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"{self.peer}: the server was silent for {self._timeout:g} s")

    def _lost(self, reason: str) -> ConnectionLostError:
        return ConnectionLostError(self._broken or reason, answered=self._is_answered)

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        self.state = State.CLOSED
        if self._socket is not None:
            cut_off(self._socket.fileno())

    def close(self) -> None:
        """Close the socket at once. Any thread may call it; one that waits for the server is woken."""
        is_in_use = self.state is State.EXCHANGING
        self.state = State.CLOSED
        closing, home = self._socket, self._home()
        if closing is None:
            return
        if home is detect().socket_owner():
            self._socket = None
            with suppress(OSError):
                getattr(self, "_stream", closing).close()
        elif home is not None and is_in_use:
            shut_down_without_hub(closing)  # whoever uses it reads the end, and closes it
        else:
            self._socket = None
            close_without_hub(closing)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
