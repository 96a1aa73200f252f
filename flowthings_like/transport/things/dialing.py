"""Opens a byte stream to a ThingsDB node: TCP or a UNIX socket, with TLS and WebSocket on top of it."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from ...errors import ConnectionFailed, DeadlineExceeded
from ...wire.things.header import HEADER
from ...wire.things.packages import MAX_BODY
from ..dial import dial, dial_unix
from ..socket_stream import SocketStream
from ..tls import TLSStream, context_for, warn_if_unverified

if TYPE_CHECKING:
    import socket

    from ..byte_stream import ByteStream
    from ..tls import TLS
    from .endpoints import Endpoint

__all__ = ["dial_node"]

TRUST = "give the path of a bundle of authorities that has it as ssl= of a Client, or verify_ssl= of an API"
"""What to do about a certificate that is not trusted."""


def dial_node(
    endpoint: Endpoint, deadline: float | None = None, tls: TLS = None, max_message: int = MAX_BODY
) -> ByteStream:
    """Connect to a node.

    Args:
        endpoint: its address.
        deadline: the `time.monotonic()` by which the connection must be ready, handshakes included.
        tls: how to verify the node, if the endpoint is encrypted.
        max_message: bytes of a WebSocket message's body, at most.

    Raises:
        ConnectionFailed: it cannot be reached, or its certificate is not trusted.
        DeadlineExceeded: not in time.
        ConfigurationError: the authorities to trust cannot be read.
    """
    stream: ByteStream | None = None
    try:
        stream = SocketStream(_dial(endpoint, deadline), endpoint.address, quick_ack=True)
        stream.limit(deadline)
        if endpoint.is_encrypted:
            context = context_for(tls)
            stream = secure = TLSStream(stream, context, endpoint.host)
            warn_if_unverified(context, "TLS", endpoint.host, TRUST)
            secure.handshake()
        if endpoint.is_websocket:
            from ..websocket.client import upgrade  # websocket-client is loaded where it is used

            url = f"{endpoint.scheme}://{endpoint.address}{endpoint.path}"
            stream = upgrade(stream, url, max_message + HEADER, suppress_origin=True)
        stream.limit(None)
        return stream
    except BaseException as error:
        if stream is not None:
            stream.close()
        if isinstance(error, TimeoutError):
            raise _unsent(DeadlineExceeded(f"{endpoint}: no connection in time")) from None
        if isinstance(error, OSError):
            raise _unsent(ConnectionFailed(f"{endpoint}: {_said(error)}")) from error
        raise


def _dial(endpoint: Endpoint, deadline: float | None) -> socket.socket:
    if endpoint.scheme == "unix":
        return dial_unix(endpoint.path, until=deadline)
    return dial(endpoint.host, endpoint.port, until=deadline)


def _unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    error.sent = False
    return error


def _said(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); {TRUST}"
    # gevent and eventlet have texts of their own for these, or none.
    known = error.errno if isinstance(error, ConnectionError | FileNotFoundError) else None
    return f"{type(error).__name__}: {os.strerror(known) if known else error}"
