"""Keeps one connection to a cluster of nodes up, whether anybody calls or not.

A thread of its own connects, shakes hands, asks for signs of life, and after a loss begins anew: the next
node at once, and when all have failed after a pause. Callers ask it for the connection and wait until there
is one.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, finalize

from .. import things_errors
from ..errors import ConfigurationError, ConnectionFailed, DeadlineExceeded, FlowThingsError
from ..green.backend import detect
from ..wire.things import MAX_BODY, Kind, Package
from .forks import forget_in_child
from .packets import PacketConnection
from .streams import TLS, context_for, open_stream

if TYPE_CHECKING:
    from ..green.outcome import Latch
    from .endpoints import Endpoint

__all__ = ["Supervisor", "pause_before"]

_log = logging.getLogger("flowthings_like")

CONNECT_WITHIN = 10.0
"""Seconds for connecting and the handshake. A node that shuts down still takes connections, and is mute."""

FAREWELL = 10.0
"""Seconds for which a connection that was replaced stays open for its calls."""

Hello = Callable[[PacketConnection, "Endpoint", float], object]
OnEvent = Callable[[PacketConnection, Package], object]
OnUp = Callable[[PacketConnection, "Endpoint"], object]
OnDown = Callable[[BaseException | None], object]


def pause_before(round: int) -> float:
    """Seconds to wait before the round with this number, of which number 0 is the first: full jitter up to 1,
    2, 4 … 60 seconds, so that clients that lost the same node do not come back all at once."""
    return random.uniform(0.0, min(60.0, 2.0 ** (round - 1))) if round else 0.0


class Supervisor:
    """One connection that is always there, as far as that goes.

    It starts when it is first asked for a connection. A forked child begins anew. When the supervisor is
    forgotten its thread ends; so callbacks that are bound methods are held weakly, and others should not
    refer to it.

    Args:
        endpoints: asked for the nodes before each attempt; each gets its turn.
        hello: authenticates and joins on a new connection, by the given `time.monotonic()`. What it raises
            counts as a failure of the node; AuthError and ConfigurationError end the attempts until somebody
            asks again.
        on_event: called with the connection and what came unasked on it, hello included; must not wait.
        on_up: called with each connection that is ready, and the node it leads to.
        on_down: called when it is lost, with the reason; not after `close`.
        tls: how to verify nodes, see `open_stream`.
        reconnect: whether to connect again after a loss before somebody asks.
        backoff: seconds to wait before a round of attempts, by its number; after a success numbers begin
            with 0 again.
        connect_within: seconds for each attempt, hello included.
        keepalive: seconds of silence after which the node is asked for a sign of life.
        answer_within: seconds it has for that. Together they are the time in which a connection that is dead
            without a word is noticed.
        max_body: bytes of an answer's body, at most.
    """

    def __init__(
        self,
        endpoints: Callable[[], Sequence[Endpoint]],
        *,
        hello: Hello,
        on_event: OnEvent,
        on_up: OnUp | None = None,
        on_down: OnDown | None = None,
        tls: TLS = None,
        reconnect: bool = True,
        backoff: Callable[[int], float] = pause_before,
        connect_within: float = CONNECT_WITHIN,
        keepalive: float = 30.0,
        answer_within: float = 5.0,
        max_body: int = MAX_BODY,
    ) -> None:
        self._make = partial(
            _Watch,
            _weakly(endpoints),
            _weakly(hello),
            _weakly(on_event),
            _weakly(on_up),
            _weakly(on_down),
            tls,
            reconnect,
            backoff,
            connect_within,
            keepalive,
            answer_within,
            max_body,
        )
        self._watch: _Watch | None = None
        self._closed = False

    @property
    def current(self) -> PacketConnection | None:
        """The connection, if there is one right now."""
        watch = self._watch
        connection = None if watch is None else watch.current
        return None if connection is None or connection.closed else connection

    @property
    def endpoint(self) -> Endpoint | None:
        """The node that `current` leads to."""
        return None if self._watch is None or self.current is None else self._watch.endpoint

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def connection(self, deadline: float | None = None, *, patient: bool = True) -> PacketConnection:
        """The connection; waits for one if there is none.

        Args:
            deadline: the `time.monotonic()` until which to wait.
            patient: whether to wait for as long as that takes; else only until each node has failed once.

        Raises:
            AuthError: the node does not take the credentials.
            ConnectionFailed: no node could be reached, and `patient` is False.
            DeadlineExceeded: not in time; its cause is what kept the last node from it.
            ConfigurationError: the supervisor was closed, or what it was given is of no use.
        """
        watch = self._watch
        if watch is not None and watch.current is not None and not watch.current.closed:
            return watch.current
        return self._alive().wait(deadline, patient)

    def start(self) -> None:
        """Begin to connect, without waiting for it."""
        self._alive().ask()

    def move(self) -> None:
        """Go to the next node, as this one is about to end: a new connection first, then the old one is
        closed, as soon as its calls are done. Returns at once."""
        self._alive().move()

    def close(self) -> None:
        """Close the connection and make no other, ever. Returns at once."""
        self._closed = True
        if self._watch is not None:
            self._watch.close()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the thread and its connections have ended; False if that took too long."""
        return self._watch is None or self._watch.ended.wait(timeout)

    def _alive(self) -> _Watch:
        if self._closed:
            raise ConfigurationError("this client was closed; make a new one")
        watch = self._watch
        if watch is None or watch.inherited:
            watch = self._watch = self._make()
            finalize(self, watch.close).atexit = False
            forget_in_child(watch)
            detect().spawn(watch.run)
        return watch


