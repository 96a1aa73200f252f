"""Green threads that are used again: half of what starting one costs is the page of stack it begins with.

For calls whose thread nobody gets to see, as lazy ones. Imported only by the backends of green libraries.
"""

from __future__ import annotations

import sys
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from weakref import getweakrefcount, getweakrefs

from greenlet import GreenletExit, getcurrent, greenlet

from flowthings_like.errors import CallCancelled, DeadlineExceeded

from ._gate import Gated
from .checks.seen_running import wrong_thread
from .outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Callable

    from .outcome import Outcome

__all__ = ["Hub", "Job", "Latch", "Parking"]

IDLE = 256
"""Parked threads that one hub keeps; those beyond it end as soon as they are idle."""

IDLE_SECONDS = 10.0
"""A thread that was not needed for this long, give or take as much, ends."""


class Hub(Protocol):
    """What is asked of a green library's event loop. There is one of each per OS thread."""

    greenlet: Any
    """The greenlet that the loop runs in: the parent of all green threads."""

    def here(self) -> bool:
        """Whether this is the loop's own OS thread."""

    def soon(self, function: Callable[..., object], /, *args: Any) -> object:
        """Have the loop call `function(*args)` on its next turn."""

    def later(self, seconds: float, function: Callable[[], object]) -> Callable[[], object]:
        """Have it called in so many seconds, unless the function returned is called before. It does not keep
        the loop running."""


class Latch:
    """Waited for by one green thread, and set once, in the OS thread of the hub."""

    __slots__ = ("_hub", "_is_set", "_waiter")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._is_set = False
        self._waiter: Any = None

    def set(self) -> None:
        """Let the one that waits go on."""
        self._is_set = True
        if self._waiter is not None:
            self._hub.soon(self._wake)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds.

        Raises:
            WrongThread: this is another OS thread than the hub's, where the wait would never end.
        """
        if not self._is_set:
            if not self._hub.here():
                raise wrong_thread()
            self._waiter = getcurrent()
            cancel = None if timeout is None else self._hub.later(timeout, self._wake)
            try:
                # A thread that is switched to by mistake goes on waiting; one whose time is up does not.
                while not self._is_set and self._waiter is not None:
                    self._hub.greenlet.switch()
            finally:
                self._waiter = None
                if cancel is not None:
                    cancel()
        return self._is_set

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:  # else it was interrupted, and waits for something else by now
            waiter.switch()


class Job(Gated):
    """A call for a parked thread: a Pending."""

    def __init__(self, parking: Parking, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._parking = parking
        self._function = function
        self._args = args
        self._context = copy_context()
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[], object]] | None = None
        self._worker: Worker | None = None  # the thread that runs it right now

    def begin(self) -> None:
        """Have it run on the hub's next turn."""
        self._parking.hub.soon(self._parking.enter, self)

    def run(self, worker: Worker) -> bool:
        """Run it in this thread, unless it was given up. Whether the thread can be used again."""
        if self._outcome is not None:
            return True
        self._worker = worker
        fine = False
        try:
            self._outcome = self._context.run(self._function, *self._args), None
            fine = True
        except GreenletExit:
            self._outcome = None, Raised(CallCancelled("the green thread of this call was killed"), None)
        except BaseException as error:
            self._outcome = None, Raised.caught(error)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise  # the hub's to handle, as for any green thread
        finally:
            self._worker = None
            self._finish()
            del self  # an exception's frames lead back to this one: without self, not back to its own keeper
        return fine

    def _finish(self) -> None:
        self._function, self._args = _nothing, ()
        self.slot = None
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()

    # Pending

    def ready(self) -> bool:
        return self._outcome is not None

    def settle(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            latch = Latch(self._parking.hub)
            self.when_done(latch.set)
            self.hurry()
            try:
                latch.wait(timeout)
            finally:
                if self._callbacks is not None:
                    self._callbacks.remove(latch.set)
            if self._outcome is None:
                raise DeadlineExceeded(f"the call was not done after {timeout} s")
        return self._outcome

    def when_done(self, callback: Callable[[], object]) -> bool:
        if self._outcome is not None:
            callback()
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)
        return True

    def abandon(self) -> bool:
        if self._worker is not None:
            self._parking.hub.soon(self._kill)
        elif self._outcome is None:
            self._outcome = None, Raised(CallCancelled("the green thread of this call was killed"), None)
            self._finish()
        return True

    def _kill(self) -> None:
        if self._worker is not None:
            self._worker.throw()


def _nothing() -> None: ...


class Worker(greenlet):  # type: ignore[misc]
    """A green thread that runs one job after another."""

    __slots__ = ("_links", "_parking", "job")

    def __init__(self, parking: Parking) -> None:
        super().__init__(parent=parking.hub.greenlet)
        self._parking = parking
        # Not an argument of `switch`: what a greenlet is begun with stays alive as long as it does.
        self.job: Job | None = None
        self._links: list[Callable[[], object]] = []

    def run(self) -> None:
        parking = self._parking
        known = sys.getrefcount(self)
        try:
            while self.job is not None and self.job.run(self):
                self.job = None
                if self._links or getweakrefcount(self) or self.__dict__:
                    self._forget()
                # Whoever still refers to this thread, a timer that nobody stopped for instance, means the job
                # that is over.
                if sys.getrefcount(self) > known or len(parking.idle) >= IDLE:
                    return
                parking.park(self)
        finally:
            self._forget()

    def _forget(self) -> None:
        """Leave nothing of a job to the next one: tell green thread-locals, `threading` and whoever else
        wants to know that this thread has come to its end."""
        links, self._links = self._links, []
        for told in links:
            told()
        for reference in getweakrefs(self):
            if reference.__callback__ is not None:
                reference.__callback__(reference)
        self.__dict__.clear()

    def link(self, function: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Have `function(self, …)` called at the end of the job, as threads of the green libraries do."""
        self._links.append(partial(function, self, *args, **kwargs))

    rawlink = link


class Parking:
    """The parked threads of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.idle: deque[Worker] = deque()
        self._least_idle: int | None = None  # since the last look; None while nobody is due to look

    def job(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Job:
        """A call, yet to begin."""
        return Job(self, function, args)

    def enter(self, job: Job) -> None:
        """Run a job; called by the hub."""
        idle = self.idle
        if idle:
            worker = idle.pop()
            if self._least_idle is not None and len(idle) < self._least_idle:
                self._least_idle = len(idle)
        else:
            worker = Worker(self)
        worker.job = job
        worker.switch()

    def park(self, worker: Worker) -> None:
        """Wait, in that thread, for its next job, or for none."""
        self.idle.append(worker)
        if self._least_idle is None:
            self._look_later()
        try:
            self.hub.greenlet.switch()
        except BaseException:
            self.idle.remove(worker)
            raise

    def _look_later(self) -> None:
        self._least_idle = len(self.idle)
        self.hub.later(IDLE_SECONDS, self._thin_out)

    def _thin_out(self) -> None:
        """End the threads that were idle all the time since the last look."""
        for _ in range(self._least_idle or 0):
            if self.idle:
                self.idle.popleft().switch()
        self._least_idle = None
        if self.idle:
            self._look_later()
