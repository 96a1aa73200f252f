"""The exchanges of the protocol, each on a connection that the caller has for itself.

An exchange leaves the connection IDLE if the server has done what was asked and the reply is read to its end.
In any other case the caller closes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...transport.records.connection import ConnectionLostError, RecordsConnection
from ...wire.tstorage.get_reader import GetReader
from ...wire.tstorage.outcome import Completed, Failed, Outcome
from ...wire.tstorage.replies import ReplyReader
from .getting import parse
from .responses import Response, ResponseAcq, ResponseGet, ResponseStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...wire.tstorage.record import Record
    from .payload_types import PayloadType
    from .record_batch import RecordBatch

__all__ = ["ask_acq", "get_all", "get_parts", "put_all"]

T = TypeVar("T")

SMALLEST_BUFFER = 4096
_REPLY = 64  # bytes; the replies without records have 28 at most


def put_all(connection: RecordsConnection, buffers: Iterable[bytes | memoryview], skipped: int) -> Response:
    """Send a put, and read its reply.

    Raises:
        ConnectionLostError: no whole reply came. DeadlineExceeded: none came in time.
    """
    is_sent = connection.send(buffers)
    outcome = _reply(connection, ReplyReader.for_put())
    if isinstance(outcome, Completed) and not is_sent:
        reason = "the server answered before it had all records"
        return Response(ResponseStatus.ERROR, skipped=skipped, reason=reason)
    return Response(_status(outcome), skipped=skipped, reason=_reason(outcome))


def ask_acq(connection: RecordsConnection, request: bytes) -> ResponseAcq:
    """Send a GETACQ, and read its reply. The errors are those of `put_all`."""
    connection.send([request])
    return _with_acq(_reply(connection, ReplyReader.for_acq()))


def _reply(connection: RecordsConnection, reader: ReplyReader) -> Outcome:
    buffer = memoryview(bytearray(_REPLY))
    while reader.outcome is None:
        reader.feed(buffer[: connection.receive_into(buffer)])
    if isinstance(reader.outcome, Completed) and not reader.excess:
        connection.complete()
    return reader.outcome


def get_all(
    connection: RecordsConnection,
    request: bytes,
    payload_type: PayloadType[T],
    limit: int | None,
    at_once: int,
) -> ResponseGet[T]:
    """Send a GET, and read the whole reply.

    Args:
        limit: bytes that the reply may have; None for any number.
        at_once: bytes that are read at once.

    Raises:
        ConnectionLostError: nothing came. DeadlineExceeded: nothing came in time.
    """
    reader = GetReader()
    answer = _read_all(connection, request, reader, limit, at_once)
    parsed = parse(reader.take(), payload_type)
    if parsed.problem:
        answer = ResponseAcq(ResponseStatus.UNPARSEABLE_ENTITY, reason=parsed.problem)
    elif answer and not reader.excess:
        connection.complete()
    return ResponseGet(answer.status, answer.acq, parsed.data, reason=answer.reason)


def _read_all(
    connection: RecordsConnection, request: bytes, reader: GetReader, limit: int | None, at_once: int
) -> ResponseAcq:
    buffer = _buffer(at_once, limit)
    connection.send([request])
    while reader.outcome is None:
        try:
            size = connection.receive_into(buffer)
        except ConnectionLostError as error:
            if not error.answered:
                raise
            return ResponseAcq(ResponseStatus.DISCONNECTED, reason=str(error))
        if limit is None:
            reader.feed(buffer[:size])
            continue
        left = limit - reader.received
        reader.feed(buffer[: min(size, left)])
        if size > left or reader.pending_record > limit:
            return _too_large(limit)
    return _with_acq(reader.outcome)


def get_parts(
    connection: RecordsConnection,
    request: bytes,
    payload_type: PayloadType[T],
    limit: int | None,
    at_once: int,
    part: int | None,
) -> Iterator[RecordBatch[T] | list[Record[T]] | ResponseAcq]:
    """Send a GET, and return its records in parts, each as soon as it has come. The last item is the answer.

    Args:
        limit: bytes that a part may have, and a record; None for any number.
        at_once: bytes that are read at once.
        part: bytes of the reply after which its records are returned; None to return all at its end.

    Raises:
        ConnectionLostError: nothing came. DeadlineExceeded: nothing came in time.
    """
    reader, buffer, since = GetReader(), _buffer(at_once, limit), 0
    answer: ResponseAcq | None = None
    connection.send([request])
    while answer is None:
        room = len(buffer) if limit is None else min(len(buffer), limit - since)
        if room <= 0:
            answer = _too_large(limit)
            break
        try:
            size = connection.receive_into(buffer[:room])
        except ConnectionLostError as error:
            if not error.answered:
                raise
            answer = ResponseAcq(ResponseStatus.DISCONNECTED, reason=str(error))
            break
        reader.feed(buffer[:size])
        since += size
        if reader.outcome is not None:
            answer = _with_acq(reader.outcome)
        elif limit is not None and reader.pending_record > limit:
            answer = _too_large(limit)
        elif part is not None and since >= part and len(reader):
            parsed = parse(reader.take(), payload_type)
            if len(parsed.data):
                yield parsed.data
            if parsed.problem:
                yield ResponseAcq(ResponseStatus.UNPARSEABLE_ENTITY, reason=parsed.problem)
                return
            since = 0
    parsed = parse(reader.take(), payload_type)
    if len(parsed.data):
        yield parsed.data
    if parsed.problem:
        answer = ResponseAcq(ResponseStatus.UNPARSEABLE_ENTITY, reason=parsed.problem)
    elif answer and not reader.excess:
        connection.complete()
    yield answer


def _buffer(at_once: int, limit: int | None) -> memoryview:
    size = max(SMALLEST_BUFFER, at_once)
    return memoryview(bytearray(size if limit is None else max(SMALLEST_BUFFER, min(size, limit))))


def _too_large(limit: int | None) -> ResponseAcq:
    reason = f"the answer has more than {limit} bytes, the channel's memory_limit"
    return ResponseAcq(ResponseStatus.NO_MEMORY, reason=reason)


def _with_acq(outcome: Outcome) -> ResponseAcq:
    acq = outcome.acq if isinstance(outcome, Completed) else -1
    return ResponseAcq(_status(outcome), acq, reason=_reason(outcome))


def _status(outcome: Outcome) -> ResponseStatus:
    if isinstance(outcome, Completed):
        return ResponseStatus.OK
    return outcome.status if isinstance(outcome, Failed) else ResponseStatus.UNPARSEABLE_ENTITY


def _reason(outcome: Outcome) -> str:
    if isinstance(outcome, Completed):
        return ""
    if isinstance(outcome, Failed):
        return f"the server refused the request, or failed, with the code {outcome.code}"
    return f"the reply is not TStorage's: {outcome.reason}"
