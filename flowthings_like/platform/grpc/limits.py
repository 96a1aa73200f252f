"""Bounds of what clients can make a gRPC server hold."""

from __future__ import annotations

from dataclasses import dataclass

from ...green.backends import choice as backend

__all__ = ["ByteBudget", "ServerLimits"]


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of what clients can make a server hold.

    Attributes:
        connections: connections at once. One more is closed at once.
        calls: calls in flight on one connection. One more is refused; clients make it again.
        handlers: handlers that run at once. Further calls wait for one to end.
        message_bytes: bytes of a request, before and after decompression.
        buffered_bytes: bytes of requests that arrive or are being handled, over all connections.
        header_bytes: bytes of a call's headers.
        idle_seconds: seconds without a call after which a connection is closed.
        frame_seconds: seconds that a frame, or the headers of a call, may take to arrive.
        request_seconds: seconds that a request may take to arrive.
        stalled_seconds: seconds that a client may leave answers unread before its call is cancelled.
    """

    connections: int = 1000
    calls: int = 100
    handlers: int = 256
    message_bytes: int = 64 << 20
    buffered_bytes: int = 512 << 20
    header_bytes: int = 16 << 10
    idle_seconds: float = 3600.0
    frame_seconds: float = 30.0
    request_seconds: float = 300.0
    stalled_seconds: float = 300.0


class ByteBudget:
    """Bytes that all connections of a server may hold together; see `wire.grpc.server.Budget`."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = backend.detect().lock()

    def take(self, size: int) -> bool:
        """Take so many bytes. Returns False, and takes nothing, if there are not as many."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        """Give bytes back that were taken."""
        with self._lock:
            self._free += size
