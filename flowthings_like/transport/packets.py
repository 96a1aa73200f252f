"""One connection to a node that any number of calls use at once.

Each call has an id, which the node repeats in its answer. A thread of the connection's own reads, and wakes
whoever asked; a caller writes by itself if nobody else is writing. It never waits for that: what the socket
does not take at once goes to a second thread of the connection, and the caller waits for its answer only. So
a caller may be interrupted at any moment, and the stream stays whole.

Green threads that call in one turn of the hub send together: the first one at once, the others with one
write when all have had their turn.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConnectionFailed, DeadlineExceeded
from ..green.backend import detect
from ..wire.things import MAX_BODY, Package, PackageParser, ProtocolError, package
from .forks import forget_in_child

if TYPE_CHECKING:
    from ..green.outcome import Latch
    from .streams import Stream

__all__ = ["PacketConnection", "Statistics"]

E = TypeVar("E", ConnectionFailed, DeadlineExceeded)

_log = logging.getLogger("flowthings_like")

IDS = 65_536
"""Calls that can be in flight at once; one more waits until an id is free."""

GATHERED = 1 << 20
"""Bytes that are sent together, at most, but for a single larger package."""

READS_IN_A_ROW = 16
"""Reads after which the others get a turn, however much there is to read."""

_FIRST_ANSWER = 16  # kinds below are events


@dataclass(frozen=True)
class Statistics:
    """Numbers of one connection.

    Attributes:
        in_flight: calls that were not answered yet, those given up by their callers included.
        answers: answers that came.
        late: those among them that nobody waited for any more.
        events: what came unasked.
        writes: how often something was sent; `answers / writes` calls travelled together.
    """

    in_flight: int
    answers: int
    late: int
    events: int
    writes: int


class _Call:
    """One request, from its id to its answer."""

    __slots__ = ("answer", "data", "given_up", "id", "latch", "sent")

    def __init__(self, latch: Latch) -> None:
        self.latch = latch
        self.id = 0
        self.data = b""
        self.sent = False
        self.given_up = False
        self.answer: Package | None = None


class PacketConnection:
    """A stream of packages.

    Args:
        stream: connected; the connection owns it from now on.
        on_event: called with each package that came unasked, by the thread that reads: it must not wait.
        on_close: called once, when the connection is at its end, with what ended it; None after `close`.
        max_body: bytes of an answer's body, at most. More ends the connection.

    Attributes:
        peer: the node's address.
        is_websocket: whether packages travel as WebSocket messages.
        last_heard: the `time.monotonic()` of the last sign of life.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        on_event: Callable[[Package], object],
        on_close: Callable[[BaseException | None], object],
        max_body: int = MAX_BODY,
    ) -> None:
        backend = detect()
        self.peer = stream.peer
        self.is_websocket = stream.is_websocket
        self.last_heard = monotonic()
        self._stream = stream
        self._on_event = on_event
        self._on_close = on_close
        self._parser = PackageParser(max_body)
        self._latch = backend.latch
        self._gathers = backend.in_turns
        self._give_way = backend.sleep
        self._ids = itertools.count()
        self._in_flight: dict[int, _Call] = {}
        self._without_id: deque[Latch] = deque()
        # Who may write: held from before the first byte of a package until after its last.
        self._turn = backend.lock()
        self._outbox: deque[_Call] = deque()
        self._silent = True  # nothing was written since something was read
        self._flushing = False  # the turn is the writer's, with a flush to do
        self._bell: list[Latch] = []  # where the writer waits
        self._closed = False
        self._ended = backend.event()
        self._failure: BaseException | None = None
        self._answers = self._late = self._events = self._writes = 0
        forget_in_child(self)
        backend.spawn(self._read)
        backend.spawn(self._write)

    # For callers

    def call(self, kind: int, body: bytes = b"", deadline: float | None = None) -> Package:
        """Send a request and wait for its answer.

        Args:
            kind: the request's kind.
            body: packed.
            deadline: the `time.monotonic()` until which to wait; None waits as long as there is a connection.

        Returns:
            The answer as it came, be it an error of the node's.

        Raises:
            DeadlineExceeded: the answer did not come in time; when it comes, it is dropped.
            ConnectionFailed: the connection broke, or had. `sent` says whether the request may have run.
        """
        call = self._begin(kind, body, deadline)
        self._post(call)
        return self._wait(call, deadline)

    def pipeline(self, requests: Sequence[tuple[int, bytes]], deadline: float | None = None) -> list[Package]:
        """Send several requests with one write, and wait for all answers. They come in the requests' order.

        Raises:
            DeadlineExceeded, ConnectionFailed: as `call` does, for the first request that was not answered.
        """
        calls: list[_Call] = []
        try:
            for kind, body in requests:
                calls.append(self._begin(kind, body, deadline))
            self._outbox.extend(calls)
            self._push()
            return [self._wait(call, deadline) for call in calls]
        finally:
            for call in calls:
                if call.answer is None:
                    self._give_up(call)

    @property
    def closed(self) -> bool:
        """Whether the connection can be used no more."""
        return self._closed

    @property
    def failure(self) -> BaseException | None:
        """What ended the connection, if it was not `close`."""
        return self._failure

    @property
    def in_flight(self) -> int:
        """Calls that were not answered yet, those given up included."""
        return len(self._in_flight)

    def statistics(self) -> Statistics:
        """What the numbers are now."""
        return Statistics(self.in_flight, self._answers, self._late, self._events, self._writes)

    def close(self) -> None:
        """End the connection. Calls in flight end with ConnectionFailed. Returns at once."""
        self._closed = True
        self._stream.close()  # the reader sees the end, and does the rest
        self._ring()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection is at its end and `on_close` was called; False if that took too long."""
        return bool(self._ended.wait(timeout))

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._closed = True
        self._stream.forget()

    # A call's way

    def _begin(self, kind: int, body: bytes, deadline: float | None) -> _Call:
        """A call with an id that no other has."""
        call = _Call(self._latch())
        in_flight, ids = self._in_flight, self._ids
        while True:
            if len(in_flight) >= IDS:
                self._wait_for_id(deadline)
            call.id = id = next(ids) % IDS
            if in_flight.setdefault(id, call) is call:
                break
        try:
            call.data = package(kind, id, body)
            if self._closed:  # asked after the id is taken: whoever closes ends all that have one
                raise self._failed(call)
        except BaseException:
            self._free(id)
            raise
        return call

    def _wait_for_id(self, deadline: float | None) -> None:
        latch = self._latch()
        self._without_id.append(latch)
        try:
            full = len(self._in_flight) >= IDS and not self._closed
            if full and not latch.wait(_seconds_left(deadline)):
                raise _with(DeadlineExceeded(f"{self.peer}: {IDS} calls in flight, none done in time"), False)
        finally:
            with suppress(ValueError):
                self._without_id.remove(latch)
        # Whoever is woken and interrupted has used up a wake: the next id that becomes free wakes another.

    def _free(self, id: int) -> None:
        self._in_flight.pop(id, None)
        if self._without_id:
            self._offer_id()

    def _offer_id(self) -> None:
        """Wake one who waits for an id."""
        with suppress(IndexError):
            self._without_id.popleft().set()

    def _post(self, call: _Call) -> None:
        """Have a call sent: now, or with others of this turn of the hub."""
        try:
            self._outbox.append(call)
            if self._silent or not self._gathers:
                self._push()
            else:
                self._ring()
        except BaseException:
            self._give_up(call)
            raise

    def _wait(self, call: _Call, deadline: float | None) -> Package:
        try:
            in_time = call.latch.wait(_seconds_left(deadline))
        except BaseException:
            self._give_up(call)
            raise
        answer = call.answer
        if answer is not None:
            return answer
        if in_time or self._closed:
            raise self._failed(call)
        self._give_up(call)
        raise _with(DeadlineExceeded(f"{self.peer}: no answer in time"), call.sent)

    def _give_up(self, call: _Call) -> None:
        """Nobody waits for the answer any more. The id is free only when it has come: until then it would be
        taken for another call's."""
        call.given_up = True
        try:
            self._outbox.remove(call)
        except ValueError:
            return
        self._free(call.id)  # it was not sent

    def _failed(self, call: _Call) -> ConnectionFailed:
        failure = self._failure
        reason = "the connection was closed" if failure is None else _said(failure)
        outcome = "; the request was sent and may have run" if call.sent else ""
        error = _with(ConnectionFailed(f"{self.peer}: {reason}{outcome}"), call.sent)
        error.__cause__ = failure if isinstance(failure, OSError | ProtocolError) else None
        return error

    # Writing

    def _push(self) -> None:
        """Send what is queued, unless another thread is at it: that one looks again when it is done."""
        while (self._outbox or self._stream.owes) and not self._closed and self._turn.acquire(False):
            try:
                all_gone = self._send_queued()
            except BaseException as error:
                self._break(error)  # and nobody ever has the turn again
                if isinstance(error, OSError):
                    return
                raise
            if not all_gone:
                self._flushing = True
                self._ring()
                return
            self._turn.release()

    def _send_queued(self) -> bool:
        outbox = self._outbox
        calls: list[_Call] = []
        size = 0
        with suppress(IndexError):
            while size < GATHERED:
                call = outbox.popleft()
                calls.append(call)
                size += len(call.data)
        self._silent = False
        self._writes += 1
        for call in calls:
            call.sent = True
        try:
            return self._stream.offer([call.data for call in calls])
        except OSError:
            for call in calls:
                call.sent = False
            raise

    def _ring(self) -> None:
        """Wake the writer, if it waits."""
        if self._bell:
            with suppress(IndexError):
                self._bell.pop().set()

    def _write(self) -> None:
        """The writer: sends what callers leave to it."""
        while not self._closed:
            latch = self._latch()
            self._bell.append(latch)
            # From here on whatever is left to the writer rings the bell; this is for what came before.
            self._push()
            if not (self._flushing or self._closed):
                latch.wait()
            self._bell.clear()
            if self._flushing:
                try:
                    self._stream.flush()
                except OSError as error:
                    self._break(error)
                    return
                self._flushing = False
                self._turn.release()

    # Reading

    def _read(self) -> None:
        """The reader: takes packages to whom they are for, until the stream ends."""
        try:
            self._dispatch()
        except (OSError, ProtocolError) as error:
            self._failure = self._failure or (None if self._closed else error)
        except BaseException as error:
            self._failure = self._failure or error
            raise
        finally:
            self._end()

    def _dispatch(self) -> None:
        stream, feed = self._stream, self._parser.feed
        in_flight = self._in_flight
        for turn in itertools.count(1):
            data = stream.receive()
            if not data:
                if data is None:
                    self._push()
                    continue
                if not self._closed:
                    raise ConnectionResetError("the node closed the connection")
                return
            self.last_heard = monotonic()
            self._silent = True
            for found in feed(data):
                if found[0] < _FIRST_ANSWER:
                    self._events += 1
                    self._hand_out(found)
                    continue
                self._answers += 1
                call = in_flight.pop(found[1], None)
                if call is None or call.given_up:
                    self._late += 1
                else:
                    call.answer = found
                    call.latch.set()
                if self._without_id:
                    self._offer_id()
            if turn % READS_IN_A_ROW == 0:
                self._give_way(0)

    def _hand_out(self, event: Package) -> None:
        try:
            self._on_event(event)
        except Exception:
            _log.exception("%s: what handles events failed on one of kind %d", self.peer, event.kind)

    def _break(self, error: BaseException) -> None:
        """End the connection because of `error`."""
        if not self._closed:
            self._failure = error
        self.close()

    def _end(self) -> None:
        """Tell everyone that it is over."""
        self.close()
        while self._in_flight:
            with suppress(KeyError):
                self._in_flight.popitem()[1].latch.set()
        while self._without_id:
            self._offer_id()
        self._outbox.clear()
        try:
            self._on_close(self._failure)
        except Exception:
            _log.exception("%s: what handles the end of the connection failed", self.peer)
        finally:
            self._ended.set()


def _seconds_left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _with(error: E, sent: bool) -> E:
    error.sent = sent
    return error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
