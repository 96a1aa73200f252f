"""Deadlines and a bound on headers for what goes through requests, where a time-out is for one read.

A time-out that carries its deadline, `Seconds`, travels through requests and urllib3 as the number that it
is, down to the connection. There `install_deadlines` has put a kind of connection that knows what it carries:
each of its steps waits for no longer than is left.
"""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPResponse
from time import monotonic
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ...errors import DeadlineExceeded
from ...green.backends.contract import detect
from ...wire.http import MAX_HEAD, TOO_MUCH_HEAD
from ..forks import cut_off, forget_in_child
from ..homes import pool_queue
from ..retry import SHORTEST
from ..timing import sooner
from .native_transport import STALE_AFTER

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.poolmanager import PoolManager

__all__ = ["Seconds", "close_idle", "install_deadlines"]

_MOMENT = 0.05
_PIECE = 16_384  # what TLS takes at once


class Seconds(float):
    """A time-out, and the deadline behind it.

    Attributes:
        until: the `time.monotonic()` by which all must be done.
        first_by: by which something of the answer must have come, on a connection that was used before; None
            for no such bound.
    """

    until: float
    first_by: float | None

    @classmethod
    def of(cls, timeout: float | None, until: float, first_by: float | None = None) -> Seconds:
        """`timeout` seconds for each step, or as many as are left until then."""
        left = max(until - monotonic(), SHORTEST)
        made = cls(left if timeout is None else min(timeout, left))
        made.until, made.first_by = until, first_by
        return made


def install_deadlines(adapter: object, proxy: str | None = None) -> None:
    """Have an adapter's connections keep to the deadlines of `Seconds`.

    Connections that it has are closed, once. An adapter that is not of requests' kind is left as it is.

    Args:
        proxy: the URL of the proxy that it is about to use.
    """
    if not isinstance(adapter, HTTPAdapter):
        return
    if proxy is not None:
        adapter.proxy_manager_for(proxy)
    for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
        classes = manager.pool_classes_by_scheme
        kept = {scheme: _pool_class(found) for scheme, found in classes.items()}
        if kept != classes:
            manager.pool_classes_by_scheme = kept
            manager.clear()


def close_idle(adapter: object) -> None:
    """Close an adapter's idle connections: one of them has turned out to be dead."""
    if isinstance(adapter, HTTPAdapter):
        managers: tuple[PoolManager, ...] = (adapter.poolmanager, *adapter.proxy_manager.values())
        for manager in managers:
            manager.clear()


