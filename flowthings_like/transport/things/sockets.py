"""Byte streams to a node: TCP and UNIX sockets here, TLS and WebSocket on top in modules of their own.

One thread reads from a stream and one at a time writes to it. Writing never waits unless it is said to: what
the socket does not take at once stays in the stream, whole, until `flush`. So a caller that is interrupted
can never leave half a package on the wire.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ConfigurationError, ConnectionFailed, DeadlineExceeded
from ...green.backends.contract import detect
from ...wire.things.packages import MAX_BODY

if TYPE_CHECKING:
    from .endpoints import Endpoint

__all__ = ["TLS", "SocketStream", "Stream", "open_stream"]

TLS = bool | str | ssl.SSLContext | None
"""How to verify: None or True by certifi's authorities, a str by those in that bundle or folder, False not at
all, or a context that is used as it is."""

CHUNK = 65_536

TRUST = "give the path of a bundle of authorities that has it as ssl= of a Client, or verify_ssl= of an API"
"""What to do about a certificate."""


class Stream(Protocol):
    """Carries packages to a node, and bytes from it.

    Attributes:
        peer: the node's address, for messages.
        is_websocket: whether packages travel as WebSocket messages.
        owes: whether something is to be sent that nobody gave to `offer`, such as the answer to a ping.
    """

    peer: str
    is_websocket: bool

    @property
    def owes(self) -> bool: ...

    def offer(self, packages: Sequence[bytes]) -> bool:
        """Take packages, and send what goes out without waiting. False if `flush` must send the rest.

        Raises:
            OSError: the connection is broken; nothing of these packages was sent.
        """

    def flush(self) -> None:
        """Wait until all that was taken is sent.

        Raises:
            OSError: the connection is broken.
        """

    def receive(self) -> bytes | None:
        """Wait for bytes: some of a byte stream, one whole message of a WebSocket; b"" at the end.

        None if nothing came but what the stream itself has to answer; see `owes`.

        Raises:
            OSError: the connection is broken, or what came breaks the rules of TLS or WebSocket.
        """

    def delivery(self) -> tuple[int, int]:
        """How many bytes the other end's system has acknowledged, and how many it has not."""

    def watch(self, callback: Callable[[], object]) -> bool:
        """Have the hub call `callback()` whenever there is something for `receive_now`, until `unwatch`; see
        `Backend.watch`. False if there is no hub, or this stream has to be waited for."""

    def unwatch(self) -> None:
        """Watch no more."""

    def receive_now(self) -> bytes | None:
        """Like `receive`, but None if that would have to wait."""

    def acknowledge(self) -> None:
        """Have the kernel acknowledge at once what was read by `receive_now`, if nothing was sent since."""

    def close(self) -> None:
        """End both directions, and whoever waits in `receive` or `flush`. Closing again does nothing."""

    def forget(self) -> None:
        """In a forked child: let go of the descriptor, and leave the connection to the parent."""


