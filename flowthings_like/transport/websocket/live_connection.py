"""Opens a connection for live messages, and sends and receives texts on it."""

from __future__ import annotations

import logging
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any

from websocket import WebSocketException, sock_opt
from websocket._http import connect as connect_through
from websocket._http import proxy_info
from websocket._url import get_proxy_info, parse_url

from ...errors import ConfigurationError
from ...green.backends.choice import detect
from ..dial import dial
from ..socket_stream import SocketStream
from ..tls import TLSStream, context_for, warn_if_unverified
from .client import upgrade
from .frames import Kind

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ..byte_stream import ByteStream
    from ..tls import TLS
    from .client import WebSocket
    from .frames import Message

__all__ = ["MAX_MESSAGE", "LiveConnection", "open_websocket"]

_log = logging.getLogger("flowthings_like")

MAX_MESSAGE = 64 << 20
"""Bytes of a message, at most, in any number of frames."""

_SHORTEST = 0.001  # seconds: a socket with a time-out of 0 does not wait, and raises another error
NORMAL_CLOSURE = (1000).to_bytes(2, "big")
HEARTBEAT = b'{"type":"heartbeat"}'

_ADVICE = "leave verify_ssl on, or give it the path of the bundle of authorities to trust"
_NOT_TAKEN = ("class_", "socket")
_SSLOPT = (
    *("context", "cert_reqs", "check_hostname", "ca_certs", "ca_cert_path"),
    *("certfile", "keyfile", "password", "ciphers"),
)


class LiveConnection:
    """An open connection. One thread reads from it, and any number write to it.

    Args:
        socket: the WebSocket. The connection owns it from now on.
        tick: seconds that one read or write may take.

    Attributes:
        closed: whether it has ended.
        failure: the error that ended it, if there was one.
    """

    in_flight = 0  # a live connection is never replaced, so nothing waits for its calls

    def __init__(self, socket: WebSocket, tick: float) -> None:
        self.peer = socket.peer
        self.closed = False
        self.failure: Exception | None = None
        self._socket = socket
        self._lock = detect().lock()  # held while writing
        self._tick = tick
        socket.limit(None, tick)

    @property
    def last_heard(self) -> float:
        """The `time.monotonic()` at which bytes last came."""
        return self._socket.last_heard

    def delivery(self) -> tuple[int, int]:
        """How many of the sent bytes the other end's kernel has acknowledged, and how many it has not."""
        return self._socket.delivery()

    def receive(self, seconds: float | None = None) -> list[bytes]:
        """Wait for bytes, for one tick at most. Returns the texts that are complete. Answers pings."""
        try:
            messages = self._received(seconds)
        except TimeoutError:
            return []
        except OSError as error:
            self.fail(error)
            return []
        if self._socket.owes:
            self._write(self._socket.send_owed)
        texts = [message.data for message in messages if not message.is_control]
        if any(message.kind == Kind.CLOSE for message in messages):
            self.close()
        return texts

    def _received(self, seconds: float | None) -> list[Message]:
        if seconds is None or seconds >= self._tick:
            return self._socket.receive_messages()
        self._socket.limit(None, max(seconds, _SHORTEST))
        try:
            return self._socket.receive_messages()
        finally:
            self._socket.limit(None, self._tick)

    def send(self, text: bytes) -> None:
        """Send a text. Does not raise if the connection is broken: the reader notices that."""
        self._write(self._socket.send, Kind.TEXT, text)

    def send_keepalive(self) -> None:
        """Send a heartbeat, which the platform expects, and a ping, which every WebSocket has to answer."""
        self._write(self._socket.send, Kind.TEXT, HEARTBEAT)
        self._write(self._socket.send, Kind.PING, b"")

    def _write(self, write: Callable[..., object], *args: object) -> None:
        try:
            with self._lock:
                write(*args)
        except BaseException as error:
            # Part of a frame may have been sent, so nothing can be sent after it.
            self._socket.close()
            if not isinstance(error, OSError):
                raise
            _log.debug("a message could not be sent: the connection is lost")

    def fail(self, error: Exception) -> None:
        """Close it because of an error."""
        self.failure = error
        self.closed = True
        self._socket.close()

    def close(self) -> None:
        """Tell the other end that it is closed, and close it."""
        if not self.closed:
            self._write(self._socket.send, Kind.CLOSE, NORMAL_CLOSURE)
        self.closed = True
        self._socket.close()  # wakes the thread that reads

    def abandon(self) -> None:
        """Close the socket without a word, for the garbage collector."""
        self.closed = True
        self._socket.close()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """There is nothing to wait for."""
        return True

    def forget(self) -> None:
        """In a forked child: leave the connection to the parent."""
        self.closed = True