class _Watch:
    """What a supervisor's thread works on. It knows nothing of the supervisor, which can so be forgotten."""

    def __init__(
        self,
        endpoints: Callable[[], Sequence[Endpoint]],
        hello: Hello,
        on_event: OnEvent,
        on_up: OnUp,
        on_down: OnDown,
        tls: TLS,
        reconnect: bool,
        backoff: Callable[[int], float],
        connect_within: float,
        keepalive: float,
        answer_within: float,
        max_body: int,
    ) -> None:
        self.endpoints = endpoints
        self.hello = hello
        self.on_event = on_event
        self.on_up = on_up
        self.on_down = on_down
        self.tls = tls
        self.reconnect = reconnect
        self.backoff = backoff
        self.connect_within = connect_within
        self.keepalive = keepalive
        self.answer_within = answer_within
        self.max_body = max_body
        backend = detect()
        self.spawn = backend.spawn
        self.latch = backend.latch
        self.current: PacketConnection | None = None
        self.endpoint: Endpoint | None = None
        self.inherited = False
        self.ended = backend.event()
        self._news = backend.event()  # something has changed that the thread should look at
        self._waiting: deque[Latch] = deque()
        self._closing = False
        self._moving = False
        self._asked = True
        self._attempt = random.randrange(1 << 16)  # clients of one cluster begin at different nodes
        self._attempts = 0
        self._failure: Exception | None = None
        self._refused = 0  # how often the attempts were given up because of _failure
        self._rounds = 0  # how often each node has failed

    # For callers

    def wait(self, deadline: float | None, patient: bool) -> PacketConnection:
        """The next connection; see Supervisor.connection."""
        refused, rounds = self._refused, self._rounds
        self.ask()
        while True:
            latch = self.latch()
            self._waiting.append(latch)
            try:
                connection = self.current
                if connection is not None and not connection.closed:
                    return connection
                failure = self._failure
                if self._closing:
                    raise ConnectionFailed("the client was closed while it waited for a connection")
                if failure is not None and self._refused != refused:
                    raise copy(failure)  # each who waits has his own
                if failure is not None and self._rounds != rounds and not patient:
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
        self._news.set()

    def move(self) -> None:
        self._moving = True
        self._news.set()

    def close(self) -> None:
        self._closing = True
        connection = self.current
        if connection is not None:
            connection.close()
        self._news.set()
        self._tell()

    def forget(self) -> None:
        """In a forked child: the thread is the parent's. Where it was copied along, it ends."""
        self.inherited = self._closing = True
        self.current = None

    # The thread

    def run(self) -> None:
        """Look after the connection until `close`."""
        try:
            while not self._closing:
                if self._needed():
                    self._connect()
                elif self.current is not None and not self.current.closed:
                    self._keep(self.current)
                else:
                    self._rest(None)
        finally:
            self._closing = True
            connection, self.current = self.current, None
            if connection is not None:
                connection.close()
                connection.wait_closed(self.answer_within)
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
        self._asked = self._asked or self.reconnect
        self._moving = False
        self._failure = ConnectionFailed(f"{connection.peer}: the connection was lost")
        self._call(self.on_down, connection.failure)

    def _connect(self) -> None:
        """One attempt. What comes of it is in `current`, or in `_failure` with a pause after each round."""
        try:
            nodes = list(self.endpoints())
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
            self._failed(error, len(nodes))
        else:
            self._up(connection, node)

    def _greet(self, node: Endpoint) -> PacketConnection:
        """A connection that has said hello."""
        deadline = monotonic() + self.connect_within
        if node.is_encrypted:
            self.tls = context_for(self.tls)
        stream = open_stream(node, deadline, self.tls, self.max_body)
        slot: list[PacketConnection] = []
        on_event = self.on_event

        def hand_on(event: Package) -> None:
            if slot:
                on_event(slot[0], event)

        connection = PacketConnection(
            stream, on_event=hand_on, on_close=lambda failure: self._news.set(), max_body=self.max_body
        )
        slot.append(connection)
        try:
            self.hello(connection, node, deadline)
            if self._closing:
                raise ConnectionFailed("the client was closed")
        except BaseException:
            connection.close()
            raise
        return connection

    def _up(self, connection: PacketConnection, node: Endpoint) -> None:
        old, self.current, self.endpoint = self.current, connection, node
        self._attempts = 0
        self._asked = self._moving = False
        self._failure = None
        if old is not None:
            self.spawn(_say_farewell, old)
        if self._closing:
            connection.close()
            return
        self._call(self.on_up, connection, node)
        self._tell()

    def _give_up(self, error: Exception) -> None:
        """No further attempt before somebody asks."""
        self._failure = error
        self._refused += 1
        self._asked = self._moving = False
        _log.error("no connection: %s", error)
        self._tell()

    def _failed(self, error: Exception, nodes: int) -> None:
        self._failure = error
        self._attempts += 1
        _log.warning("no connection: %s", error)
        if self._attempts % nodes:
            return
        self._rounds += 1
        self._tell()
        self._moving = False
        if self.current is None and not self._closing:
            self._rest(self.backoff(self._attempts // nodes))

    def _keep(self, connection: PacketConnection) -> None:
        """Wait for news, or until it is time for a sign of life."""
        silent = monotonic() - connection.last_heard
        if silent < self.keepalive:
            self._rest(self.keepalive - silent)
            return
        try:
            connection.call(Kind.PING, b"", monotonic() + self.answer_within)
        except DeadlineExceeded:
            _log.warning("%s: no sign of life for %.0f s", connection.peer, silent + self.answer_within)
            connection.close()
        except ConnectionFailed:
            pass  # it is closed, and that is seen next

    def _rest(self, seconds: float | None) -> None:
        """Wait for news, or so long."""
        self._news.wait(seconds)
        self._news.clear()

    def _tell(self) -> None:
        """Have those who wait look at what has changed."""
        for _ in range(len(self._waiting)):
            with suppress(IndexError):
                self._waiting.popleft().set()

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            _log.exception("a callback of the connection's failed")


def _say_farewell(connection: PacketConnection) -> None:
    """Close a connection when its calls are done."""
    until = monotonic() + FAREWELL
    while connection.in_flight and not connection.closed and monotonic() < until:
        detect().sleep(0.02)
    connection.close()


def _weakly(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """`callback`, without holding the object whose method it is; nothing happens once that is gone."""
    if callback is None:
        return lambda *args: None
    if not hasattr(callback, "__self__"):
        return callback
    method = WeakMethod(callback)

    def call(*args: object) -> Any:
        alive = method()
        return () if alive is None else alive(*args)

    return call


def _unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    error.sent = False
    return error
