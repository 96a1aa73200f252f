"""Keeps when a device was last seen: when its token was last used.

The first use is written at once. Later ones are kept in memory and written every few seconds, by whichever
request is next; a crash loses those of the last seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import orjson
import sqlalchemy as sql

from ... import ids
from ...store.schema import resources

if TYPE_CHECKING:
    from ...store.store import Store
    from .rights import Caller

__all__ = ["SEEN", "UNSEEN", "DeviceSightings"]

UNSEEN, SEEN = "UNSEEN", "SEEN"
"""The status of a device before its token is used, and afterwards."""

_FLUSH_SECONDS = 5.0
_MOST_KNOWN = 100_000

log = logging.getLogger("flowthings_like.platform")


class _DeviceToken(NamedTuple):
    """A device, and the id of its token."""

    device: str
    token: str


class DeviceSightings:
    """When the devices of one store were seen.

    Args:
        store: where the devices are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[_DeviceToken, int] = {}  # ms since the epoch; not written yet
        self._known: set[_DeviceToken] = set()  # those of which something was written
        self._due = time.monotonic() + _FLUSH_SECONDS

    def note(self, caller: Caller) -> None:
        """Note that this caller makes a request."""
        is_device = caller.device is not None and caller.token is not None
        if not is_device and not self._seen:
            return
        with self._lock:
            due = time.monotonic() >= self._due
            if caller.device is not None and caller.token is not None:
                one = _DeviceToken(caller.device, caller.token)
                self._seen[one] = ids.now_ms()
                due = due or one not in self._known
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory. A failure is logged, and it is kept for the next time."""
        with self._lock:
            seen, self._seen = self._seen, {}
            self._due = time.monotonic() + _FLUSH_SECONDS
        if not seen:
            return

        def work(connection: sql.Connection) -> None:
            for one, when in seen.items():
                _write(connection, one, when)

        try:
            self._store.write(work)
        except Exception as error:
            log.warning("it could not be stored when devices were seen: %s", error)
            with self._lock:
                self._seen = {**seen, **self._seen}
            return
        with self._lock:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known.update(seen)


def _write(connection: sql.Connection, one: _DeviceToken, when: int) -> None:
    where = sql.and_(resources.c.id == one.device, resources.c.kind == "device")
    body = connection.execute(sql.select(resources.c.body).where(where)).scalar_one_or_none()
    if body is None:  # it was deleted meanwhile
        return
    document = orjson.loads(body)
    # Another process may have seen it later.
    if document.get("tokenId") == one.token and document.get("lastSeen", 0) < when:
        document.update(status=SEEN, lastSeen=when)
        connection.execute(resources.update().where(where).values(body=orjson.dumps(document).decode()))
