"""Connections to a Redis, for commands: one is used again only after its answer was read."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from ...errors import ConfigurationError

__all__ = ["Away", "RedisConnections"]

TIMEOUT = 1.0
"""Seconds for connecting, and for each answer."""

PAUSE = 0.5
"""Seconds after a failure in which no command is tried, so that not every request waits for a Redis that is
gone."""

_IDLE = 16  # connections that are kept


class Away(Exception):
    """The Redis cannot be reached now, or refuses the command."""


class RedisConnections:
    """Connections to one Redis. Any number of threads may use them.

    Args:
        url: redis://, rediss:// or unix://, with the number of a database.

    Attributes:
        database: the number of the database.

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
        self._errors = (redis.RedisError, OSError)
        self.database = int(self._factory.connection_kwargs.get("db") or 0)
        self._idle: deque[Any] = deque()
        self._not_before = 0.0
        self._is_closed = False

    def open(self) -> Any:
        """A new connection, which belongs to the caller. Raises Away."""
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
        if self._is_closed or time.monotonic() < self._not_before:
            raise Away("the Redis was away a moment ago")
        connection = self._idle.pop() if self._idle else self.open()
        try:
            connection.send_command(*command)
            answer = connection.read_response()
        except self._errors as error:
            connection.disconnect()
            self._not_before = time.monotonic() + PAUSE
            raise self._away(error) from error
        except BaseException:
            connection.disconnect()  # its answer is on its way and belongs to nobody
            raise
        if self._is_closed or len(self._idle) >= _IDLE:
            connection.disconnect()
        else:
            self._idle.append(connection)
        return answer

    def failed(self, error: BaseException) -> bool:
        """Whether an exception says that a connection, or the Redis, is gone."""
        return isinstance(error, self._errors)

    def close(self) -> None:
        """Close the idle connections. Later calls raise Away."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().disconnect()

    def _away(self, error: BaseException) -> Away:
        self._not_before = time.monotonic() + PAUSE
        return Away(f"{type(error).__name__}: {error}")
