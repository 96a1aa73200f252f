"""The node: the open store, and the server that answers clients from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from ..leader.after_fork import abandon_in_children
from ..sockets.listener import Listener
from .limits import Limits
from .session import Session
from .store import RecordStore

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Node"]

_GRACE = 2.0  # seconds that requests which are under way have when the node closes
_POLL_INTERVAL = 0.005


class Node:
    """Listens as soon as it is made.

    Args:
        folder: the platform's folder, None if it has none.
        host, port: where to listen; port 0 takes a free one.
        limits: what clients may take up.

    Attributes:
        addresses: (host, port) that it listens at.
        store: the open store.

    Raises:
        ConfigurationError: it cannot listen there, the store cannot be opened, or a package is missing.
    """

    def __init__(self, folder: Path | None, host: str, port: int, limits: Limits | None = None) -> None:
        if folder is None:
            raise ConfigurationError("records are kept in a folder")
        self._limits = limits or Limits()
        self._sessions: set[Session] = set()
        self._is_closed = False
        self.store = RecordStore(folder)
        try:
            self._listener = Listener(host, port, self._serve, "the record store")
        except BaseException:
            self.store.close()
            raise
        self.addresses = [self._listener.address]
        abandon_in_children(self)

    def close(self) -> None:
        """Finish the requests that are under way, end the connections and close the store."""
        self._is_closed = True
        self._listener.close()
        try:
            self._end_sessions()
        finally:
            self.store.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited sockets without any effect on the parent."""
        self._is_closed = True
        self._listener.abandon()
        for session in list(self._sessions):
            session.abandon()

    def _serve(self, sock: socket.socket, peer: str) -> None:
        """Serve one connection until it ends."""
        if self._is_closed or len(self._sessions) >= self._limits.connections:
            sock.close()
            return
        try:
            session = Session(self.store, sock, peer, self._limits)
        except BaseException:
            sock.close()
            raise
        self._sessions.add(session)
        try:
            session.serve()
        finally:
            self._sessions.discard(session)
            session.close()

    def _end_sessions(self) -> None:
        """Finish the requests that are under way, and end the connections."""
        self._wait(lambda: not any(session.is_busy for session in list(self._sessions)))
        for session in list(self._sessions):
            session.abort()
        self._wait(lambda: not self._sessions)

    @staticmethod
    def _wait(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _GRACE
        while not done() and time.monotonic() < deadline:
            backend.detect().sleep(_POLL_INTERVAL)
