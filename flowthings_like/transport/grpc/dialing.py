"""Opens a byte stream to a gRPC server: TCP, with TLS on top of it."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import ConnectionFailed, DeadlineExceeded
from ..dial import dial
from ..socket_stream import SocketStream
from ..tls import TLSStream, warn_if_unverified

if TYPE_CHECKING:
    from ..byte_stream import ByteStream

__all__ = ["ALPN", "dial_server"]

ALPN = ("h2",)
"""What TLS must agree on: HTTP/2."""

TRUST = "give the path of a bundle of authorities that has it, or an SSLContext, as tls="
"""What to do about a certificate that is not trusted."""

_OPTIONS = (  # so that a server that has vanished is noticed, by pings of the kernel's
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
)


def dial_server(host: str, port: int, context: ssl.SSLContext | None, deadline: float) -> ByteStream:
    """Connect to a server.

    Args:
        host, port: where it listens.
        context: whom to trust; None for clear text.
        deadline: the `time.monotonic()` by which the connection must be ready, the TLS handshake included.

    Raises:
        ConnectionFailed: it cannot be reached, its certificate is not trusted, or it offers no HTTP/2.
        DeadlineExceeded: not in time.
    """
    peer = f"{host}:{port}"
    stream: ByteStream | None = None
    try:
        below = dial(host, port, until=deadline)
        stream = SocketStream(below, peer)
        _watch_over(below)
        stream.limit(deadline)
        if context is not None:
            stream = secure = TLSStream(stream, context, host)
            warn_if_unverified(context, "TLS", host, TRUST)
            secure.handshake()
            if secure.protocol != ALPN[0]:
                raise ConnectionError(
                    "the TLS handshake did not agree on HTTP/2: it is no gRPC server, "
                    "or the SSLContext lacks set_alpn_protocols(['h2'])"
                )
        return stream
    except BaseException as error:
        if stream is not None:
            stream.close()
        if isinstance(error, TimeoutError):
            raise unsent(DeadlineExceeded(f"{peer}: no connection in time")) from None
        if isinstance(error, OSError):
            raise unsent(ConnectionFailed(f"{peer}: {_said(error)}")) from error
        raise


def unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    """Note in an error that the server has seen nothing of the call."""
    error.sent = False
    return error


def _watch_over(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _said(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); {TRUST}"
    # gevent and eventlet have texts of their own for these, or none.
    known = error.errno if isinstance(error, ConnectionError) else None
    return f"{type(error).__name__}: {os.strerror(known) if known else error}"
