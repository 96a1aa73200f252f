"""Runs the protocol of a connection, one thread at a time, in slices of a few milliseconds.

Threads leave what they have in queues: the reader what has come, callers the calls that they begin, cancel
or have taken messages of. Then each of them runs the engine. If another thread runs it already, that one does
the work: it looks into the queues again before it is done. Nobody waits for the engine.

A caller that is interrupted changes nothing but its own call, and the queue by a single step. If the engine
itself is interrupted, which only a signal under gevent or eventlet can do, the state of the connection is not
known any more, and the connection ends.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from ...wire.grpc.client import ClientConnection
from ...wire.grpc.frames import FrameScreen, GoAway, ProtocolViolation
from ...wire.grpc.limits import CLIENT_LIMITS
from ...wire.grpc.status import Status, StatusCode
from ..permit import Permit

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call, Dropped

__all__ = ["MAX_WRITE", "Engine"]

MAX_WRITE = 256 << 10
"""Bytes of one write, about at most: a millisecond of work."""

CALLS_IN_A_SLICE = 64
"""Calls that are looked after before other threads may run."""


class Engine:
    """The protocol of one connection, and the queues in front of it.

    Args:
        on_failure: called with the error that has broken it.
    """

    def __init__(self, on_failure: Callable[[BaseException], object]) -> None:
        self._on_failure = on_failure
        self._protocol = ClientConnection(CLIENT_LIMITS)
        self._screen = FrameScreen(CLIENT_LIMITS)
        self._received: deque[bytes | GoAway] = deque()
        self._wanted: deque[Call] = deque()
        self._waiting: deque[Call] = deque()  # for room
        self._dropped: deque[Dropped] = deque()
        self._to_ping = False
        self._has_output = True  # the protocol's first bytes
        self._permit = Permit()

    # For any thread

    @property
    def load(self) -> int:
        """How many calls there are, about."""
        return len(self._protocol) + len(self._waiting) + len(self._wanted)

    @property
    def has_room(self) -> bool:
        """Whether the server would begin one more call now."""
        return self.load < self._protocol.max_calls

    @property
    def is_ready(self) -> bool:
        """Whether the server's settings have come."""
        return self._protocol.is_ready

    @property
    def goaway(self) -> GoAway | None:
        """The server's GOAWAY, if it came."""
        return self._protocol.goaway

    @property
    def window(self) -> int:
        """Bytes that may come on a call before its caller has taken them."""
        return CLIENT_LIMITS.stream_window

    @property
    def backlog(self) -> bool:
        """Whether something has come that was not handled yet."""
        return bool(self._received)

    def feed(self, data: bytes) -> None:
        """Queue what has come. Only the reader calls this.

        Raises:
            ProtocolViolation: it violates HTTP/2.
        """
        self._received.extend(self._screen.feed(data, monotonic()))

    def want(self, call: Call) -> None:
        """Queue a call: its caller begins it, has cancelled it, or has taken messages."""
        self._wanted.append(call)

    @property
    def on_drop(self) -> Callable[[Dropped], object]:
        """What is called when a caller's hold on a call is gone."""
        return self._dropped.append

    def ping(self) -> None:
        """Ask the server for a sign of life, with the next run."""
        self._to_ping = True

    def calls(self) -> list[Call]:
        """All calls that have not ended."""
        begun = cast("list[Call]", self._protocol.calls())
        return [*begun, *self._waiting.copy(), *self._wanted.copy()]

    def has_work(self, can_write: bool) -> bool:
        """Whether there is something to do.

        Args:
            can_write: whether what results can be written.
        """
        return bool(
            self._received
            or self._wanted
            or self._dropped
            or self._to_ping
            or (can_write and (self._has_output or self._protocol.wants_to_send))
        )

    def run(self, write: Callable[[bytes], object], can_write: Callable[[], bool]) -> list[Call] | None:
        """Do a slice of the work.

        Args:
            write: takes what is to be sent.
            can_write: whether it should be given something.

        Returns:
            The calls with news; None if another thread is at work.
        """
        permit, token = self._permit, object()
        try:
            if not permit.take(token):
                return None
            news = self._work()
            if can_write():
                self._has_output = False
                data = self._protocol.take(MAX_WRITE)
                if data:
                    write(data)
            permit.give_back()
            return news
        except BaseException as error:
            if permit.is_held_by(token):  # and stays so: nobody runs the engine any more
                self._on_failure(error)
            if not isinstance(error, ProtocolViolation):  # that ends the connection, which tells the callers
                raise
            return None

    # Under the permit

    def _work(self) -> list[Call]:
        news: list[Call] = []
        self._has_output = True
        if self._to_ping:
            self._to_ping = False
            self._protocol.ping()
        with suppress(IndexError):
            news = cast("list[Call]", self._protocol.receive(self._received.popleft()))
        while self._dropped:
            call = self._dropped.popleft().call
            call.cancelled = True
            self._wanted.append(call)
        for _ in range(CALLS_IN_A_SLICE):
            if not self._wanted:
                break
            self._look_after(self._wanted.popleft())
        if self._waiting:
            news += self._begin_waiting()
        return news

    def _look_after(self, call: Call) -> None:
        if call.cancelled:
            self._protocol.cancel(call)
            with suppress(ValueError):
                self._waiting.remove(call)
        elif call.status is not None:
            pass
        elif call.id:
            self._protocol.grant(call)
        else:
            self._waiting.append(call)

    def _begin_waiting(self) -> list[Call]:
        """Begin the calls that wait, as far as there is room. Returns those that can never begin here."""
        protocol, waiting = self._protocol, self._waiting
        refused: list[Call] = []
        while waiting:
            if protocol.is_exhausted:
                call = waiting.popleft()
                call.status = Status(
                    StatusCode.UNAVAILABLE, "the connection takes no more calls", refused=True
                )
                refused.append(call)
            elif not protocol.has_room:
                break
            else:
                call = waiting.popleft()
                if not call.cancelled:
                    call.sent = True
                    protocol.begin(call)
        return refused
