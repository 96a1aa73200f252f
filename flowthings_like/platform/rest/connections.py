"""The connections of a served platform: their timeouts, and how many each address may have.

A connection waits for a request's head, or it is busy: its request is being received, worked on or answered.
A waiting one may be ended to make room for a new one; a busy one may not. So neither idle connections nor
half-sent requests keep new clients out.

    waiting   idle for `keep_alive` seconds at most; from its first byte on a head has `head` seconds
    live      a WebSocket: what serves it has limits of its own
    busy      a body or a response that stops moving is given up after `stall` seconds, and so is one that
              after as many seconds is slower than `slowest` bytes a second on average
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Connection", "ConnectionLimits", "Connections", "Phase", "has_hung_up"]

_TCP_STATE = socket.TCP_INFO if sys.platform == "linux" else None  # its first byte is the state
_ESTABLISHED = 1


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on the connections of one client.

    Attributes:
        per_address: connections of one address (of one /64 network for IPv6) in each worker; 0: no bound.
        total: connections of all addresses in each worker.
        head: seconds for a request's head, and for a TLS handshake.
        keep_alive: seconds that a connection may be idle between two requests.
        stall: seconds without a byte after which a body or a response is given up.
        slowest: bytes a second that a body or a response must reach on average, after `stall` seconds.
    """

    per_address: int = 512
    total: int = 4096
    head: float = 15.0
    keep_alive: float = 75.0
    stall: float = 20.0
    slowest: int = 32 * 1024


class Phase(Enum):
    """What a connection is doing."""

    WAITING = "waiting"
    BUSY = "busy"
    LIVE = "live"


