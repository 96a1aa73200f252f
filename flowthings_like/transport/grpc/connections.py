"""The connections of a channel: as few as the server allows, opened when they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from ...errors import ConnectionFailed, DeadlineExceeded
from ...green.backends.choice import detect
from ..after_fork import forked_call
from ..background_threads import OneThread
from ..tls import context_for
from .connection import GrpcConnection
from .dialing import ALPN, dial_server, unsent

if TYPE_CHECKING:
    import ssl

    from ...green.future import OneShotEvent

__all__ = ["CONNECT_WITHIN", "MAX_CONNECTIONS", "Connections"]

MAX_CONNECTIONS = 16
"""Connections to a server, at most. Further calls wait for one of theirs to end."""

CONNECT_WITHIN = 10.0
"""Seconds to connect, for all who wait for that: longer than one of them may wait."""


class Connections:
    """All connections of one channel, in every process and, under gevent and eventlet, in every OS thread.

    Args:
        host, port: where the server listens.
        tls: as for `Channel`.
    """

    def __init__(self, host: str, port: int, tls: bool | str | ssl.SSLContext) -> None:
        self.peer = f"{host}:{port}"
        self._host = host
        self._port = port
        self._tls = tls
        self._home: Callable[[], object] | None = None
        self._homes: dict[tuple[int, int], _Home] = {}

    def acquire(self, deadline: float | None) -> GrpcConnection:
        """A connection for one more call.

        Raises:
            ConnectionFailed: the server cannot be reached. DeadlineExceeded: not in time.
            ConfigurationError: whom to trust cannot be read.
        """
        return self._here().acquire(deadline)

    def all(self) -> list[GrpcConnection]:
        """The connections of this process and, under gevent and eventlet, this OS thread."""
        return self._here().usable()

    def close(self) -> None:
        """End all connections of this process."""
        pid = os.getpid()
        for home in list(self._homes.values()):
            if home.pid == pid:
                home.close()

    def open(self) -> GrpcConnection:
        """Connect, and wait until the server has said that it speaks HTTP/2."""
        deadline = monotonic() + CONNECT_WITHIN
        if isinstance(self._tls, bool | str) and self._tls is not False:
            self._tls = context_for(self._tls, ALPN)  # kept, because making one takes some 10 ms
        context = self._tls or None
        stream = dial_server(self._host, self._port, context, deadline)
        try:
            connection = GrpcConnection(stream)
        except BaseException:  # no thread could be started, for one
            stream.close()
            raise
        try:
            connection.wait_ready(deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    def _here(self) -> _Home:
        here = self._home = self._home or detect().socket_owner
        owner, pid = here(), os.getpid()
        return self._homes.get((pid, id(owner))) or self._new_home(pid, owner)

    def _new_home(self, pid: int, owner: object) -> _Home:
        key = pid, id(owner)
        made = _Home(self.open, self.peer, pid, ref(owner, lambda gone: self._retire(key)))
        return self._homes.setdefault(key, made)  # atomic: threads that come at once get the same one

    def _retire(self, key: tuple[int, int]) -> None:
        """The OS thread has ended that the sockets belong to."""
        home = self._homes.pop(key, None)
        if home is not None:
            home.close()


class _Home:
    """The connections of one process; under gevent and eventlet, of one OS thread.

    Every step is one operation on a list or dict, so an interrupted caller leaves nothing half done.
    """

    def __init__(self, open: Callable[[], GrpcConnection], peer: str, pid: int, owner: ref[object]) -> None:
        self.pid = pid
        self.owner = owner  # kept, because a weak reference calls back only while it lives
        self._open = open
        self._peer = peer
        self._connections: list[GrpcConnection] = []
        self._attempt = _Attempt(open, peer, self._connections)

    def usable(self) -> list[GrpcConnection]:
        """The connections that a call may begin on. Those that have ended are dropped."""
        found = []
        for connection in self._connections.copy():
            if connection.is_usable:
                found.append(connection)
            elif connection.closed:
                with suppress(ValueError):
                    self._connections.remove(connection)
            elif not connection.load:
                connection.close()
        return found

    def acquire(self, deadline: float | None) -> GrpcConnection:
        while True:
            usable = self.usable()
            for connection in usable:
                if connection.has_room:
                    return connection
            if len(usable) >= MAX_CONNECTIONS:
                return _least(usable)
            attempt = self._attempt
            if attempt.is_over or attempt.abandoned:
                attempt = self._attempt = attempt.successor()
            failure = attempt.wait(deadline, self.pid)
            if failure is not None:
                usable = self.usable()
                if usable and not attempt.abandoned:
                    return _least(usable)
                raise copy(failure) from failure  # each caller raises an exception of its own

    def close(self) -> None:
        self._attempt.abandoned = True
        for connection in self._connections.copy():
            connection.close()


def _least(connections: list[GrpcConnection]) -> GrpcConnection:
    return min(connections, key=lambda connection: connection.load)


class _Attempt:
    """One attempt to connect, which any number of callers wait for. It runs in a thread of its own, so that
    it does not end with the caller that has asked for it.

    Attributes:
        is_over: whether it has succeeded or failed.
        abandoned: whether nobody wants the connection any more.
    """

    def __init__(
        self, open: Callable[[], GrpcConnection], peer: str, connections: list[GrpcConnection]
    ) -> None:
        self._open = open
        self._peer = peer
        self._connections = connections
        self._new_event = detect().event_factory()
        self._thread = OneThread(self._run)
        self._waiters: list[OneShotEvent] = []
        self._failure: Exception | None = None
        self._next: dict[str, _Attempt] = {}
        self.is_over = False
        self.abandoned = False

    def successor(self) -> _Attempt:
        """The next attempt. If several threads come here at once, they all get the same one."""
        return self._next.setdefault("next", _Attempt(self._open, self._peer, self._connections))

    def wait(self, deadline: float | None, pid: int) -> Exception | None:
        """Wait until it is over. Returns the error if it has failed.

        Raises:
            DeadlineExceeded: not in time. The attempt goes on.
        """
        event = self._new_event()
        self._waiters.append(event)
        try:
            self._thread.start()
            if not self.is_over:
                left = None if deadline is None else max(0.0, deadline - monotonic())
                event.wait(left)
            if pid != os.getpid():
                raise forked_call(f"a call to {self._peer}", pid)
            if not self.is_over:
                raise unsent(DeadlineExceeded(f"{self._peer}: no connection in time"))
            return self._failure
        finally:
            with suppress(ValueError):
                self._waiters.remove(event)

    def _run(self) -> None:
        try:
            connection = self._open()
            self._connections.append(connection)
            if self.abandoned:
                connection.close()
                self._failure = unsent(ConnectionFailed(f"{self._peer}: the channel was closed"))
        except Exception as error:
            self._failure = error
        except BaseException:
            self._failure = unsent(ConnectionFailed(f"{self._peer}: the attempt to connect was interrupted"))
            raise
        finally:
            self.is_over = True
            self._wake()

    def _wake(self) -> None:
        for event in self._waiters.copy():
            event.set()
