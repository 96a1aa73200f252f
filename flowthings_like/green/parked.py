"""Green threads that are used again: half of what starting one costs is the page of stack it begins with.

For calls whose thread nobody gets to see, as lazy ones. Imported only by the backends of green libraries.
"""

from __future__ import annotations

import sys
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount, getweakrefs

from greenlet import GreenletExit, greenlet

from flowthings_like.errors import CallCancelled, DeadlineExceeded

from ._gate import Gated
from .checks.seen_running import wrong_thread
from .hubs import Latch
from .outcome import Raised

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._gate import Gate
    from .hubs import Hub
    from .outcome import Outcome

__all__ = ["Job", "Parking"]

IDLE = 256
"""Parked threads that one hub keeps; those beyond it end as soon as they are idle."""

IDLE_SECONDS = 10.0
"""A thread that was not needed for this long, give or take as much, ends."""


class Job(Gated):
    """A call for a parked thread: a Pending."""

    def __init__(self, parking: Parking, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._parking = parking
        self._work: tuple[Callable[..., Any], tuple[Any, ...]] = function, args
        self._context = copy_context()

    latch: Latch | None = None
    """Where the first one waits that waits for it. Whoever runs it sets it."""

    _outcome: Outcome | None = None
    _worker: Worker | None = None  # the thread that runs it right now
    _counted: Gate | None = None  # the gate that counts it as running
    _callbacks: list[Callable[[], object]] | None = None

    def pass_through(self, gate: Gate) -> None:
        self.gate = None
        self.begin_counted(gate)

    def begin_counted(self, gate: Gate) -> None:
        """Begin as one of those that the gate counts as running, without having queued there."""
        self._counted = gate
        self._parking.schedule(self)

    def run(self, worker: Worker) -> bool:
        """Run it in this thread, unless it was given up. Whether the thread can be used again."""
        if self._outcome is not None:
            return True
        self._worker = worker
        fine = False
        (function, args), self._work = self._work, _NOTHING
        try:
            self._outcome = self._context.run(function, *args), None
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
            # An exception's frames lead back to this one: without self, not back to its own keeper.
            del self, args
        return fine

    def _finish(self) -> None:
        gate = self._counted
        if gate is not None:
            self._counted = None
            gate.leave()
        callbacks = self._callbacks
        if callbacks:
            self._callbacks = None
            for callback in callbacks:
                callback()

    # Pending

    def ready(self) -> bool:
        return self._outcome is not None

    def settle(self, timeout: float | None = None) -> Outcome:
        if self._outcome is None:
            if self.gate is not None:
                self.hurry()
            parking = self._parking
            latch = Latch(parking.hub)
            if self.latch is None:
                self.latch = latch
            else:
                self.when_done(latch.set)
            try:
                latch.wait(timeout, parking.claim(self))
            finally:
                if self.latch is latch:
                    self.latch = None
                elif self._callbacks is not None:
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
            self._work = _NOTHING
            self._finish()
            if self.latch is not None:
                self.latch.set()
        return True

    def _kill(self) -> None:
        if self._worker is not None:
            self._worker.throw()


_NOTHING: Any = (None, ())


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
        latch = None
        while self._parking.park(self, latch):
            fine = False
            assert self.job is not None
            try:
                fine = self.job.run(self)
            finally:
                latch, self.job = self.job.latch, None
                if self._links or getweakrefcount(self) or self.__dict__:
                    self._forget()
                if not fine and latch is not None:
                    latch.set()
            if not fine:
                return

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
    """The parked threads of one hub, and the jobs they are to run."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.idle: deque[Worker] = deque()
        self._due: deque[Job] = deque()
        self._expected = False  # on the hub's next turn
        self._references = 0  # to a parked thread, that are right
        self._entered = 0  # the id of the thread that the hub has switched to
        self._least_idle = 0  # since the last look
        self._watched = False

    def job(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Job:
        """A call, yet to be scheduled."""
        return Job(self, function, args)

    def schedule(self, job: Job) -> None:
        """Have a job run on the hub's next turn."""
        if not self._expected:
            if not self.hub.here():
                raise wrong_thread()
            self._expected = True
            self.hub.soon(self._run_due)
        self._due.append(job)

    def claim(self, job: Job) -> Worker | None:
        """A thread to switch to for a job that somebody waits for, so that it need not wait for the hub's
        turn; None if it has begun, or no thread is at hand."""
        due = self._due
        if not due or not self.idle or not self.hub.here():
            return None
        take = due.pop if due[-1] is job else due.popleft if due[0] is job else None
        worker = self._pick(job) if take is not None else None
        if take is not None and worker is not None:
            take()
        return worker

    def _run_due(self) -> None:
        """Begin the jobs that are due; called by the hub.

        The hub may come back here late: a job that is done lets whoever waits for it go on in its place.
        """
        self._expected = False
        due = self._due
        try:
            for _ in range(len(due)):
                if due:
                    self._worker_for(due.popleft()).switch()
                    self._entered = 0
        finally:
            self._entered = 0
            if due and not self._expected:
                self._expected = True
                self.hub.soon(self._run_due)

    def _worker_for(self, job: Job) -> Worker:
        """A thread for a job, for the hub to switch to and to keep nowhere."""
        while True:
            if not self.idle:
                Worker(self).switch()  # it parks
            worker = self._pick(job)
            if worker is not None:
                self._entered = id(worker)
                return worker
            self.idle.popleft().switch()  # to its end

    def _pick(self, job: Job) -> Worker | None:
        """An idle thread, unless somebody else refers to it. A timer that nobody stopped, for instance, means
        the job that is over; what it does must not happen to the next. Such a thread goes to the left end."""
        worker = self.idle.pop()
        references = sys.getrefcount(worker)
        if not self._references:
            self._references = references
        # The hub refers to the one that it has switched to, until it is switched back to.
        if references > self._references + (id(worker) == self._entered):
            self.idle.appendleft(worker)
            return None
        if len(self.idle) < self._least_idle:
            self._least_idle = len(self.idle)
        worker.job = job
        return worker

    def park(self, worker: Worker, latch: Latch | None) -> bool:
        """Wait, in that thread, for its next job, and let whoever waits at the latch go on; False if no job
        will come."""
        if len(self.idle) < IDLE:
            self.idle.append(worker)
            if not self._watched:
                self._look_later()
            try:
                if latch is None or not latch.hand_over():
                    greenlet.switch(self.hub.greenlet)  # no library's own: that may refer to the thread
            except BaseException:
                self.idle.remove(worker)
                raise
        elif latch is not None:
            latch.set()
        return worker.job is not None

    def _look_later(self) -> None:
        self._watched = True
        self._least_idle = len(self.idle)
        self.hub.later(IDLE_SECONDS, self._thin_out)

    def _thin_out(self) -> None:
        """End the threads that were idle all the time since the last look."""
        for _ in range(self._least_idle):
            if not self.idle:  # a fork, or whoever ran meanwhile, has left fewer
                break
            self.idle.popleft().switch()
        self._watched = False
        if self.idle:
            self._look_later()
