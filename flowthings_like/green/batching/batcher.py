"""Many single calls, one bulk call: lazy calls that have a bulk form leave in batches.

There is no timer. A call that is enrolled asks for a dispatcher; under gevent and eventlet that one runs on
the hub's next turn, or once there is a whole batch, and finds whatever was enrolled meanwhile; on threads it
runs at once, and what comes while a batch is on its way leaves when that is back, or when there is enough for
a full one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from flowthings_like.errors import CallCancelled, FlowThingsError

from ...diagnostics.checks.seen_running import wrong_thread
from ..calls.exits import track_batches
from ..calls.failure import FailedTogether
from ..calls.future import Deliverer, Raised
from .dispatcher import fail, send
from .gather import Gathering
from .queue import Batch, Lane
from .sharing import Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..backends.contract import Pool
    from ..calls.future import Latch, Pending
    from ..calls.marks import Bulk
    from ..calls.thunk import GreenThunk

__all__ = ["Coalescer"]

DISPATCHERS = 8
"""Batches that one lazy object has on their way at once."""


class Dispatcher:
    """Sends batches of one lazy object, one after the other, in a thread of its own, until there are none."""

    __slots__ = ("_coalescer", "thread")

    def __init__(self, coalescer: Coalescer) -> None:
        self._coalescer = coalescer
        self.thread: Pending | None = None

    def run(self) -> None:
        """Send batches until there are no more."""
        coalescer = self._coalescer
        coalescer.joins(self)
        try:
            while (batch := coalescer.next_batch(self)) is not None:
                try:
                    batch.context.run(send, batch)
                finally:
                    coalescer.landed(batch)
        finally:
            coalescer.leaves(self)


class Coalescer(Deliverer):
    """The lanes of one lazy object, and the dispatchers that empty them.

    What follows is kept by changing it under one lock: while a lane is ready there is a dispatcher, which was
    started before; a lane has a batch on its way only if `Lane.may_leave` allowed that.

    Attributes:
        ready: the lanes of which a batch may leave, in their order.

    Args:
        pool: where the calls of this lazy object run when they go alone.
        known: which bulk forms the platform has, (class of the service, method) -> bool, as far as known.
            Belongs to the api, and outlives this object.
        most: batches on their way at once.
    """

    def __init__(self, pool: Pool, known: dict[Any, bool], most: int = DISPATCHERS) -> None:
        backend = pool.backend
        self.pool = pool
        self.in_turns = backend.in_turns
        self.writes = Writes()
        self.ready: dict[Lane, None] = {}
        self._backend = backend
        self._crew = backend.crew()
        self._latch = backend.latches(wrong_thread)
        self._most = most
        self._known = known
        self._lanes: WeakValueDictionary[Any, Lane] = WeakValueDictionary()
        self._lock = backend.lock()
        self._dispatchers: set[Dispatcher] = set()
        self.gathering = None if self.in_turns else Gathering(backend, self._lock)
        self._waiting: dict[int, list[Latch]] = {}
        self._ends: list[Latch] = []
        self._pid = os.getpid()

    def lane(self, service: Any, method: Callable[..., Any], timeout: Any = None) -> Lane:
        """The lane for calls of this method; the same one for all services of the same path."""
        form: Bulk = method.__api_bulk__  # type: ignore[attr-defined]
        where = type(service) if form.across else getattr(service, "path", id(service))
        name = where, form.method, timeout
        return self._lanes.get(name) or self._lanes.setdefault(
            name, Lane(self, form, service, method, timeout)
        )

    def has_bulk_form(self, lane: Lane) -> bool | None:
        """Whether the platform has this bulk form; None as long as nobody knows."""
        return self._known.get((type(lane.service), lane.form.method))

    def learn_bulk_form(self, lane: Lane, has: bool) -> None:
        """The platform has shown whether it has this bulk form."""
        self._known[type(lane.service), lane.form.method] = has

    # Departures

    def schedule(self, lane: Lane) -> None:
        """A batch of this lane may leave: have a dispatcher see to it.

        Raises:
            WrongThread: the lazy object belongs to another OS thread.
            RuntimeError: no thread can be started. Whatever is raised, the lane is as it was.
        """
        self._crew.check_thread()
        if self._pid != os.getpid():
            self._take_over()
        with self._lock:
            if lane.queue and lane.may_leave():
                self._see_to_dispatchers()
                self.ready[lane] = None

    def let_leave(self) -> None:
        """A whole batch waits: under gevent and eventlet, let it leave while its caller prepares the next."""
        if self.in_turns and not self._backend.in_hub():
            self._backend.give_way()

    def _see_to_dispatchers(self) -> None:
        """Start a dispatcher if there may be another. Called under the lock. An error means that there is
        none at all."""
        if len(self._dispatchers) >= self._most:
            return
        dispatcher = Dispatcher(self)
        try:
            self._dispatchers.add(dispatcher)
            track_batches(self)
            dispatcher.thread = self._crew.start(dispatcher.run)
            dispatcher.thread.when_done(partial(self.leaves, dispatcher))  # killed, it may never run
        except BaseException as error:
            self._dispatchers.discard(dispatcher)  # if it runs nevertheless, it says so itself
            if not self._dispatchers or not isinstance(error, Exception):
                raise

    def joins(self, dispatcher: Dispatcher) -> None:
        """A dispatcher has begun."""
        with self._lock:
            self._dispatchers.add(dispatcher)

    def next_batch(self, dispatcher: Dispatcher) -> Batch | None:
        """What this dispatcher is to send; None if there is no more, and it has left."""
        if self.gathering is not None:
            with self._lock:  # whoever has started it is about to say what for
                expected = bool(self.ready)
            if expected:
                self.gathering.settle_down()
        with self._lock:
            batch = self._take()
            if batch is None:
                self._dispatchers.discard(dispatcher)
            return batch

    def _take(self) -> Batch | None:
        """Called under the lock."""
        while self.ready:
            lane = next(iter(self.ready))
            del self.ready[lane]  # first: what is enrolled from here on asks for its own departure
            # Asked again: since the lane was ready another batch of it may have left.
            batch = lane.take() if lane.may_leave() else None
            self._look_again(lane)
            if batch is not None:
                return batch
        return None

    def landed(self, batch: Batch) -> None:
        """This batch is answered, or failed."""
        lane = batch.lane
        with self._lock:
            if batch in lane.flying:
                lane.flying.remove(batch)
            # The frames of a failure lead to the batch; from there they must not lead back to the failure.
            batch.thunks.clear()
            batch.sharing.clear()
            self._look_again(lane)

    def _look_again(self, lane: Lane) -> None:
        """Called by a dispatcher, under the lock: there may be more to send, with the help of another one if
        that can be had."""
        if lane.queue and lane.may_leave():
            self.ready[lane] = None
            with suppress(Exception):
                self._see_to_dispatchers()

    def leaves(self, dispatcher: Dispatcher) -> None:
        """A dispatcher has ended: it found nothing more to do, or was killed, maybe before it began."""
        stranded: list[Lane] = []
        reason: BaseException | None = None
        with self._lock:
            self._dispatchers.discard(dispatcher)
            if self.ready and not self._dispatchers:
                try:
                    self._see_to_dispatchers()
                except Exception as error:
                    stranded, reason = list(self.ready), error
                    self.ready.clear()
            ends, self._ends = ([], self._ends) if self._dispatchers else (self._ends, [])
        for lane in stranded:
            assert reason is not None
            self._fail_queued(lane, reason)
        for end in ends:
            end.set()

    # Arrivals

    def close(self, batch: Batch) -> None:
        """From here on no read shares this batch."""
        with self._lock:
            batch.index = {}

    def deliver(self, thunk: GreenThunk) -> None:
        if self._pid != os.getpid():
            self._take_over()
        latch = self._latch()
        with self._lock:
            self._waiting.setdefault(id(thunk), []).append(latch)
            if self.gathering is not None:
                self.gathering.waits(latch)
        try:
            if thunk._pending is self:
                latch.wait()
        finally:
            with self._lock:
                latches = self._waiting.get(id(thunk), [])
                if latch in latches:
                    latches.remove(latch)
                if self.gathering is not None:
                    self.gathering.goes_on(latch)
                if not latches:
                    self._waiting.pop(id(thunk), None)

    def _take_over(self) -> None:
        """This is a forked child: the parent's dispatchers stayed there, with what they had on their way."""
        self._pid = os.getpid()
        if self.in_turns:  # green threads come along
            return
        self._lock = self._backend.lock()
        self._dispatchers.clear()
        self.ready.clear()
        self._waiting.clear()
        error = FlowThingsError(
            "this call was on its way when the process forked, and its answer goes to the parent; "
            "collect results before forking, or make the call in the child"
        )
        for lane in list(self._lanes.values()):
            for batch in lane.flying:
                fail(batch, range(len(batch.thunks)), error)
            lane.flying.clear()
            if lane.queue:
                self.schedule(lane)

    def wake(self, batch: Batch, positions: Sequence[int]) -> None:
        """These calls' thunks have something to settle with: tell those that wait for it."""
        if not self._waiting:
            return
        for position in positions:
            for thunk in batch.everyone(position):
                self._wake(thunk)

    def _wake(self, thunk: GreenThunk) -> None:
        if id(thunk) in self._waiting:
            with self._lock:
                latches = self._waiting.pop(id(thunk), [])
                if self.gathering is not None:
                    self.gathering.goes_on(*latches)
            for latch in latches:
                latch.set()

    # The end of a block

    def drain(self) -> bool:
        """Wait until everything that was enrolled is answered; False if there was nothing to wait for."""
        waited = False
        while True:
            latch = self._latch()
            with self._lock:
                if not self._dispatchers:
                    return waited
                self._ends.append(latch)
            latch.wait()
            waited = True

    def unanswered(self) -> list[GreenThunk]:
        """The thunks that wait for this."""
        with self._lock:
            return self._unanswered()

    def _unanswered(self) -> list[GreenThunk]:
        """Called under the lock."""
        thunks: list[GreenThunk] = []
        for lane in list(self._lanes.values()):
            for batch in lane.flying:
                thunks += (one for at in range(len(batch.thunks)) for one in batch.everyone(at))
            thunks += lane.queue
        return [thunk for thunk in thunks if thunk._pending is self]

    def give_up(self) -> None:
        """Fail what has not left, and stop waiting for what has, as far as it can be stopped."""
        for lane in list(self._lanes.values()):
            self._fail_queued(lane, CallCancelled("the call was given up before it was sent"))
        threads = [dispatcher.thread for dispatcher in tuple(self._dispatchers)]
        for thread in [thread for thread in threads if thread is not None and thread.abandon()]:
            thread.settle()

    def _fail_queued(self, lane: Lane, error: BaseException) -> None:
        with self._lock:  # so that none of them leaves meanwhile
            thunks = self._fail_all(lane, error)
        for thunk in thunks:
            self._wake(thunk)

    def _fail_all(self, lane: Lane, error: BaseException) -> list[GreenThunk]:
        """Called under the lock."""
        thunks = [thunk for thunk in lane.queue if thunk._pending is self]
        if thunks:
            failed = FailedTogether(Raised.caught(error), thunks[0]._call[:3], len(thunks))
            for thunk in thunks:
                thunk._pending = failed
        return thunks
