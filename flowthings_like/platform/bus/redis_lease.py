"""A lease that is a key in a Redis, with the time for which it is valid."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from .redis_connections import Away

if TYPE_CHECKING:
    from .redis_connections import RedisConnections

__all__ = ["RENEWED_AFTER", "VALID", "RedisLease"]

_log = logging.getLogger("flowthings_like.platform.bus")

VALID = 10.0
"""Seconds for which a lease is valid after it was taken or renewed. So long it takes until another process
leads if the leader is killed."""

RENEWED_AFTER = 2.0
"""Seconds after which a lease is renewed."""

_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) "
    "else return redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class RedisLease:
    """A lease of one name. One thread uses it.

    Args:
        connections: to the Redis.
        key: its key there.
    """

    def __init__(self, connections: RedisConnections, key: str) -> None:
        self._connections = connections
        self._key = key
        self._holder = secrets.token_hex(16)
        self._until = 0.0  # the `time.monotonic()` until which it is valid for certain
        self._renew_at = 0.0

    def acquire(self) -> bool:
        """Take the lease or keep it. Returns whether this object holds it."""
        now = time.monotonic()
        if now >= self._renew_at:
            with suppress(Away):  # which is logged; it is renewed at the next look, if that comes in time
                if self._connections.call("EVAL", _RENEW, 1, self._key, self._holder, int(VALID * 1000)):
                    # Counted from before the command: the Redis counts from when it gets it.
                    self._until, self._renew_at = now + VALID, now + RENEWED_AFTER
                else:
                    self._until = 0.0
        return time.monotonic() < self._until

    def release(self) -> None:
        """Let another process take it. More calls do nothing."""
        held, self._until, self._renew_at = self._until, 0.0, 0.0
        if held:
            try:
                self._connections.call("EVAL", _RELEASE, 1, self._key, self._holder)
            except Away as error:
                _log.warning("%s will expire, because it could not be released: %s", self._key, error)
