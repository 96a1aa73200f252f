"""Serves gRPC in clear text on green sockets: one thread for each connection, and one for each call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from ..leader.after_fork import abandon_in_children
from ..sockets.listener import Listener
from .context import Context, Handler
from .limits import ByteBudget, ServerLimits
from .session import Session

if TYPE_CHECKING:
    import socket

__all__ = ["Context", "GrpcServer", "Handler", "ServerLimits"]

_log = logging.getLogger("flowthings_like.platform.grpc")

_DRAIN_TIMEOUT = 2.0  # seconds that clients have to read their last answers
_POLL_INTERVAL = 0.005


class GrpcServer:
    """Answers gRPC calls with handlers.

    Args:
        handlers: by the paths of their methods, such as "/v5api.BTrDB/Insert".
        host, port: where to listen; port 0 takes a free one.
        authorize: called with the context of each call before its request is read; raises `GrpcError` to
            refuse the call. It runs in the connection's thread.
        compression: "gzip" to compress answers to clients that accept it; None to send them as they are.
        limits: bounds of what clients can make it hold.

    Attributes:
        address: (host, port) that it listens at, once it was started.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        host: str,
        port: int,
        *,
        authorize: Callable[[Context], object] | None = None,
        compression: str | None = None,
        limits: ServerLimits | None = None,
    ) -> None:
        if compression not in (None, "gzip"):
            raise ConfigurationError(f"compression is {compression!r}; give 'gzip' or None")
        self.address = host, port
        self.limits = limits or ServerLimits()
        self.budget = ByteBudget(self.limits.buffered_bytes)
        self.compresses = compression is not None
        self._handlers = dict(handlers)
        self._authorize = authorize
        self._pool = backend.detect().pool(self.limits.handlers)
        self._sessions: set[Session] = set()
        self._listener: Listener | None = None
        self._is_closed = False

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._sessions)

    @property
    def calls(self) -> int:
        """How many calls are in flight."""
        return sum(session.calls for session in list(self._sessions))

    def start(self) -> tuple[str, int]:
        """Listen, and return the (host, port).

        Raises:
            ConfigurationError: it cannot listen there.
        """
        self._listener = listener = Listener(*self.address, self._serve, "the gRPC server")
        self.address = listener.address
        abandon_in_children(self)
        return self.address

    def close(self, grace: float = 2.0) -> None:
        """Take no more calls, wait up to `grace` seconds for those in flight, and end the connections."""
        if self._is_closed or self._listener is None:
            return
        self._is_closed = True
        self._listener.close()
        for session in list(self._sessions):
            session.refuse_calls()
        self._wait(grace, lambda: not self.calls)
        deadline = time.monotonic() + _DRAIN_TIMEOUT
        for session in list(self._sessions):
            session.wait_sent(max(0.0, deadline - time.monotonic()))
            session.abort()
        self._wait(_DRAIN_TIMEOUT, lambda: not self._sessions)

    def abandon(self) -> None:
        """In a forked child: close the inherited sockets without any effect on the parent."""
        self._is_closed = True
        if self._listener is not None:
            self._listener.abandon()
        for session in list(self._sessions):
            session.abandon()

    # For sessions

    def handler(self, method: str) -> Handler | None:
        """The handler of a method, if there is one."""
        return self._handlers.get(method)

    def authorize(self, context: Context) -> None:
        """Raise GrpcError if a call is refused."""
        if self._authorize is not None:
            self._authorize(context)

    def start_handler(self, function: Callable[..., object], *args: object) -> None:
        """Run a handler in a thread of its own, as soon as there is room for one."""
        self._pool.spawn(function, *args)

    def _serve(self, sock: socket.socket, peer: str) -> None:
        """Serve one connection until it ends."""
        if self._is_closed or len(self._sessions) >= self.limits.connections:
            sock.close()
            return
        try:
            session = Session(self, sock, peer)
        except BaseException:
            sock.close()
            raise
        self._sessions.add(session)
        try:
            session.serve()
        finally:
            self._sessions.discard(session)
            session.close()

    def _wait(self, seconds: float, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            backend.detect().sleep(_POLL_INTERVAL)