@lru_cache(maxsize=64)
def _pool_class(found: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    if issubclass(found, _TimedPool):
        return found
    return type(found.__name__, (_TimedPool, found), {})


@lru_cache(maxsize=64)
def _connection_class(found: type) -> type:
    # Test doubles take the place of urllib3's classes, and have no socket to keep to a deadline.
    if not issubclass(found, HTTPConnection) or not found.__module__.startswith("urllib3."):
        return found
    return type(found.__name__, (_TimedConnection, found), {})


class _TimedPool:
    """Added to a pool of urllib3's."""

    ConnectionCls: Any
    QueueCls = staticmethod(pool_queue)

    def _new_conn(self) -> Any:
        # Looked up now, in the class: what a test double has put there is there for a while.
        vars(self).pop("ConnectionCls", None)
        self.ConnectionCls = _connection_class(self.ConnectionCls)
        return super()._new_conn()  # type: ignore[misc]


class _TimedConnection(HTTPConnection):
    """Added to a connection of urllib3's: keeps to deadlines, and leaves the socket to the parent in a fork.

    Where its time-out is a plain number there is no deadline.
    """

    _answered: float | None = None  # when it last was

    _connecting = -1  # the descriptor, until `sock` is what it will be

    def forget(self) -> None:
        """In a forked child: leave the socket to the parent."""
        cut_off(self._connecting)
        if self.sock is not None:
            cut_off(self.sock.fileno())

    def connect(self) -> None:
        forget_in_child(self)
        try:
            self._connect()
        finally:
            self._connecting = -1

    def _connect(self) -> None:
        until = getattr(self.timeout, "until", None)
        if until is None:
            super().connect()
            return
        try:
            # Interrupts green threads; threads wait in one call after the other, each of which has a bound.
            # A moment later than the socket's own time-out, after which urllib3 closes the socket.
            with detect().deadline(sooner(None, until + _MOMENT)):
                super().connect()
        except (DeadlineExceeded, TimeoutError) as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out.") from error

    def _new_conn(self) -> socket.socket:
        until = getattr(self.timeout, "until", None)
        if until is None or not _resolves_itself(type(self)):
            made = super()._new_conn()
        else:
            made = self._first_reachable(until)
        self._connecting = made.fileno()
        if until is not None:
            made.settimeout(sooner(self._each(), until))  # for the handshake
        return made

    def _first_reachable(self, until: float) -> socket.socket:
        """urllib3 gives each address of a host the whole time-out; here they share it."""
        name, whole = self._dns_host, self.timeout
        failure: NewConnectionError | ConnectTimeoutError | None = None
        try:
            for address in _addresses(name, self.port):
                self._dns_host = address
                sooner(None, until)
                self.timeout = Seconds.of(self._each(), until)
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
            if failure is not None:
                raise failure
            self._dns_host, self.timeout = name, Seconds.of(self._each(), until)
            return super()._new_conn()
        finally:
            self._dns_host, self.timeout = name, whole
            del failure  # its traceback leads here

    def send(self, data: Any) -> None:
        until = getattr(self.timeout, "until", None)
        if self.sock is None and until is not None:
            self.connect()
        if until is None or not isinstance(data, bytes):
            super().send(data)
            return
        view = memoryview(data)
        while view:
            self.sock.settimeout(sooner(self._each(), until))
            view = view[self.sock.send(view[:_PIECE]) :]

    def response_class(self, sock: Any, *args: Any, **options: Any) -> HTTPResponse:  # type: ignore[override]
        response = HTTPResponse(sock, *args, **options)
        raw: Any = response.fp.detach()
        until = getattr(self.timeout, "until", None)
        if until is not None:
            first_by = None
            if self._answered is not None and monotonic() - self._answered >= STALE_AFTER:
                first_by = getattr(self.timeout, "first_by", None)
            raw = _TimedReader(raw, sock, sock.gettimeout(), until, first_by)
        response.fp = _BoundedReader(raw)
        return response

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._answered = monotonic()
        return response

    def _each(self) -> float | None:
        return None if self.timeout is None else float(self.timeout)


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline.

    Args:
        raw: what reads from it.
        sock: the socket.
        each: seconds for one read.
        until: the deadline.
        first_by: the deadline for the first byte.
    """

    def __init__(self, raw: Any, sock: Any, each: float | None, until: float, first_by: float | None) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._each = each
        self._until = until
        self._first_by = first_by

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        found: int = self._raw.fileno()
        return found

    def readinto(self, buffer: Any) -> int | None:
        until = self._until if self._first_by is None else min(self._until, self._first_by)
        self._sock.settimeout(sooner(self._each, until))
        read: int | None = self._raw.readinto(buffer)
        self._first_by = None
        return read

    def close(self) -> None:
        with suppress(OSError):
            self._raw.close()
        super().close()


class _BoundedReader(io.BufferedReader):
    """Bounds an answer's lines: all that is not its body, chunk sizes excepted."""

    _overhead = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(MAX_HEAD + 1 if size is None or size < 0 else size)
        # Only a chunk's size is one word. There are no more chunks than bytes, and these are bounded.
        if not line.rstrip().isalnum() or len(line) > MAX_HEAD:
            self._overhead += len(line)
            if self._overhead > MAX_HEAD:
                raise ConnectionError(TOO_MUCH_HEAD)
        return line


def _resolves_itself(kind: type) -> bool:
    """Whether a connection looks up the host's name: a SOCKS proxy may do that instead."""
    below = kind.__mro__[kind.__mro__.index(_TimedConnection) + 1 :]
    found = next(base for base in below if "_new_conn" in vars(base))
    return found is HTTPConnection


def _addresses(name: str, port: int | None) -> list[str]:
    """The host's addresses, if there are several, and ones that a name can be replaced by."""
    try:
        found = socket.getaddrinfo(name.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # urllib3 has words for it
    addresses = [str(each[4][0]) for each in found]
    return addresses if len(addresses) > 1 and not any("%" in each for each in addresses) else []
