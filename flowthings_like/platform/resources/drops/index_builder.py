"""Backfills the element indexes of flows in the background."""

from __future__ import annotations

import _thread
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from ...problems import Unavailable
from .element_indexes import backfill_batch

log = logging.getLogger("flowthings_like.platform")


class IndexBuilder:
    """Backfills indexes in a thread of its own, which ends when all is done.

    Args:
        write: the store's `write`.
    """

    def __init__(self, write: Callable[..., Any]) -> None:
        self._write = write
        self._by_process: dict[int, _Run] = {}

    def wake(self) -> None:
        """Start the backfill if it is not running. Never waits.

        Call it where green threads run, so not within a read or write of the store.
        """
        pid = os.getpid()
        run = self._by_process.get(pid)
        if run is None:  # setdefault is atomic: two threads get the same one
            run = self._by_process.setdefault(pid, _Run(self._write))
        run.wake()


class _Run:
    """The thread of one process. A forked child makes its own, because a lock held at the fork stays held."""

    def __init__(self, write: Callable[..., Any]) -> None:
        self._write = write
        self._wanted = False
        self._busy = _thread.allocate_lock()  # held by the thread that works

    def wake(self) -> None:
        # The order matters: a thread that is about to end releases the lock, then checks `_wanted`.
        self._wanted = True
        if not self._busy.locked():
            # If no thread can be started, the caller's work is done all the same: the next find tries again.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._work, ())

    def _work(self) -> None:
        while self._wanted and self._busy.acquire(blocking=False):
            try:
                self._wanted = False
                while self._write(backfill_batch, clears_cache=True):
                    pass
            except Unavailable:  # closed or locked: opening the store, or a find in the flow, starts it again
                return
            except Exception:
                log.exception("the backfill of element indexes failed")
                return
            finally:
                self._busy.release()
