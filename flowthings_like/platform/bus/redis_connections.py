"""Connections to a Redis, for commands: one is used again only after its answer was read."""

from __future__ import annotations

import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from ..permits import PermitLimits, Permits
from ..problems import Problem
from .reachability import Reachability

__all__ = ["Away", "RedisConnections"]

TIMEOUT = 1.0
"""Seconds for connecting, and for each answer."""

PAUSE = 0.5
"""Seconds after a failure in which no command is tried, so that not every request waits for a Redis that is
gone."""

MOST = 16
"""Connections of one process at once, at most. Further commands wait for one."""

_WAITING = 10_000  # commands that may wait


class Away(Exception):
    """The Redis cannot be reached now, or refuses the command.

    Attributes:
        is_silent: whether it has not answered in time.
    """

    def __init__(self, reason: str, is_silent: bool = False) -> None:
        super().__init__(reason)
        self.is_silent = is_silent


class RedisConnections:
    """Connections to one Redis. Any number of threads may use them.

    Args:
        url: redis://, rediss:// or unix://, with the number of a database.

    Attributes:
        database: the number of the database.
        reachability: whether the Redis can be reached.

    Raises:
        ConfigurationError: the URL cannot be read, or redis-py is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ConfigurationError(
                "a bus over Redis needs the package redis; run: pip install 'flowthings_like[serve,redis]'"
            ) from error
        try:
            self._factory = redis.ConnectionPool.from_url(
                url,
                protocol=2,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # Without the error's own text, which may hold the URL's password.
            raise ConfigurationError(
                f"the bus {url.partition('://')[0]}://… cannot be read: write redis://HOST:6379/0, "
                "rediss://… or unix:///path?db=0"
            ) from None
        found = urlsplit(url)
        number = found.path.strip("/")
        if found.scheme != "unix" and number and not number.isdecimal():  # redis-py would take 0
            raise ConfigurationError(
                f"the bus {found.scheme}://… cannot be read: its database is no number; "
                "write redis://HOST:6379/0"
            )
        self._errors = (redis.RedisError, OSError)
        self._timeouts = (redis.TimeoutError, TimeoutError)
        self.database = int(self._factory.connection_kwargs.get("db") or 0)
        self.reachability = Reachability()
        self._permits = Permits("commands to the bus", PermitLimits(MOST, MOST, _WAITING, TIMEOUT))
        self._idle: deque[Any] = deque()
        self._not_before = 0.0
        self._is_closed = False

    def check(self) -> None:
        """Raise Away if the Redis cannot be reached or wants another password. Neither is noted."""
        connection = self._open()
        try:
            # A connection without a password is refused at its first command, and not before.
            connection.send_command("PING", check_health=False)
            connection.read_response()
        except self._errors as error:
            raise self._away(error) from error
        finally:
            connection.disconnect()

    def open(self) -> Any:
        """A new connection, which belongs to the caller. Raises Away."""
        try:
            return self._open()
        except Away as error:
            self._lost(error)
            raise

    def _open(self) -> Any:
        try:
            connection: Any = self._factory.make_connection()
            connection.connect()
        except self._errors as error:
            raise self._away(error) from error
        return connection

    def call(self, *command: Any) -> Any:
        """Send a command and return its answer.

        Raises:
            Away: it could not be sent, or its answer did not come within a second. It may have been done.
        """
        try:
            with self._permits.hold(self):
                return self._call(command)
        except Problem as problem:  # no permit was free in time
            raise Away(problem.message) from None

    def _call(self, command: tuple[Any, ...]) -> Any:
        if self._is_closed or time.monotonic() < self._not_before:
            raise Away("the Redis was away a moment ago")
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange_afresh(command)
        try:
            return self._exchange(connection, command)
        except Away as error:
            if error.is_silent:
                self._lost(error)
                raise
            # The Redis may have closed all idle connections, as it does when it is restarted. A command may
            # be repeated: none here does anything else when it is done twice.
            self._drop_idle()
            return self._exchange_afresh(command)

    def _exchange_afresh(self, command: tuple[Any, ...]) -> Any:
        """Send a command over a new connection."""
        connection = self.open()
        try:
            return self._exchange(connection, command)
        except Away as error:
            self._lost(error)
            raise

    def _exchange(self, connection: Any, command: tuple[Any, ...]) -> Any:
        """Send a command over a connection, which is kept if the answer has come."""
        try:
            connection.send_command(*command)
            answer = connection.read_response()
        except self._errors as error:
            connection.disconnect()
            raise self._away(error) from error
        except BaseException:
            connection.disconnect()  # its answer is on its way and belongs to nobody
            raise
        if self._is_closed:
            connection.disconnect()
        else:
            self._idle.append(connection)
            self._not_before = 0.0
            self.reachability.reached()
        return answer

    def failed(self, error: BaseException) -> bool:
        """Whether an exception says that a connection, or the Redis, is gone."""
        return isinstance(error, self._errors)

    def close(self) -> None:
        """Close the idle connections. Later calls raise Away."""
        self._is_closed = True
        self._drop_idle()

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.disconnect()

    def _lost(self, away: Away) -> None:
        if not self._is_closed:
            self.reachability.lost(away)

    def _away(self, error: BaseException) -> Away:
        self._not_before = time.monotonic() + PAUSE
        return Away(f"{type(error).__name__}: {error}", isinstance(error, self._timeouts))
