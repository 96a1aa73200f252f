"""Watches eventlet's hub from an unpatched OS thread."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import eventlet
import greenlet
from eventlet import hubs, patcher

from . import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import Block

__all__ = ["watch_hub"]


class Tracer:
    """Counts the switches in this OS thread, and keeps the green thread that runs, as gevent does in C."""

    def __init__(self) -> None:
        self.switches = 0
        self.active: Any = greenlet.getcurrent()
        self._previous = greenlet.settrace(self)

    def __call__(self, event: str, args: Any) -> None:
        self.switches += 1
        self.active = args[1]
        if self._previous is not None:
            self._previous(event, args)

    def remove(self) -> None:
        greenlet.settrace(self._previous)


class HubWatcher:
    """An OS thread that watches the hub, and a green thread that delivers the reports.

    The green thread polls, because another OS thread cannot wake eventlet's hub.
    """

    def __init__(self, longest: float, report: Callable[[Block], None]) -> None:
        threading = patcher.original("threading")
        hub = hubs.get_hub().greenlet
        self._seen: deque[Block] = deque()
        self._report_block = report
        self._watch = Watch(
            longest, hub, "eventlet.hubs.", threading.get_ident(), self._seen.append, threading.Lock()
        )
        self._tracer = Tracer()
        self._running = True
        self._deliverer = eventlet.spawn(self._deliver)
        sleep = patcher.original("time").sleep
        threading.Thread(target=self._check, args=(sleep,), name="flowthings-monitor", daemon=True).start()

    def _check(self, sleep: Callable[[float], None]) -> None:
        tracer = self._tracer
        while self._running:
            sleep(self._watch.period)
            if self._running:
                self._watch.check(tracer.switches, tracer.active)

    def _deliver(self) -> None:
        while True:
            eventlet.sleep(self._watch.period)
            self._report_all()

    def _report_all(self) -> None:
        while self._seen:
            self._report_block(self._seen.popleft())

    def stop(self) -> None:
        self._running = False
        self._tracer.remove()
        self._deliverer.kill()
        self._watch.stop()
        self._report_all()


def watch_hub(longest: float, report: Callable[[Block], None]) -> HubWatcher:
    """Watch this OS thread's hub; `report` is called there."""
    return HubWatcher(longest, report)
