"""Watches gevent's hub with gevent's monitor thread and its counter of switches."""

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

__all__ = ["watch_hub"]


class MonitorThread(PeriodicMonitoringThread):  # type: ignore[misc]
    """gevent's monitor thread, beside the one that GEVENT_MONITOR_THREAD_ENABLE starts.

    It makes its own checks, because gevent's do not measure how long a block lasted.
    """

    def __init__(self, hub: Any, longest: float, report: Callable[[Block], None]) -> None:
        self._report_block = report
        self._seen: deque[Block] = deque()
        lock = get_original("_thread", "allocate_lock")()
        self._watch = Watch(longest, hub, "gevent.", hub.thread_ident, self._deliver, lock)
        self._checks = [SimpleNamespace(function=self._check, period=self._watch.period, last_run_time=0)]
        super().__init__(hub)  # starts the thread, which sleeps for a period first
        self._greenlet_tracer.monitor_current_greenlet_blocking()

    def monitoring_functions(self) -> list[Any]:
        return self._checks

    def calculate_sleep_time(self) -> float:
        return self._watch.period

    def _check(self, hub: Any) -> None:
        tracer = self._greenlet_tracer
        self._watch.check(tracer.greenlet_switch_counter, tracer.active_greenlet)

    def _deliver(self, block: Block) -> None:
        self._seen.append(block)
        self.hub.loop.run_callback_threadsafe(gevent.spawn, self._report_all)

    def _report_all(self) -> None:
        while self._seen:
            self._report_block(self._seen.popleft())

    def stop(self) -> None:
        self.kill()
        self._watch.stop()
        self._report_all()


def watch_hub(longest: float, report: Callable[[Block], None]) -> MonitorThread:
    """Watch this OS thread's hub; `report` is called there."""
    return MonitorThread(gevent.get_hub(), longest, report)
