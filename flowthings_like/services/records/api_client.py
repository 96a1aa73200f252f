"""The record store of an API: `api.record`, and the channels that it makes."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ...diagnostics.checks.first_use import check_first_use
from ...errors import ConfigurationError, ConnectionFailed, DeadlineExceeded
from ...green.calls.markers import api_factory, plain
from ...transport.call_scope import limit_call
from ...transport.connection_pool import Pool
from ...transport.records.connection import ConnectionLostError, RecordsConnection
from ...transport.retry import Clock, Retry
from ..in_parallel import InParallel
from .channel import check_seconds, open_connection
from .endpoints import Endpoint, parse_endpoint
from .record_calls import NotConnectedError, RecordCalls, check_memory_limit, check_payload_type

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from ...transport.connection_pool import Lease
    from .parallel import AsyncRecordChannel, AsyncRecords, LazyRecordChannel, LazyRecords
    from .payload_types import PayloadType
    from .responses import Response

__all__ = ["RecordChannel", "Records", "open_records"]

T = TypeVar("T")
R = TypeVar("R", bound="Response")

CONNECTIONS = 4
"""Connections of one API at once, at most. Under gevent and eventlet, of each OS thread that makes calls."""


class Records(InParallel):
    """The record store of an API. `api.record(payload_type)` is a channel to it; see `RecordChannel`.

    All its channels share up to four connections, which are made when they are needed.
    """

    def __init__(
        self,
        locate: Callable[[], Endpoint],
        *,
        tls: bool | str = True,
        connect_timeout: float | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
        async_lib: Callable[[], Any] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self._locate = locate
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._retry = retry
        self._clock = clock or Clock()
        self._choose_lib = async_lib
        self._context: ssl.SSLContext | None = None
        self._is_closed = False
        self.host = ""  # and port, for observers, once there is a connection
        self._pool: Pool[RecordsConnection] = Pool(
            "connections to the record store",
            self._open,
            RecordsConnection.close,
            size=CONNECTIONS,
            usable=RecordsConnection.usable,
        )

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncRecords: ...
        def lazy(self, pool: Any = None) -> LazyRecords: ...

    @api_factory
    def __call__(
        self,
        payload_type: PayloadType[T],
        *,
        timeout: float | None = None,
        memory_limit: int | None = None,
        strict: bool = False,
    ) -> RecordChannel[T]:
        """A channel to the store.

        Args:
            payload_type: what the payloads are.
            timeout: seconds for each step of a call; None for those of the API.
            memory_limit: bytes of an answer that may be in memory; None for any number.
            strict: raise an exception where a call fails, in place of returning its status.

        Raises:
            InvalidInput: an argument cannot be used.
        """
        return RecordChannel(self, payload_type, timeout, memory_limit, strict)

    @plain
    def address(self) -> tuple[str, int]:
        """What any other TStorage client needs to connect: (host, port)."""
        endpoint = self._locate()
        return endpoint.host, endpoint.port

    @plain
    def close(self) -> None:
        """Close the connections. Later calls raise. Closing again does nothing."""
        self._is_closed = True
        self._pool.close()

    def _open(self) -> RecordsConnection:
        if self._is_closed:
            error = ConnectionFailed("the API was closed; make a new one")
            error.sent = error.retryable = False
            raise error
        check_first_use("network")
        endpoint = self._locate()
        self.host = f"{endpoint.host}:{endpoint.port}"
        context = self._context_of(endpoint)
        try:
            return open_connection(endpoint.host, endpoint.port, context, self._connect_timeout)
        except (ConnectionFailed, DeadlineExceeded) as error:
            raise NotConnectedError(str(error)) from error

    def _context_of(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        if not endpoint.is_encrypted:
            return None
        if self._context is None:
            from ...transport.tls import context_for  # it brings in ssl, which may still be patched

            self._context = context_for(self._tls)
        return self._context

    def _async_lib(self) -> Any:
        return self._choose_lib()

    def __repr__(self) -> str:
        return "<Records>"


class RecordChannel(RecordCalls[T]):
    """A channel to the record store of an API. It connects by itself, and again when a connection breaks.

    Any number of threads and green threads may use it. Calls beyond four at once wait for a connection.
    `get` and `get_acq` are made again on another connection if the server has not begun to answer; a put only
    if nothing was sent.
    """

    def __init__(
        self,
        records: Records,
        payload_type: PayloadType[T],
        timeout: float | None,
        memory_limit: int | None,
        strict: bool,
    ) -> None:
        self.payload_type = check_payload_type(payload_type)
        self.strict = strict
        self._records = records
        self._timeout = records._timeout if timeout is None else check_seconds(timeout)
        self._memory_limit = check_memory_limit(memory_limit)

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncRecordChannel[T]: ...
        def lazy(self, pool: Any = None) -> LazyRecordChannel[T]: ...

    @property
    def _host(self) -> str:
        return self._records.host

    def _lease(self) -> Lease[RecordsConnection]:
        until = limit_call(None if self._timeout is None else monotonic() + self._timeout)
        return self._records._pool.lease(until)

    def _exchange(self, exchange: Callable[[RecordsConnection], R], repeatable: bool) -> R:
        retry, clock = self._records._retry, self._records._clock
        number = 1
        while True:
            try:
                return super()._exchange(exchange, repeatable)
            except (NotConnectedError, ConnectionLostError) as error:
                is_safe = isinstance(error, NotConnectedError) or (repeatable and not error.answered)
                if retry is None or number >= retry.attempts or not is_safe:
                    raise
            clock.sleep(retry.pause(number, clock.jitter()))
            number += 1

    def _reconnect(self) -> bool:
        return not self._records._is_closed

    def _async_lib(self) -> Any:
        return self._records._async_lib()

    def __repr__(self) -> str:
        return f"<RecordChannel of {self.payload_type!r}>"


def open_records(url: str | None, platform: Any, connection: Any) -> Records:
    """Make the record store of an API.

    Args:
        url: of a server, or None for the store of the platform.
        platform: an embedded platform, or None.
        connection: what the services of the API share, with its options.

    Raises:
        ConfigurationError: the URL is not valid.
    """
    allowed = connection.timeout
    records = Records(
        server_of(url, platform),
        tls=connection.verify_ssl,
        connect_timeout=check_seconds(allowed.connect),
        timeout=check_seconds(allowed.read if allowed.total is None else allowed.total),
        retry=connection.retry,
        async_lib=lambda: connection.async_lib,
    )
    if connection.closed:
        records.close()
    return records


def server_of(url: str | None, platform: Any) -> Callable[[], Endpoint]:
    """Returns the function that says, before each attempt to connect, where the server is.

    Raises:
        ConfigurationError: the URL is not valid. The function raises it if there is neither URL nor
            platform.
    """
    if url is not None:
        endpoint = parse_endpoint(url)
        return lambda: endpoint

    def embedded() -> Endpoint:
        if platform is None:
            raise ConfigurationError(
                "this API knows no TStorage server; write API(…, records='tstorage://host:2025'), or set "
                "'records' in the profile or FLOWTHINGS_RECORDS, or use API.embedded(…), which has one"
            )
        host, port = platform.records_address()
        return Endpoint(host, port)

    return embedded
