"""Channel: one connection to a TStorage server, and the calls on it."""

from __future__ import annotations

import math
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from ...diagnostics.checks.first_use import check_first_use
from ...errors import ConnectionFailed, DeadlineExceeded, InvalidInput
from ...green.calls.markers import plain
from ...transport.connection_pool import Pool
from ...transport.records.connection import RecordsConnection, State
from .errors import RecordsError
from .record_calls import NotConnectedError, RecordCalls, check_memory_limit, check_payload_type
from .responses import Response, ResponseStatus

if TYPE_CHECKING:
    import ssl

    from ...transport.connection_pool import Lease
    from .parallel import AsyncChannel as AsyncCalls
    from .parallel import LazyChannel
    from .payload_types import PayloadType

__all__ = ["AsyncChannel", "Channel"]

T = TypeVar("T")


class Channel(RecordCalls[T]):
    """One connection to a TStorage server, or to the record store of an embedded platform.

    >>> with Channel("localhost", 2025, StructPayloadType("<d")) as channel:  # doctest: +SKIP
    ...     channel.put([Record(Key(cid=0, mid=1, moid=1, cap=now_ns()), 39.02)])

    Any number of threads and green threads may use it; each call waits until the one before it is done. Under
    gevent and eventlet it is connected in one OS thread only: the one that called `connect`.

    After each call it is either ready for the next one, or closed. A call on a closed channel has the status
    DISCONNECTED; call `connect` again.

    Args:
        host: a name or an address.
        port: its port.
        payload_type: what the payloads are.
        timeout: seconds for each step: to connect, to send a part, to receive one; None for any number. A
            call that takes longer raises DeadlineExceeded, which is a TimeoutError.
        memory_limit: bytes of an answer that may be in memory; None for any number.
        ssl_context: for a server behind TLS; None for none.
        strict: raise an exception where a call fails, in place of returning its status.

    Raises:
        InvalidInput: an argument cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        payload_type: PayloadType[T],
        timeout: float | None = None,
        memory_limit: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.payload_type = check_payload_type(payload_type)
        self.strict = strict
        self._timeout = check_seconds(timeout)
        self._memory_limit = check_memory_limit(memory_limit)
        self._context = ssl_context
        # Weak, because an interrupt can take a connection out of the pool: it is closed when it is collected.
        self._latest: ref[RecordsConnection] | None = None
        self._is_closed = False
        self._pool: Pool[RecordsConnection] = Pool(
            f"the channel to {host}:{port}",
            self._open,
            RecordsConnection.close,
            size=1,
            idle_for=math.inf,
            usable=RecordsConnection.usable,
        )

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncCalls[T]: ...
        def lazy(self, pool: Any = None) -> LazyChannel[T]: ...

    @property
    def timeout(self) -> float | None:
        """Seconds for each step of a call; None for any number."""
        return self._timeout

    @timeout.setter
    def timeout(self, timeout: float | None) -> None:
        self._timeout = check_seconds(timeout)

    @property
    def _current(self) -> RecordsConnection | None:
        return None if self._latest is None else self._latest()

    @property
    def is_connected(self) -> bool:
        """Whether the channel is connected, as far as is known without asking the server."""
        current = self._current
        return current is not None and current.state is not State.CLOSED

    @plain
    def connect(self) -> Response:
        """Connect, in place of the present connection if there is one.

        Returns:
            OK; ERROR if it cannot connect, with the reason.
        """
        try:
            self._connect()
        except Exception as error:
            if self.strict:
                raise
            return Response(ResponseStatus.ERROR, reason=str(error))
        return Response(ResponseStatus.OK)

    def _connect(self) -> None:
        check_first_use("network")
        self._check_reentrance()
        self._is_closed = False
        with self._pool.lease(None, True, fresh=True) as lease:
            lease.complete()

    @plain
    def close(self) -> Response:
        """Close the connection. A call of another thread that is under way has the status DISCONNECTED.

        Returns:
            OK; ERROR if it was not connected.
        """
        self._is_closed = True
        current, was_connected = self._current, self.is_connected
        if current is not None:
            current.close()
        self._pool.close()
        return Response(ResponseStatus.OK if was_connected else ResponseStatus.ERROR)

    def __enter__(self) -> Channel[T]:
        """Connect.

        Raises:
            ConnectionFailed, DeadlineExceeded: that is not possible.
        """
        self._connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else "closed"
        return f"<{type(self).__name__} to {self.host}:{self.port}, {state}>"

    @property
    def _host(self) -> str:
        return f"{self.host}:{self.port}"

    def _lease(self) -> Lease[RecordsConnection]:
        self._check_reentrance()
        return self._pool.lease()

    def _open(self, is_wanted: bool = False) -> RecordsConnection:
        """Make the pool's connection. Only `connect` wants one."""
        if not is_wanted:
            how = "is not connected" if self._latest is None else "was closed"
            raise NotConnectedError(f"the channel to {self.host}:{self.port} {how}; call connect()")
        made = open_connection(self.host, self.port, self._context, self._timeout)
        self._latest = ref(made)
        return made

    def _check_reentrance(self) -> None:
        current = self._current
        if current is not None and current.state is State.EXCHANGING and current.user == get_ident():
            raise RecordsError(
                "this channel is in the middle of get_iter or get_stream; make the call after the end of it, "
                "or on another channel"
            )

    def _reconnect(self) -> bool:
        if self._is_closed:
            return False
        if not self.is_connected:
            self.connect()
        return True


class AsyncChannel(Channel[T]):
    """A channel with the arguments of `AsyncChannel` of TStorage's own client, whose fourth is memory_limit.

    Its calls block, as those of every Channel do: delete `await` and `async` from a program that uses it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        payload_type: PayloadType[T],
        memory_limit: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(host, port, payload_type, None, memory_limit, ssl_context, strict=strict)


def open_connection(
    host: str, port: int, context: ssl.SSLContext | None, timeout: float | None
) -> RecordsConnection:
    """Connect to a server.

    Raises:
        ConnectionFailed, DeadlineExceeded: that is not possible.
    """
    try:
        return RecordsConnection(host, port, context, timeout)
    except TimeoutError as error:
        cause: OSError = error
        failure: ConnectionFailed | DeadlineExceeded = DeadlineExceeded(f"{host}:{port}: not in time")
    except OSError as error:
        cause = error
        failure = ConnectionFailed(f"{host}:{port}: {type(error).__name__}: {error}")
    failure.sent = False
    raise failure from cause


def check_seconds(timeout: Any) -> float | None:
    """Return a time-out.

    Raises:
        InvalidInput: it is neither None nor a positive number of seconds.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidInput(f"timeout is {timeout!r}; give a number of seconds, or None for no limit")
    return None if math.isinf(timeout) else float(timeout)