class SocketStream:
    """A stream that is a connected socket and nothing more.

    Args:
        below: the socket; the stream owns it from now on.
        peer: what messages call the other end.
    """

    is_websocket = False

    def __init__(self, below: socket.socket, peer: str) -> None:
        self.peer = peer
        self._below = below
        self._send_now, self._receive_now = detect().send_now, detect().receive_now
        self._is_tcp = below.family in (socket.AF_INET, socket.AF_INET6)
        self._unsent: bytes | memoryview = b""
        self._sent = 0
        self._reading = self._writing = self._closed = False
        self._deadline: float | None = None  # of a handshake
        self._stop: Callable[[], object] | None = None  # what ends a watch

    @property
    def owes(self) -> bool:
        return False

    def offer(self, packages: Sequence[bytes]) -> bool:
        return self.offer_bytes(packages[0] if len(packages) == 1 else b"".join(packages))

    def offer_bytes(self, data: bytes) -> bool:
        """Like `offer`, for bytes that are ready for the wire."""
        self._writing = True
        try:
            if self._closed:
                raise BrokenPipeError("the connection was closed")
            if self._unsent:
                self._unsent = b"".join((self._unsent, data))
                return False
            sent = self._send_now(self._below, data)
            self._sent += sent
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                return False
            return True
        finally:
            self._writing = False
            if self._closed:
                self._release()

    def flush(self) -> None:
        self._writing = True
        try:
            self._send_unsent()
        finally:
            self._writing = False
            if self._closed:
                self._release()

    def _send_unsent(self) -> None:
        while self._unsent and not self._closed:
            self._limit_step()
            sent = self._below.send(self._unsent)
            self._sent += sent
            self._unsent = memoryview(self._unsent)[sent:]

    def receive(self) -> bytes:
        self._reading = True
        try:
            if self._closed:
                return b""
            self._limit_step()
            data = self._below.recv(CHUNK)
            self.acknowledge()
            return data
        finally:
            self._reading = False
            if self._closed:
                self._release()

    def delivery(self) -> tuple[int, int]:
        number = self._below.fileno()
        if number < 0:
            return self._sent, 0
        unacknowledged = int.from_bytes(fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self._sent - unacknowledged, unacknowledged + len(self._unsent)

    def watch(self, callback: Callable[[], object]) -> bool:
        self._reading = True
        self._stop = detect().watch(self._below, callback)
        self._reading = self._stop is not None
        return self._reading

    def unwatch(self) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()
            self._reading = False
            if self._closed:
                self._release()

    def receive_now(self) -> bytes | None:
        return b"" if self._closed else self._receive_now(self._below, CHUNK)

    def acknowledge(self) -> None:
        # A node sends small packages one by one and lets the kernel hold all but the first back until that is
        # acknowledged, which takes 40 ms unless it is done at once. It does not last: the kernel goes back to
        # its own judgement, so it is asked again each time.
        if self._is_tcp and hasattr(socket, "TCP_QUICKACK"):  # Linux's own
            self._below.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def limit(self, deadline: float | None) -> None:
        """Have a handshake end by this `time.monotonic()`, in however many steps it comes; None once it is
        done, as `offer` expects."""
        self._deadline = deadline
        self._below.settimeout(_left(deadline))

    def _limit_step(self) -> None:
        if self._deadline is not None:
            self._below.settimeout(_left(self._deadline))

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):  # the other end may be quicker
            self._below.shutdown(socket.SHUT_RDWR)
        self._release()

    def forget(self) -> None:
        self._closed = True
        self.unwatch()
        self._below.close()

    def _release(self) -> None:
        """Give the descriptor back, unless another thread is using it: its number could soon be a stranger's.

        Whoever leaves last does it: users say that they are there before they look whether it is closed, and
        closing looks for users after it has said so.
        """
        if not (self._reading or self._writing):
            self._below.close()


def open_stream(
    endpoint: Endpoint, deadline: float | None = None, tls: TLS = None, max_message: int = MAX_BODY
) -> Stream:
    """Connect to a node.

    Args:
        endpoint: where it is.
        deadline: the `time.monotonic()` by which the connection must be there, handshakes included.
        tls: how to verify the node, where TLS is spoken.
        max_message: bytes of a WebSocket message's body, at most.

    Raises:
        ConnectionFailed: it cannot be reached, or is not to be trusted.
        DeadlineExceeded: not in time.
        ConfigurationError: the authorities to trust cannot be read.
    """
    stream: SocketStream | None = None
    try:
        stream = SocketStream(_connect(endpoint, deadline), endpoint.address)
        if endpoint.is_encrypted:
            from .secure_stream import SecureStream

            stream.limit(deadline)
            stream = SecureStream(stream, context_for(tls), endpoint.host)
            stream.handshake()
        if not endpoint.is_websocket:
            stream.limit(None)
            return stream
        from ..websocket.framing import MessageStream

        stream.limit(deadline)
        messages = MessageStream(stream, endpoint, max_message)
        stream.limit(None)
        return messages
    except BaseException as error:
        if stream is not None:
            stream.close()
        if isinstance(error, TimeoutError):
            raise _unsent(DeadlineExceeded(f"{endpoint}: no connection in time")) from None
        if isinstance(error, OSError):
            raise _unsent(ConnectionFailed(f"{endpoint}: {_said(error)}")) from error
        raise


def context_for(tls: TLS) -> ssl.SSLContext:
    """The context that a setting of `tls` stands for. Making one takes some 10 ms, so it is worth keeping.

    Raises:
        ConfigurationError: the authorities to trust cannot be read.
    """
    from ..tls import client_context

    if isinstance(tls, ssl.SSLContext):
        return tls
    verify = True if tls is None else tls
    try:
        return client_context(verify, ())
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the authorities to trust, {verify!r}, cannot be read: {error}") from error


def _connect(endpoint: Endpoint, deadline: float | None) -> socket.socket:
    """A connected socket."""
    if endpoint.scheme == "unix":
        return _dial(socket.AF_UNIX, endpoint.path, deadline)
    failure: OSError | None = None
    for family, _, _, _, address in socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM):
        try:
            made = _dial(family, address, deadline)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError as error:
            failure = error
    try:
        raise failure or OSError("the name has no address")
    finally:
        del failure  # or its traceback and this frame keep each other alive


def _dial(family: int, address: Any, deadline: float | None) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(_left(deadline))
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


def _unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    error.sent = False
    return error


def _said(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); {TRUST}"
    # Green libraries have texts of their own, or none.
    known = error.errno if isinstance(error, ConnectionError | FileNotFoundError) else None
    return f"{type(error).__name__}: {os.strerror(known) if known else error}"
