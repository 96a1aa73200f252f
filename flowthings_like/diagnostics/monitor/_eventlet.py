"""Looking at eventlet's hub, from an OS thread that is none of eventlet's."""

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

__all__ = ["guard"]


class Tracer:
    """Counts the switches of this OS thread and knows the green thread that runs: what gevent has in C."""

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


class Guard:
    """A native thread that looks, and a green thread, the hub's heartbeat, that tells what was seen.

    No other OS thread can wake eventlet's hub, hence the heartbeat.
    """

    def __init__(self, longest: float, tell: Callable[[Block], None]) -> None:
        threading = patcher.original("threading")
        hub = hubs.get_hub().greenlet
        self._seen: deque[Block] = deque()
        self._tell = tell
        self._watch = Watch(
            longest, hub, "eventlet.hubs.", threading.get_ident(), self._seen.append, threading.Lock()
        )
        self._tracer = Tracer()
        self._looking = True
        self._heart = eventlet.spawn(self._beat)
        sleep = patcher.original("time").sleep
        threading.Thread(target=self._look, args=(sleep,), name="flowthings-monitor", daemon=True).start()

    def _look(self, sleep: Callable[[float], None]) -> None:
        tracer = self._tracer
        while self._looking:
            sleep(self._watch.period)
            if self._looking:
                self._watch.look(tracer.switches, tracer.active)

    def _beat(self) -> None:
        while True:
            eventlet.sleep(self._watch.period)
            self._tell_all()

    def _tell_all(self) -> None:
        while self._seen:
            self._tell(self._seen.popleft())

    def stop(self) -> None:
        self._looking = False
        self._tracer.remove()
        self._heart.kill()
        self._watch.stop()
        self._tell_all()


def guard(longest: float, tell: Callable[[Block], None]) -> Guard:
    """Watch this OS thread's hub; `tell` is called there."""
    return Guard(longest, tell)
