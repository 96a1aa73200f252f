"""Serves gRPC in clear text on green sockets: one thread for each connection, and one for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Context", "GrpcServer", "Handler", "ServerLimits"]


class Context(Protocol):
    """What a handler knows about its call.

    Attributes:
        method: the call's path, such as "/v5api.BTrDB/Insert".
        metadata: the call's headers by their lower-case names, without gRPC's own.
        peer: the client's address, for logs.
        deadline: the `time.monotonic()` at which the client stops waiting; None if it waits for ever.
    """

    method: str
    metadata: Mapping[str, str]
    peer: str
    deadline: float | None

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the answer any more: the client has cancelled the call, its deadline is
        over, or its connection is gone."""


Handler = Callable[[bytes, Context], bytes | Iterator[bytes]]
"""Answers one call: takes the encoded request, returns the encoded answer, or an iterator of several.

It runs in a thread of the call. It may raise `GrpcError` to end the call with that status; any other
exception is logged and ends the call with INTERNAL, without a word about it. An iterator is read as fast as
the client reads. It is closed when the client cancels or goes.
"""


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of what clients can make a server hold.

    Attributes:
        connections: connections at once. One more is closed at once.
        calls: calls in flight on one connection.
        message_bytes: bytes of a request, before and after decompression.
        buffered_bytes: bytes of requests that are still arriving, over all connections.
        header_bytes: bytes of a call's headers.
        idle_seconds: seconds without a call after which a connection is closed.
    """

    connections: int = 1000
    calls: int = 100
    message_bytes: int = 64 << 20
    buffered_bytes: int = 512 << 20
    header_bytes: int = 16 << 10
    idle_seconds: float = 3600.0


class GrpcServer:
    """Answers gRPC calls with handlers.

    Args:
        handlers: by the paths of their methods.
        host, port: where to listen; port 0 takes a free one.
        authorize: called with the context of each call before its request is read; raises `GrpcError` to
            refuse the call. It runs in the connection's thread.
        limits: bounds of what clients can make it hold.

    Attributes:
        address: (host, port) that it listens at.

    Raises:
        ConfigurationError: it cannot listen there.
    """

    address: tuple[str, int]

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        host: str,
        port: int,
        *,
        authorize: Callable[[Context], object] | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Accept connections. From when the server is made until then, they wait."""
        raise NotImplementedError

    def close(self, grace: float = 2.0) -> None:
        """Take no more calls, wait up to `grace` seconds for those in flight, and end the connections."""
        raise NotImplementedError
