"""The calls of a channel: `get`, `put` and the others. Each is one exchange on one connection."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from ...errors import InvalidInput
from ...green.calls.markers import plain, reads
from ...telemetry.event import Family
from ...telemetry.observers import Observed, observed_items, observers
from ...transport.call_scope import limit_seconds
from ...transport.outgoing_values import resolve
from ...transport.records.connection import ConnectionLostError, RecordsConnection, State
from ...wire.tstorage.layout import MAX_BATCH, Form
from ...wire.tstorage.record import InvalidRecord, Key, Record
from ...wire.tstorage.requests import acq_request, get_request
from ..in_parallel import InParallel
from .exchanges import ask_acq, get_all, put_all
from .follower import Follower
from .payload_types import PayloadType
from .putting import encode
from .responses import Response, ResponseAcq, ResponseGet, ResponseStatus
from .search import Search, check_key, search_for
from .searching import search_all, search_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...filters.nodes import Filter
    from ...filters.target import Explanation
    from ...transport.connection_pool import Lease
    from .records_set import GetCallback, RecordsSet

__all__ = ["NotConnectedError", "RecordCalls", "check_memory_limit", "check_payload_type"]

T = TypeVar("T")
R = TypeVar("R", bound=Response)

RECEIVED_AT_ONCE = 65_536
"""Bytes that are read at once, unless a call says otherwise."""


class NotConnectedError(Exception):
    """There is no connection, and none could be made. The message says why."""


class RecordCalls(InParallel, Generic[T]):
    """The calls of a channel. A subclass says where their connections come from.

    Attributes:
        payload_type: what the payloads are.
        strict: whether a call that fails raises an exception. If not, it returns the status.
    """

    payload_type: PayloadType[T]
    strict: bool
    _timeout: float | None
    _memory_limit: int | None

    @abstractmethod
    def _lease(self) -> Lease[RecordsConnection]:
        """A connection for one exchange. To enter it may raise NotConnectedError."""

    @property
    def _host(self) -> str:
        """The server's host and port, for observers; "" if they are not known here."""
        return ""

    @property
    def memory_limit(self) -> int | None:
        """Bytes of an answer that may be in memory; None for any number.

        For `get` that is the whole answer. `get_stream` and `get_iter` keep no more than that at a time.
        """
        return self._memory_limit

    @memory_limit.setter
    def memory_limit(self, limit: int | None) -> None:
        self._memory_limit = check_memory_limit(limit)

    # Writing

    def put(
        self, data: RecordsSet[T], max_batch_size: int = MAX_BATCH, skip_invalid: bool = False
    ) -> Response:
        """Store records. The server gives them their `acq`.

        All records are checked before one is sent. Without `skip_invalid` nothing is sent if one is invalid:
        the status is UNPARSEABLE_ENTITY, and the reason says which record it is. A record is invalid if its
        cid is negative, a number of its key is out of range, or its payload has more than 32 MiB.

        Args:
            data: a RecordBatch or Records; also a structured array, a dict of arrays, or a table of Arrow,
                pandas or polars, with the columns that a RecordBatch has.
            max_batch_size: bytes that are sent in one batch, 1 to 2**31 - 1. One record is always sent.
            skip_invalid: leave out the records that are invalid, or that the payload type cannot convert, and
                store the others. `skipped` of the answer says how many were left out.

        Returns:
            OK; UNPARSEABLE_ENTITY; ERROR if the server refused; DISCONNECTED.

        Raises:
            InvalidInput: `data` or `max_batch_size` cannot be used.
            DeadlineExceeded: the server did not answer in time. It may have stored the records.
            Exception: what the payload type raises for a value that it cannot convert. Nothing was sent.
        """
        return self._put(Form.PUT, data, max_batch_size, skip_invalid)

    def puta(
        self, data: RecordsSet[T], max_batch_size: int = MAX_BATCH, skip_invalid: bool = False
    ) -> Response:
        """Store records with the `acq` that they have. For copies and repairs; otherwise as `put`."""
        return self._put(Form.PUTA, data, max_batch_size, skip_invalid)

    def _put(self, form: Form, data: Any, max_batch_size: int, skip_invalid: bool) -> Response:
        try:
            request = encode(form, data, self.payload_type, max_batch_size, skip_invalid=skip_invalid)
        except InvalidRecord as error:
            return self._checked(Response(ResponseStatus.UNPARSEABLE_ENTITY, reason=str(error)))

        def exchange(connection: RecordsConnection) -> Response:
            return put_all(connection, request.buffers, request.skipped)

        return self._checked(self._call(form.name.lower(), Response, exchange, repeatable=False))

    # Reading

    @reads
    def get_acq(self, key_min: Key, key_max: Key) -> ResponseAcq:
        """Ask for the time up to which the records of a range do not change any more.

        Args:
            key_min: the range's lower end, inclusive in each field.
            key_max: its upper end, exclusive in each field.

        Returns:
            OK with `acq`; ERROR if the server refused; DISCONNECTED.

        Raises:
            InvalidInput: a number of a key is out of range.
            DeadlineExceeded: the server did not answer in time.
        """
        return self._checked(self._ask_acq(check_key(key_min), check_key(key_max)))

    def _ask_acq(self, key_min: Key, key_max: Key) -> ResponseAcq:
        request = acq_request(key_min, key_max)
        return self._call("get_acq", ResponseAcq, lambda connection: ask_acq(connection, request))

    @overload
    def get(
        self,
        key_min: Key | None = None,
        key_max: Key | None = None,
        recv_buffer_size: int = RECEIVED_AT_ONCE,
        *,
        where: Filter | str | None = None,
        partial: bool = True,
        explain: Literal[False] = False,
    ) -> ResponseGet[T]: ...

    @overload
    def get(
        self,
        key_min: Key | None = None,
        key_max: Key | None = None,
        recv_buffer_size: int = RECEIVED_AT_ONCE,
        *,
        where: Filter | str | None = None,
        partial: bool = True,
        explain: Literal[True],
    ) -> Explanation: ...

    @reads
    def get(
        self,
        key_min: Key | None = None,
        key_max: Key | None = None,
        recv_buffer_size: int = RECEIVED_AT_ONCE,
        *,
        where: Filter | str | None = None,
        partial: bool = True,
        explain: bool = False,
    ) -> Any:
        """Get the records of a range: those whose fields are, each by itself, in the range of that field.

        Args:
            key_min: the range's lower end, inclusive in each field. With `where` it may be left out.
            key_max: its upper end, exclusive in each field.
            recv_buffer_size: bytes that are read at once.
            where: a filter, such as `(mem.cid == 1) & (mem.value > 0)`: the smallest ranges of keys that hold
                it are asked for, and the rest is tested on the records as they come. Members are the fields
                of the key and of the payload; a payload without fields is `mem.value`.
            partial: False to raise CannotFilter if ranges of keys do not say the filter exactly.
            explain: return the Explanation of the call, which is not made.

        Returns:
            OK with `data` and `acq`. Otherwise `data` has the records that came before the failure, and the
            connection is closed: BAD_REQUEST or ERROR if the server refused; UNPARSEABLE_ENTITY if the reply
            or a record cannot be read; NO_MEMORY if the reply, or with `where` the records that match, are
            larger than `memory_limit`; DISCONNECTED.

        Raises:
            InvalidInput: a number of a key is out of range, or `where` is no filter.
            DeadlineExceeded: nothing came in time.
        """
        search = search_for(key_min, key_max, where, partial)
        if explain:
            return search.explanation()
        if where is None:
            return self._checked(self._get_all(search.whole.low, search.whole.high, recv_buffer_size))
        options = self.payload_type, self._memory_limit, recv_buffer_size, self._timeout
        return self._checked(self._call("get", ResponseGet, lambda conn: search_all(conn, search, *options)))

    def _get_all(self, key_min: Key, key_max: Key, at_once: int = RECEIVED_AT_ONCE) -> ResponseGet[T]:
        request = get_request(key_min, key_max)
        options = self.payload_type, self._memory_limit, at_once
        return self._call("get", ResponseGet, lambda conn: get_all(conn, request, *options))

    def get_stream(
        self,
        key_min: Key | None,
        key_max: Key | None,
        callback: GetCallback[T],
        recv_buffer_size: int = RECEIVED_AT_ONCE,
        *,
        where: Filter | str | None = None,
        partial: bool = True,
    ) -> ResponseAcq:
        """Get the records of a range, and call a function with each part of them as it comes.

        A part has `memory_limit` bytes, about; without a limit there is one part. The function must make no
        call on this channel. If it raises, so does this call, and the connection is closed.

        Args:
            key_min, key_max, recv_buffer_size, where, partial: as for `get`.
            callback: takes a RecordBatch or a list of Records, which it may keep.

        Returns:
            As `get`, without the records. NO_MEMORY: a record is larger than `memory_limit`, or not one comes
            within so many bytes.
        """
        search = search_for(key_min, key_max, where, partial)
        payload_type, limit, timeout = self.payload_type, self._memory_limit, self._timeout

        def exchange(connection: RecordsConnection) -> ResponseAcq:
            parts = search_parts(connection, search, payload_type, limit, recv_buffer_size, limit, timeout)
            for part in parts:
                if isinstance(part, ResponseAcq):
                    return part
                callback(part)
            raise AssertionError

        return self._checked(self._call("get_stream", ResponseAcq, exchange, repeatable=False))

    @plain
    def get_iter(
        self,
        key_min: Key | None = None,
        key_max: Key | None = None,
        recv_buffer_size: int = RECEIVED_AT_ONCE,
        *,
        where: Filter | str | None = None,
        partial: bool = True,
    ) -> Iterator[Record[T] | ResponseAcq]:
        """Get the records of a range one by one, as they come. The last item is the answer: check it.

        While the iterator is not at its end, the connection belongs to it: no other call can be made on this
        channel by the same thread, and those of others wait. If it is dropped, the connection is closed.

        Args:
            key_min, key_max, recv_buffer_size, where, partial: as for `get`.

        Yields:
            Records, and then one ResponseAcq as `get_stream` returns it.
        """
        items = self._iterate(search_for(key_min, key_max, where, partial), recv_buffer_size)
        return observed_items(Family.RECORDS, "get_iter", self._host, items) if observers else items

    def _iterate(self, search: Search, at_once: int) -> Iterator[Record[T] | ResponseAcq]:
        answer: ResponseAcq | None = None
        try:
            with self._lease() as lease:
                connection = lease.connection
                connection.begin(limit_seconds(self._timeout))
                parts = search_parts(
                    connection, search, self.payload_type, self._memory_limit, at_once, 1, self._timeout
                )
                for part in parts:
                    if isinstance(part, ResponseAcq):
                        answer = part
                    else:
                        yield from part
                if connection.state is State.IDLE:
                    lease.complete()
        except (NotConnectedError, ConnectionLostError) as error:
            answer = ResponseAcq(ResponseStatus.DISCONNECTED, reason=str(error))
        assert answer is not None
        yield self._checked(answer)

    @plain
    def follow(
        self, key_min: Key, key_max: Key, *, every: float = 1.0, acq: int | None = None
    ) -> Follower[T]:
        """Get the records of a range, and then those that are added, for as long as the loop goes on.

        >>> follower = channel.follow(Key.min(), Key.max(), acq=saved)  # doctest: +SKIP
        >>> for batch in follower:  # doctest: +SKIP
        ...     use(batch)
        ...     saved = follower.acq

        Args:
            key_min: the range's lower end. Its `acq` is where to begin, if `acq` is not given.
            key_max: its upper end. When all records before its `acq` have come, the loop ends.
            every: seconds between two looks.
            acq: where to begin: an `acq` of a follower before.

        Raises, while iterating:
            RecordsError: the server refused, what came cannot be read, or there is no connection at first. A
                connection that breaks later is made again.
        """
        return Follower(self, check_key(key_min), check_key(key_max), every, resolve(acq))

    # How a call is made

    def _call(
        self,
        name: str,
        make: type[R],
        exchange: Callable[[RecordsConnection], R],
        repeatable: bool = True,
    ) -> R:
        """Make a call, and return its answer or the one that says why there is none.

        Args:
            name: the call's, for observers.
            make: the class of the answer.
            exchange: makes the exchange.
            repeatable: whether it may be made again if nothing came of an answer.
        """
        if not observers:
            return self._answer(make, exchange, repeatable)
        with Observed(Family.RECORDS, name, self._host) as event:
            answer = self._answer(make, exchange, repeatable)
            event.host = self._host
            event.error = "" if answer.status is ResponseStatus.OK else answer.status.name
            return answer

    def _answer(self, make: type[R], exchange: Callable[[RecordsConnection], R], repeatable: bool) -> R:
        try:
            return self._exchange(exchange, repeatable)
        except (NotConnectedError, ConnectionLostError) as error:
            return make(ResponseStatus.DISCONNECTED, reason=str(error))

    def _exchange(self, exchange: Callable[[RecordsConnection], R], repeatable: bool) -> R:
        """Make an exchange on a connection, and keep the connection if it can be used again."""
        with self._lease() as lease:
            connection = lease.connection
            connection.begin(limit_seconds(self._timeout))
            answer = exchange(connection)
            if connection.state is State.IDLE:
                lease.complete()
            return answer

    @abstractmethod
    def _reconnect(self) -> bool:
        """Make sure that there is a connection, as far as that is possible.

        Returns:
            Whether the channel may still be used: it was not closed by its user.
        """

    def _checked(self, answer: R) -> R:
        return answer.raise_for_status() if self.strict else answer


def check_memory_limit(limit: Any) -> int | None:
    """Return a memory limit.

    Raises:
        InvalidInput: it is neither None nor a number of bytes.
    """
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0):
        return limit
    raise InvalidInput(f"memory_limit is {limit!r}; give a number of bytes, or None for no limit")


def check_payload_type(payload_type: Any) -> PayloadType[Any]:
    """Return a payload type.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(payload_type, PayloadType):
        return payload_type
    raise InvalidInput(
        f"the payload type is {payload_type!r}; give an instance of a class derived from PayloadType, "
        "such as BytesPayloadType()"
    )