def open_websocket(
    url: str,
    tls: TLS,
    timeout: float | None,
    options: dict[str, Any],
    hold: Callable[[socket.socket], object],
) -> WebSocket:
    """Open a WebSocket.

    Args:
        url: its URL, ws:// or wss://.
        tls: how to verify the server; `sslopt` in `options` comes first.
        timeout: seconds to connect, and again for the handshakes.
        options: see `websocket.create_connection`.
        hold: called with the socket before it connects; see `dial`.

    Raises:
        OSError: it cannot be opened, or the server's certificate is not trusted.
        ConfigurationError: an option that is not supported.
    """
    refused = [name for name in _NOT_TAKEN if name in options]
    if refused:
        raise ConfigurationError(f"{refused[0]} is no option here: this library opens the socket itself")
    timeout = options.get("timeout", timeout)
    host, port, _, is_secure = parse_url(url)
    context = None
    if is_secure:
        context = _context(options["sslopt"]) if options.get("sslopt") else context_for(tls)
    stream: ByteStream | None = None
    try:
        made = _dial(host, port, is_secure, timeout, options, hold)
        stream = SocketStream(made, f"{host}:{port}")
        stream.limit(None if timeout is None else monotonic() + timeout)
        if context is not None:
            stream = secure = TLSStream(stream, context, host)
            warn_if_unverified(context, "TLS", host, _ADVICE)
            secure.handshake()
        return upgrade(stream, url, MAX_MESSAGE, **options)
    except BaseException:
        if stream is not None:
            stream.close()
        raise


def _dial(
    host: str,
    port: int,
    is_secure: bool,
    timeout: float | None,
    options: dict[str, Any],
    hold: Callable[[socket.socket], object],
) -> socket.socket:
    """Connect a socket, through a proxy if the options or the environment name one."""
    sockopt = options.get("sockopt") or ()
    given: Any = proxy_info(**options)  # type: ignore[no-untyped-call]
    proxy = get_proxy_info(host, is_secure, given.proxy_host, given.proxy_port, given.auth, given.no_proxy)
    proxy_host, proxy_port, auth = proxy
    if proxy_host is None:

        def prepare(made: socket.socket) -> None:
            hold(made)
            for option in sockopt:
                made.setsockopt(*option)

        return dial(host, port, timeout=timeout, hold=prepare)
    through: Any = proxy_info(  # type: ignore[no-untyped-call]
        **{**options, "http_proxy_host": proxy_host, "http_proxy_port": proxy_port, "http_proxy_auth": auth}
    )
    settings = sock_opt(list(sockopt), {})
    settings.timeout = timeout
    try:
        # As ws://: for wss:// it would add TLS itself, which two threads must not use at once.
        made, _ = connect_through(f"ws://{_bracketed(host)}:{port}/", settings, through, None)
    except WebSocketException as error:
        raise ConnectionError(f"no way through the proxy {proxy_host}: {error}") from error
    hold(made)
    return made


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _context(sslopt: dict[str, Any]) -> ssl.SSLContext:
    """Make the TLS context for websocket-client's option `sslopt`."""
    unknown = sorted(set(sslopt) - set(_SSLOPT))
    if unknown:
        raise ConfigurationError(f"sslopt: {unknown[0]} is not known; it may have {', '.join(_SSLOPT)}")
    if "context" in sslopt:
        return context_for(sslopt["context"])
    is_unverified = sslopt.get("cert_reqs") == ssl.CERT_NONE
    context = context_for(
        False if is_unverified else sslopt.get("ca_certs") or sslopt.get("ca_cert_path") or True
    )
    if not sslopt.get("check_hostname", True):
        context.check_hostname = False
    if sslopt.get("certfile"):
        context.load_cert_chain(sslopt["certfile"], sslopt.get("keyfile"), sslopt.get("password"))
    if sslopt.get("ciphers"):
        context.set_ciphers(sslopt["ciphers"])
    return context
