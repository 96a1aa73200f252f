"""Looking at gevent's hub: gevent's own monitor thread and switch counter, with our idea of what to look
for."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gevent
from gevent._monitor import PeriodicMonitoringThread
from gevent.monkey import get_original

from . import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Block

__all__ = ["guard"]


class MonitorThread(PeriodicMonitoringThread):  # type: ignore[misc]
    """gevent's monitor, beside the one that GEVENT_MONITOR_THREAD_ENABLE starts.

    gevent's own look forgets what it saw before, so it cannot tell how long something took.
    """

    def __init__(self, hub: Any, longest: float, tell: Callable[[Block], None]) -> None:
        self._tell = tell
        self._seen: deque[Block] = deque()
        lock = get_original("_thread", "allocate_lock")()
        self._watch = Watch(longest, hub, "gevent.", hub.thread_ident, self._deliver, lock)
        self._looks = [SimpleNamespace(function=self._look, period=self._watch.period, last_run_time=0)]
        super().__init__(hub)  # starts the thread, which sleeps for a period first
        self._greenlet_tracer.monitor_current_greenlet_blocking()

    def monitoring_functions(self) -> list[Any]:
        return self._looks

    def calculate_sleep_time(self) -> float:
        return self._watch.period

    def _look(self, hub: Any) -> None:
        tracer = self._greenlet_tracer
        self._watch.look(tracer.greenlet_switch_counter, tracer.active_greenlet)

    def _deliver(self, block: Block) -> None:
        self._seen.append(block)
        self.hub.loop.run_callback_threadsafe(gevent.spawn, self._tell_all)

    def _tell_all(self) -> None:
        while self._seen:
            self._tell(self._seen.popleft())

    def stop(self) -> None:
        self.kill()
        self._watch.stop()
        self._tell_all()


def guard(longest: float, tell: Callable[[Block], None]) -> MonitorThread:
    """Watch this OS thread's hub; `tell` is called there."""
    return MonitorThread(gevent.get_hub(), longest, tell)
