"""Counts API calls, in memory, and writes the counts down every few seconds.

A crash loses the counts of the last seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from .counters import API_CALLS, HOUR_MS, record

if TYPE_CHECKING:
    import sqlalchemy as sql

    from ...store.store import Store

_FLUSH_SECONDS = 5.0
_FLUSH_CALLS = 1000
_HOUR = HOUR_MS // 1000  # seconds

log = logging.getLogger("flowthings_like.platform")


class ApiCallCounter:
    """Counts API calls by identity and hour.

    Args:
        store: where the counts are written every few seconds, by whichever call is next.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._pending = 0
        self._due = time.monotonic() + _FLUSH_SECONDS

    def count(self, identity: str) -> None:
        """One call more."""
        key = identity, int(time.time()) // _HOUR
        with self._lock:
            self._counts[key] += 1
            self._pending += 1
            due = self._pending >= _FLUSH_CALLS or time.monotonic() >= self._due
        if due:
            self.flush()

    def flush(self) -> None:
        """Write the counts. A failure is logged, and the counts are kept for the next time."""
        with self._lock:
            counted, self._counts = self._counts, Counter()
            self._pending = 0
            self._due = time.monotonic() + _FLUSH_SECONDS
        if not counted:
            return

        def work(connection: sql.Connection) -> None:
            for (identity, hour), calls in counted.items():
                record(connection, Counter({(API_CALLS.name, identity): calls}), hour * HOUR_MS)

        try:
            self._store.write(work)
        except Exception as error:
            log.warning("API calls could not be counted: %s", error)
            with self._lock:
                self._counts.update(counted)