class Connection:
    """A client's connected socket, as the worker reads and writes it. Everything has a time limit.

    Args:
        sock: the connected socket; it belongs to the connection.
        host: the client's address.
        limits: what it may take up.

    Attributes:
        origin: what the connection is counted under.
        phase: see the module.
        since: when it came to be in that phase, in monotonic seconds.
        listening_since: since when a byte is waited for; None if none is.
    """

    def __init__(self, sock: Any, host: str, limits: ConnectionLimits) -> None:
        self._sock = sock
        self._limits = limits
        self._ended = False
        self._received = 0
        # Whether the next request's head has begun: a new connection is expected to send one.
        self._begun = True
        self.origin = _origin(host)
        self.phase = Phase.WAITING
        self.since = time.monotonic()
        self.listening_since: float | None = None

    def secure(self, wrap: Callable[[Any], Any]) -> None:
        """Do a TLS handshake, within the time for a head. `wrap` makes the secure socket of the plain one."""
        self._sock.settimeout(self._limits.head)
        self._sock = wrap(self._sock)
        self._sock.do_handshake()

    def begin(self) -> None:
        """A request's head is there: the connection is busy."""
        self.phase, self.since, self._received = Phase.BUSY, time.monotonic(), 0

    def take_over(self) -> Any:
        """The socket, for a WebSocket. From now on this object only ends it, when the worker stops."""
        self.phase, self.since = Phase.LIVE, time.monotonic()
        return self._sock

    def finish(self) -> None:
        """The request is answered: the connection waits for the next one."""
        self.phase, self.since, self._begun = Phase.WAITING, time.monotonic(), False

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Bytes from the client; b"" if there are no more, or if a head did not come in time.

        Raises:
            TimeoutError: a body did not come in time. The connection is of no more use then.
        """
        if self._ended:
            return b""
        left = self._left()
        try:
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            self.listening_since = time.monotonic()
            data: bytes = self._sock.recv(size, flags)
        except TimeoutError:
            self._ended = True
            if self.phase is Phase.WAITING:
                return b""
            raise TimeoutError("the client stopped sending, or was too slow") from None
        finally:
            self.listening_since = None
        self._received += len(data)
        if not self._begun:
            self._begun, self.since = True, time.monotonic()
        return data

    def sendall(self, data: bytes) -> None:
        """Send everything, if the client takes it in time.

        Raises:
            ConnectionResetError: it did not.
        """
        limits = self._limits
        self._sock.settimeout(limits.stall + len(data) / limits.slowest)
        try:
            self._sock.sendall(data)
        except TimeoutError as error:
            self._ended = True
            raise ConnectionResetError(errno.ECONNRESET, "the client stopped reading") from error

    send = sendall
    """What gunicorn sends with `send` is a few bytes long."""

    def end(self) -> None:
        """End the connection: a reader gets the end of the stream, and so does the client."""
        self._ended = True
        with suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)

    def is_gone(self) -> bool:
        """Whether the client has hung up, or said that it sends no more. For any OS thread; never waits."""
        return has_hung_up(self._plain)

    @property
    def _plain(self) -> Any:
        """The socket beneath TLS and the hub."""
        return getattr(self._sock, "_sock", self._sock)

    def _left(self) -> float:
        limits, elapsed = self._limits, time.monotonic() - self.since
        if self.phase is Phase.WAITING:
            return (limits.head if self._begun else limits.keep_alive) - elapsed
        return min(limits.stall, limits.stall + self._received / limits.slowest - elapsed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Connections:
    """All connections of one worker. Used in its hub only; no method switches to another green thread."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._by_origin: dict[object, set[Connection]] = {}
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def admit(self, connection: Connection) -> bool:
        """Count a new connection, ending the one that has waited longest if there is no room for it.

        Returns False, and counts nothing, where all others are busy.
        """
        limits = self._limits
        same = self._by_origin.get(connection.origin, set())
        if self._closed:
            return False
        if limits.per_address and len(same) >= limits.per_address:
            if not _end_longest_waiting(same):
                return False
        elif self._count >= limits.total:
            # The address with the most connections loses one.
            most = sorted(self._by_origin.values(), key=len, reverse=True)
            if not any(_end_longest_waiting(others) for others in most):
                return False
        self._by_origin.setdefault(connection.origin, set()).add(connection)
        self._count += 1
        return True

    def discard(self, connection: Connection) -> None:
        """The connection has ended. More calls do nothing."""
        same = self._by_origin.get(connection.origin, set())
        if connection in same:
            same.remove(connection)
            self._count -= 1
            if not same:
                del self._by_origin[connection.origin]

    def phases(self) -> dict[str, int]:
        """How many connections there are in each phase."""
        found = {phase.value: 0 for phase in Phase}
        for connection in self._all():
            found[connection.phase.value] += 1
        return found

    def close(self) -> None:
        """Take no more connections and end those that wait or are live. Those that are busy go on."""
        self._closed = True
        for connection in self._all():
            if connection.phase is not Phase.BUSY:
                connection.end()

    def end_silent(self, seconds: float) -> None:
        """End those that have waited for a byte of their client for longer than this."""
        before = time.monotonic() - seconds
        for connection in self._all():
            if connection.listening_since is not None and connection.listening_since < before:
                connection.end()

    def end(self) -> None:
        """End all of them."""
        self._closed = True
        for connection in self._all():
            connection.end()

    def _all(self) -> list[Connection]:
        return [connection for same in self._by_origin.values() for connection in same]


def _end_longest_waiting(connections: set[Connection]) -> bool:
    waiting = [one for one in connections if one.phase is Phase.WAITING and not one._ended]
    if not waiting:
        # Ended ones do not know it yet, but are as good as gone.
        return any(one._ended for one in connections)
    min(waiting, key=lambda one: one.since).end()
    return True


def _origin(host: str) -> object:
    """An address, or the network of one where a single client has a whole network of addresses."""
    if ":" in host:
        with suppress(ValueError):
            return ipaddress.IPv6Address(host.partition("%")[0]).packed[:8]
    return host


def has_hung_up(sock: Any) -> bool:
    """Whether the other side of a connected socket has hung up, or said that it sends no more.

    It reads nothing and never waits, so it may be asked from any OS thread, also beneath TLS.
    """
    try:
        if sock.fileno() < 0:
            return True
        if _TCP_STATE is not None and sock.family != getattr(socket, "AF_UNIX", None):
            state: int = sock.getsockopt(socket.IPPROTO_TCP, _TCP_STATE, 1)[0]
            return state != _ESTABLISHED
        return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except (OSError, ValueError):  # closed meanwhile
        return True
