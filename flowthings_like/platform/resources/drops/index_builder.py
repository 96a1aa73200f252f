"""Brings drops up to their flows' indexes, in the background."""

from __future__ import annotations

import _thread
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from ...problems import Unavailable
from .element_indexes import bring_up_piece

log = logging.getLogger("flowthings_like.platform")


class IndexBuilder:
    """Brings drops up to their flows' indexes in the background, in a thread that ends when all is done.

    Args:
        write: the store's `write`.
    """

    def __init__(self, write: Callable[..., Any]) -> None:
        self._write = write
        self._by_process: dict[int, _Run] = {}

    def wake(self) -> None:
        """Have somebody look whether there is anything to do. Never waits.

        To be called where green threads run, so not within a read or write of the store.
        """
        pid = os.getpid()
        run = self._by_process.get(pid)
        if run is None:  # setdefault is atomic: two threads that come at once agree on one
            run = self._by_process.setdefault(pid, _Run(self._write))
        run.wake()


class _Run:
    """The thread of one process. A forked child makes its own: a lock that was held stays held there."""

    def __init__(self, write: Callable[..., Any]) -> None:
        self._write = write
        self._wanted = False
        self._busy = _thread.allocate_lock()  # held by the one thread that works

    def wake(self) -> None:
        # The order matters: a thread that is about to end lets go of the lock, then looks at `_wanted`.
        self._wanted = True
        if not self._busy.locked():
            # No thread to be had is no reason to fail what is done already: the next find wakes it again.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(self._work, ())

    def _work(self) -> None:
        while self._wanted and self._busy.acquire(blocking=False):
            try:
                self._wanted = False
                while self._write(bring_up_piece, clears_cache=True):
                    pass
            except Unavailable:  # closed or locked: whoever opens the store or asks the flow wakes it again
                return
            except Exception:
                log.exception("bringing drops up to their indexes failed")
                return
            finally:
                self._busy.release()
