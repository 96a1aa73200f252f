"""The bus of processes on any number of machines: a Redis.

Versions are keys, which are read each time, so a change is seen at once. News are messages: a process that
may have missed some, because its connection was gone, counts that as news. While the Redis is away, nothing
is cached and no lease is renewed; all else goes on.

Two green threads run from the first news that is asked for until the bus is closed. One listens, the other
one sends: a thread with news only leaves a note, and waits for nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from ...green.backends import choice as backend
from .bus import Bus, Lease, News, Version
from .reachability import BusState
from .redis_connections import TIMEOUT, Away, RedisConnections
from .redis_lease import RedisLease

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RedisBus"]

_log = logging.getLogger("flowthings_like.platform.bus")

HEARTBEAT = 5.0
"""Seconds without a message after which the listener asks whether the Redis is still there."""

_SIZE = 8  # bytes of a version
_WAIT = 0.5  # seconds after which the listener looks whether the bus was closed
_LOOK = 0.1  # the same for the sender, which eventlet does not wake for a note of another OS thread
_LONGEST_PAUSE = 1.0  # seconds between two attempts to connect


class RedisBus(Bus):
    """Versions, news and leases in a Redis. Each process makes its own, after a fork.

    Args:
        url: redis://, rediss:// or unix://, with the number of a database. All processes of one platform, and
            no other platform, use that database.

    Raises:
        ConfigurationError: the URL cannot be read, or redis-py is not installed.
    """

    def __init__(self, url: str) -> None:
        self._connections = RedisConnections(url)
        self._prefix = f"flowthings:{self._connections.database}:"
        self._sender = secrets.token_bytes(_SIZE)  # this process does not listen to itself
        self._news: dict[bytes, _RedisNews] = {}
        self._notes: set[_RedisNews | _RedisVersion] = set()  # what there is to send
        here = backend.detect()
        self._noted = here.event()
        self._threads: list[Any] = []
        self._sent = self._received = 0  # messages
        self._is_closed = False
        self._pid = os.getpid()

    def check(self) -> None:
        """Raise ConfigurationError if the Redis cannot be reached, or refuses the password."""
        try:
            self._connections.check()
        except Away as error:
            raise ConfigurationError(f"the bus cannot be used: {error}") from error

    def version(self, name: str) -> Version:
        return _RedisVersion(self, self._connections, f"{self._prefix}version:{name}")

    def news(self, name: str) -> News:
        channel = f"{self._prefix}news:{name}"
        found = self._news[channel.encode()] = _RedisNews(self, channel)
        if not self._threads:
            spawn = backend.detect().spawn
            self._threads = [spawn(self._listen), spawn(self._send)]
        return found

    def lease(self, name: str) -> Lease:
        return RedisLease(self._connections, f"{self._prefix}lease:{name}")

    def state(self) -> BusState:
        seen = self._connections.reachability
        return BusState(seen.is_connected, seen.last_reached, seen.losses, self._sent, self._received)

    def close(self) -> None:
        """End the threads and close the connections. More calls do nothing."""
        self._is_closed = True
        self._noted.set()
        self._connections.close()

    def note(self, what: _RedisNews | _RedisVersion) -> None:
        """Have a change sent, as soon as that is possible. Any thread may call it."""
        self._notes.add(what)
        self._noted.set()

    @property
    def _is_over(self) -> bool:
        return self._is_closed or self._pid != os.getpid()

    # The thread that sends

    def _send(self) -> None:
        failures = 0
        while not self._is_over:
            self._noted.wait(_LOOK)
            self._noted.clear()
            try:
                while self._notes and not self._is_over:
                    self._send_one()
                failures = 0
            except Away:  # which is logged
                failures += 1
                backend.detect().sleep(min(_LONGEST_PAUSE, 0.05 * 2**failures))
                self._noted.set()

    def _send_one(self) -> None:
        note = self._notes.pop()
        try:
            self._connections.call(*note.command())
        except BaseException:
            self._notes.add(note)
            raise
        if isinstance(note, _RedisNews):
            self._sent += 1

    # The thread that listens

    def _listen(self) -> None:
        failures = 0
        while not self._is_over:
            try:
                self._hear()
            except Away as error:
                failures = 0 if self._is_exact else failures + 1
                if not self._is_over:
                    self._connections.reachability.lost(error)
            except Exception:
                failures += 1
                _log.exception("the bus failed, followers look into the store")
            finally:
                self._set_exact(False)
            if not self._is_over:
                backend.detect().sleep(min(_LONGEST_PAUSE, 0.05 * 2**failures))

    def _hear(self) -> None:
        """Listen until the connection is gone, or the bus is closed."""
        connection = self._connections.open()
        try:
            subscribed: set[bytes] = set()
            heard, asked = time.monotonic(), False
            while not self._is_over:
                wanted = self._news.keys() - subscribed
                if wanted:
                    connection.send_command("SUBSCRIBE", *wanted)
                    subscribed |= wanted
                if connection.can_read(timeout=_WAIT):
                    self._take(connection.read_response())
                    heard, asked = time.monotonic(), False
                elif time.monotonic() - heard > HEARTBEAT + (TIMEOUT if asked else 0):
                    if asked:
                        raise Away("it does not answer")
                    connection.send_command("PING", check_health=False)
                    asked = True
        except Away:
            raise
        except Exception as error:
            if self._connections.failed(error):
                raise Away(f"{type(error).__name__}: {error}") from error
            raise
        finally:
            connection.disconnect()

    def _take(self, answer: Any) -> None:
        self._connections.reachability.reached()
        kind, channel, content = answer if len(answer) == 3 else (answer[0], b"", b"")
        news = self._news.get(channel)
        if news is None:
            return
        if kind == b"subscribe":
            news.is_exact = True
            news.happened()  # something may have happened before
        elif kind == b"message" and content != self._sender:
            self._received += 1
            news.happened()

    @property
    def _is_exact(self) -> bool:
        return all(news.is_exact for news in self._news.values())

    def _set_exact(self, exact: bool) -> None:
        for news in self._news.values():
            news.is_exact = exact

    def __repr__(self) -> str:
        return f"<RedisBus {self._prefix}>"


class _RedisVersion:
    """A key with a random value."""

    def __init__(self, bus: RedisBus, connections: RedisConnections, key: str) -> None:
        self._bus = bus
        self._connections = connections
        self._key = key

    def read(self) -> bytes:
        """The value; a random one if there is none, or the Redis is away."""
        try:
            found: bytes | None = self._connections.call("GET", self._key)
            if found is None:  # the Redis has lost it: a reading from before must not be equal to a later one
                self._connections.call(*self.command(), "NX")
        except Away:
            found = None
        return os.urandom(_SIZE) if found is None else found

    def change(self) -> None:
        """Replace the value; if the Redis is away, as soon as it is back. Meanwhile nobody can read it."""
        try:
            self._connections.call(*self.command())
        except Away:
            self._bus.note(self)

    def command(self) -> tuple[Any, ...]:
        """What replaces the value."""
        return "SET", self._key, os.urandom(_SIZE)


class _RedisNews:
    """A channel."""

    def __init__(self, bus: RedisBus, channel: str) -> None:
        self._bus = bus
        self._channel = channel
        self._version = os.urandom(_SIZE)
        self.is_exact = False
        self.on_change: Callable[[], object] | None = None

    def read(self) -> bytes:
        """Replaced by each message of another process; a new one each time while there is no connection."""
        return self._version if self.is_exact else os.urandom(_SIZE)

    def change(self) -> None:
        """Tell the other processes, soon."""
        self._bus.note(self)

    def command(self) -> tuple[Any, ...]:
        """What tells them."""
        return "PUBLISH", self._channel, self._bus._sender

    def happened(self) -> None:
        """Something has happened in another process, or may have."""
        self._version = os.urandom(_SIZE)
        on_change = self.on_change
        if on_change is not None:
            on_change()
