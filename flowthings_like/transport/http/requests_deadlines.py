"""Gives calls through requests a deadline and a bound on headers: its own time-outs are for one read each.

`TimeoutWithDeadline` is a float, so requests and urllib3 pass it down to the connection as they would any
time-out. `install_deadlines` has put a connection class there that reads its deadline: each step waits for no
longer than is left.
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
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from ...errors import DeadlineExceeded
from ...green.backends.choice import detect
from ...wire.http import MAX_HEAD, TOO_MUCH_HEAD
from ..after_fork import cut_off, forget_in_child
from ..dial import dial
from ..retry import SHORTEST, step_timeout
from .hub_sockets import idle_queue
from .native_transport import STALE_AFTER

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.poolmanager import PoolManager

__all__ = ["TimeoutWithDeadline", "close_idle", "install_deadlines"]

_MOMENT = 0.05
_PIECE = 16_384  # what TLS takes at once


class TimeoutWithDeadline(float):
    """A time-out for one step, which also holds the deadline of the call.

    Attributes:
        until: the `time.monotonic()` by which all must be done.
        first_by: the same for the first byte of the answer, on a connection that was used before; None for no
            such bound.
    """

    until: float
    first_by: float | None

    @classmethod
    def of(cls, timeout: float | None, until: float, first_by: float | None = None) -> TimeoutWithDeadline:
        """A time-out of `timeout` seconds, or of what is left until the deadline if that is less."""
        left = max(until - monotonic(), SHORTEST)
        made = cls(left if timeout is None else min(timeout, left))
        made.until, made.first_by = until, first_by
        return made


def install_deadlines(adapter: object, proxy: str | None = None) -> None:
    """Make an adapter's connections keep to deadlines.

    The first time this closes the connections that it has. An adapter of another kind is left as it is.

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
    """Close an adapter's idle connections, after one of them was found dead."""
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
    # Test doubles replace urllib3's classes, and have no socket.
    if not issubclass(found, HTTPConnection) or not found.__module__.startswith("urllib3."):
        return found
    return type(found.__name__, (_TimedConnection, found), {})


class _TimedPool:
    """A mixin for urllib3's pools."""

    ConnectionCls: Any
    QueueCls = staticmethod(idle_queue)

    def _new_conn(self) -> Any:
        # Looked up in the class each time: a test double may have replaced it for a while.
        vars(self).pop("ConnectionCls", None)
        self.ConnectionCls = _connection_class(self.ConnectionCls)
        return super()._new_conn()  # type: ignore[misc]


class _TimedConnection(HTTPConnection):
    """A mixin for urllib3's connections: keeps to deadlines, and leaves the socket to the parent in a fork.

    If its time-out is a plain number, there is no deadline.
    """

    _answered: float | None = None  # when it last was

    _connecting = -1  # the descriptor, until `sock` is set

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
            # This interrupts green threads. In OS threads each step has a time-out of its own. It comes a
            # moment after the socket's own time-out, at which urllib3 closes the socket.
            with detect().deadline(step_timeout(None, until + _MOMENT)):
                super().connect()
        except (DeadlineExceeded, TimeoutError) as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out.") from error

    def _new_conn(self) -> socket.socket:
        until = getattr(self.timeout, "until", None)
        made = super()._new_conn() if until is None or not _resolves_itself(type(self)) else self._dial(until)
        self._connecting = made.fileno()
        if until is not None:
            made.settimeout(step_timeout(self._each(), until))  # for the handshake
        return made

    def _dial(self, until: float) -> socket.socket:
        """Connect to the first address that answers. They share one time-out; urllib3 gives it to each."""
        try:
            return dial(
                self._dns_host.strip("[]"),
                self.port,
                timeout=self._each(),
                until=until,
                hold=self._prepare,
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out.") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error
        except UnicodeError:
            raise LocationParseError(f"{self.host!r}, label empty or too long") from None

    def _prepare(self, made: socket.socket) -> None:
        self._connecting = made.fileno()
        for option in self.socket_options or ():
            made.setsockopt(*option)
        if self.source_address:
            made.bind(self.source_address)

    def send(self, data: Any) -> None:
        until = getattr(self.timeout, "until", None)
        if self.sock is None and until is not None:
            self.connect()
        if until is None or not isinstance(data, bytes):
            super().send(data)
            return
        view = memoryview(data)
        while view:
            self.sock.settimeout(step_timeout(self._each(), until))
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
        self._sock.settimeout(step_timeout(self._each, until))
        read: int | None = self._raw.readinto(buffer)
        self._first_by = None
        return read

    def close(self) -> None:
        with suppress(OSError):
            self._raw.close()
        super().close()


class _BoundedReader(io.BufferedReader):
    """Bounds all of an answer but its body and the sizes of chunks."""

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
    """Whether a connection resolves the host's name itself, and not a SOCKS proxy for it."""
    below = kind.__mro__[kind.__mro__.index(_TimedConnection) + 1 :]
    found = next(base for base in below if "_new_conn" in vars(base))
    return found is HTTPConnection
