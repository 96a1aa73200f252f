"""The thread that keeps a connection up: connects, asks for signs of life, and begins anew after a loss."""

from __future__ import annotations

import logging
import os
import random
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, ConnectionFailed, DeadlineExceeded, FlowThingsError
from ...green.backends.contract import detect
from ...green.calls.future import without_frames
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ..tls import TLS, context_for
from ..worker import OneThread
from .connection import PacketConnection
from .sockets import open_stream

if TYPE_CHECKING:
    from ...green.calls.future import Latch
    from .endpoints import Endpoint

__all__ = ["Keeper", "Orders"]

_log = logging.getLogger("flowthings_like")

DRAIN_TIMEOUT = 10.0
"""Seconds for which a connection that was replaced stays open for its calls."""

DRAIN_STEP = 0.02
"""Seconds between two looks at whether they are done."""

STARTING_PAUSE = 0.5
"""Seconds between two rounds of attempts, at most, before there was ever a connection: a node that is being
started is waited for by somebody."""


@dataclass(frozen=True)
class Orders:
    """What a keeper does and whom it tells; see Supervisor."""

    endpoints: Callable[[], Sequence[Endpoint]]
    hello: Callable[[PacketConnection, Endpoint, float], object]
    on_event: Callable[[PacketConnection, Package], object]
    on_up: Callable[[PacketConnection, Endpoint], object]
    on_down: Callable[[BaseException | None], object]
    tls: TLS
    reconnect: bool
    backoff: Callable[[int], float]
    connect_within: float
    keepalive: float
    answer_within: float
    max_body: int


class Keeper:
    """What a supervisor's thread works on. It knows nothing of the supervisor, which can so be forgotten.

    Attributes:
        current: the connection, from the moment it is ready until its loss was seen.
        endpoint: the node it leads to.
        ended: set when the thread and its connection have ended.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._tls = orders.tls
        backend = detect()
        self._latch = backend.latches()
        self.current: PacketConnection | None = None
        self.endpoint: Endpoint | None = None
        self.ended = backend.event()
        self._pid = os.getpid()
        self._thread = OneThread(self._run)
        self._wakeup = backend.event()  # something has changed that the thread should look at
        self._waiting: list[Latch] = []
        self._closing = False
        self._moving = False
        self._asked = False  # whoever asks has first looked how often it failed before
        self._attempt = random.randrange(1 << 16)  # clients of one cluster begin at different nodes
        self._attempts = 0
        self._was_up = False
        self._left: list[tuple[PacketConnection, float]] = []  # replaced, and open until then
        self._failure: Exception | None = None
        self._refused = 0  # how often the attempts were given up because of _failure
        self._rounds = 0  # how often each node has failed

    @property
    def forked(self) -> bool:
        """Whether this is a forked child, and the thread its parent's."""
        return self._pid != os.getpid()

    # For callers

    def start(self) -> None:
        """Have the thread run. Every caller does this, as the one before may have been interrupted."""
        self._thread.start()

    def wait(self, deadline: float | None, patient: bool) -> PacketConnection:
        """The next connection; see Supervisor.connection."""
        refused, rounds = self._refused, self._rounds
        self.ask()
        while True:
            latch = self._latch()
            self._waiting.append(latch)
            try:
                connection = self.current
                if connection is not None and not connection.closed and not connection.retired:
                    return connection
                failure = self._failure
                if self._closing:
                    raise _unsent(ConnectionFailed("the client was closed, and there was no connection"))
                if failure is not None and self._refused != refused:
                    raise copy(failure)  # each who waits has his own
                if failure is not None and self._rounds != rounds and not (patient and _may_pass(failure)):
                    raise _unsent(ConnectionFailed(f"no node answers: {failure}")) from failure
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    why = "" if failure is None else f": {failure}"
                    raise _unsent(DeadlineExceeded(f"no connection in time{why}")) from failure
                latch.wait(left)
            finally:
                with suppress(ValueError):
                    self._waiting.remove(latch)

    def ask(self) -> None:
        """Somebody needs a connection."""
        self._asked = True
        self._wakeup.set()

    def move(self) -> None:
        self._moving = True
        self._wakeup.set()

    def close(self) -> None:
        self._closing = True
        if self.forked:
            return
        connection = self.current
        if connection is not None:
            connection.close()
        self._wakeup.set()
        self._tell()

    def forget(self) -> None:
        """In a forked child: the thread is the parent's. Where it was copied along, it ends."""
        connection, self.current = self.current, None
        if connection is not None:
            connection.forget()

    # The thread

    def _run(self) -> None:
        """Look after the connection until `close`."""
        try:
            while not (self._closing or self.forked):
                if self._needed():
                    self._connect()
                elif self.current is not None and not self.current.closed:
                    self._keep(self.current)
                else:
                    self._rest(None)
        finally:
            if not self.forked:
                self._end()

    def _end(self) -> None:
        self._closing = True
        connection, self.current = self.current, None
        for left, _ in self._left:
            left.close()
        if connection is not None:
            connection.close()
            connection.wait_closed(self.orders.answer_within)
        self._tell()
        self.ended.set()

    def _needed(self) -> bool:
        if self.current is not None and self.current.closed:
            self._lost(self.current)
        if self.current is not None:
            return self._moving
        return self._asked

    def _lost(self, connection: PacketConnection) -> None:
        self.current = None
        self._asked = self._asked or self.orders.reconnect
        self._moving = False
        self._failure = ConnectionFailed(f"{connection.peer}: the connection was lost")
        self._call(self.orders.on_down, connection.failure)

    def _connect(self) -> None:
        """One attempt. What comes of it is in `current`, or in `_failure` with a pause after each round."""
        nodes: list[Endpoint] = []
        pause = 0.0
        try:
            nodes = list(self.orders.endpoints())
            if not nodes:
                raise ConfigurationError("there is no node to connect to")
            self._attempt += 1
            node = nodes[self._attempt % len(nodes)]
            connection = self._greet(node)
        except (things_errors.AuthError, ConfigurationError) as error:
            self._give_up(error)
        except Exception as error:
            if not isinstance(error, FlowThingsError):
                _log.exception("connecting to a node failed in an unforeseen way")
            pause = self._failed(error, max(1, len(nodes)))
        else:
            self._up(connection, node)
        self._pause(pause)  # only here, where the error and its frames are gone

    def _greet(self, node: Endpoint) -> PacketConnection:
        """A connection that has said hello."""
        deadline = monotonic() + self.orders.connect_within
        if node.is_encrypted:
            self._tls = context_for(self._tls)  # once, as it takes a while
        slot: list[PacketConnection] = []
        on_event = self.orders.on_event

        def hand_on(event: Package) -> None:
            if slot:
                on_event(slot[0], event)

        stream = open_stream(node, deadline, self._tls, self.orders.max_body)
        try:
            connection = PacketConnection(
                stream,
                on_event=hand_on,
                on_close=lambda failure: self._wakeup.set(),
                max_body=self.orders.max_body,
            )
        except BaseException:  # no thread to be had
            stream.close()
            raise
        slot.append(connection)
        try:
            self.orders.hello(connection, node, deadline)
            if self._closing:
                raise ConnectionFailed("the client was closed")
        except BaseException:
            connection.close()
            raise
        return connection

    def _up(self, connection: PacketConnection, node: Endpoint) -> None:
        old, self.current, self.endpoint = self.current, connection, node
        self._attempts = 0
        self._was_up = True
        self._asked = self._moving = False
        self._failure = None
        if old is not None:
            self._left.append((old, monotonic() + DRAIN_TIMEOUT))
        if self._closing:
            connection.close()
            return
        self._call(self.orders.on_up, connection, node)
        self._tell()

    def _give_up(self, error: Exception) -> None:
        """No further attempt before somebody asks."""
        self._failure = without_frames(error)
        self._refused += 1
        self._asked = self._moving = False
        _log.error("no connection: %s", error)
        self._tell()

    def _failed(self, error: Exception, nodes: int) -> float:
        """Seconds until the next attempt."""
        self._failure = without_frames(error)
        self._attempts += 1
        # A node that is being replaced is away for a moment: only a second round that fails is a warning.
        replaced = self._was_up or isinstance(error, things_errors.NodeError)
        level = logging.INFO if replaced and self._attempts <= nodes else logging.WARNING
        _log.log(level, "no connection: %s", error)
        if self._attempts % nodes:
            return 0.0
        self._rounds += 1
        self._tell()
        self._moving = False
        if self.current is not None:
            return 0.0
        pause = self.orders.backoff(self._attempts // nodes)
        return pause if self._was_up else min(pause, STARTING_PAUSE)

    def _keep(self, connection: PacketConnection) -> None:
        """Wait for news, or until it is time for a sign of life."""
        asked = monotonic()
        silent = asked - connection.last_heard
        if silent < self.orders.keepalive:
            self._rest(self.orders.keepalive - silent)
            return
        delivered, backlog = connection.delivery()
        try:
            connection.call(Kind.PING, b"", asked + self.orders.answer_within)
        except DeadlineExceeded:
            # It takes its time behind a large answer, which is heard, or a large request, which moves on.
            moves = backlog > 0 and connection.delivery()[0] > delivered
            if connection.last_heard < asked and not moves:
                _log.warning("%s: no sign of life for %.1f s", connection.peer, monotonic() - asked + silent)
                connection.close()
        except ConnectionFailed:
            pass  # it is closed, and that is seen next

    def _rest(self, seconds: float | None) -> None:
        """Wait for what is new, or so long."""
        if self._left:
            self._drain()
            seconds = DRAIN_STEP if seconds is None else min(seconds, DRAIN_STEP)
        self._wakeup.wait(seconds)
        self._wakeup.clear()

    def _drain(self) -> None:
        """Close the connections that were replaced, each when its calls are done."""
        for connection, until in self._left.copy():
            if not connection.in_flight or connection.closed or monotonic() >= until:
                connection.close()
                self._left.remove((connection, until))

    def _pause(self, seconds: float) -> None:
        """Wait so long, whoever asks meanwhile: a node in trouble is not helped by more callers."""
        until = monotonic() + seconds
        while not self._closing and (left := until - monotonic()) > 0:
            self._rest(left)

    def _tell(self) -> None:
        """Have those who wait look at what has changed."""
        for latch in self._waiting.copy():
            latch.set()

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            _log.exception("a callback of the connection's failed")


def _may_pass(failure: Exception) -> bool:
    """Whether trying again may help: a node may be starting, a name may not be known yet. A certificate that
    is not trusted stays so."""
    return not isinstance(failure.__cause__, ssl.SSLCertVerificationError)


def _unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    error.sent = False
    return error
