"""Many single calls, one bulk call: lazy calls that have a bulk form leave in batches.

There is no timer. A call that is enrolled asks for a sender; under gevent and eventlet that one runs on the
hub's next turn and finds whatever was enrolled meanwhile, on threads it runs at once, and what comes while
a batch is on its way leaves when that is back, or when there is enough for a full one.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from flowthings_like.errors import CallCancelled, FlowThingsError

from .delivery import fail, send
from .gather import Gathering
from .lanes import Batch, Lane
from .outcome import Deliverer
from .sharing import Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .backend import Pool
    from .marks import Bulk
    from .outcome import Latch, Pending
    from .thunk import GreenThunk

__all__ = ["Coalescer"]

SENDERS = 8
"""Batches that one lazy object has on their way at once."""


class Coalescer(Deliverer):
    """The lanes of one lazy object, and the senders that empty them.

    Args:
        pool: where the calls of this lazy object run when they go alone.
        known: which bulk forms the platform has, (class of the service, method) -> bool, as far as known.
            Belongs to the api, and outlives this object.
        senders: batches on their way at once.
    """

    def __init__(self, pool: Pool, known: dict[Any, bool], senders: int = SENDERS) -> None:
        backend = pool.backend
        self.pool = pool
        self.in_turns = backend.in_turns
        self.writes = Writes()
        self._backend = backend
        self._crew = backend.crew()
        self._most = senders
        self._known = known
        self._lanes: WeakValueDictionary[Any, Lane] = WeakValueDictionary()
        self._lock = backend.lock()
        self._ready: deque[Lane] = deque()
        self._senders: set[Pending] = set()
        self._holding = 0
        self.gathering = None if self.in_turns else Gathering(backend, self._lock)
        self._waiting: dict[int, list[Latch]] = {}
        self._ends: list[Latch] = []
        self._pid = os.getpid()

    def lane(self, service: Any, method: Callable[..., Any], timeout: Any = None) -> Lane:
        """The lane for calls of this method; the same one for all services of the same path."""
        form: Bulk = method.__api_bulk__  # type: ignore[attr-defined]
        where = type(service) if form.across else getattr(service, "path", id(service))
        name = where, form.method, timeout
        found = self._lanes.get(name)
        if found is None:
            options = {} if timeout is None else {"timeout": timeout}
            found = self._lanes.setdefault(name, Lane(self, form, service, method, options))
        return found

    def has_bulk_form(self, lane: Lane) -> bool | None:
        """Whether the platform has this bulk form; None as long as nobody knows."""
        return self._known.get((type(lane.service), lane.form.method))

    def learn_bulk_form(self, lane: Lane, has: bool) -> None:
        """The platform has shown whether it has this bulk form."""
        self._known[type(lane.service), lane.form.method] = has

    # Departures

    def schedule(self, lane: Lane) -> None:
        """A batch of this lane may leave: have a sender see to it."""
        with self._lock:
            if not lane.scheduled:
                self._schedule(lane)

    def _schedule(self, lane: Lane) -> None:
        lane.scheduled = True
        self._ready.append(lane)
        self._call_sender()

    def _call_sender(self) -> None:
        if len(self._senders) < self._most and not self._holding:
            sender = self._crew.start(self._serve)
            self._senders.add(sender)
            sender.when_done(lambda: self._ended(sender))

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which no batch leaves that has not left yet. It must not wait for anything."""
        with self._lock:
            self._holding += 1
        try:
            yield
        finally:
            with self._lock:
                self._holding -= 1
                for _ in self._ready:
                    self._call_sender()

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            try:
                batch.context.run(send, batch)
            finally:
                self._landed(batch)

    def _next(self) -> Batch | None:
        if self.gathering is not None and self._ready:
            self.gathering.settle_down()
        with self._lock:
            while self._ready:
                lane = self._ready.popleft()
                batch = lane.take()
                if lane.queue and lane.may_leave():
                    self._schedule(lane)
                if batch is not None:
                    return batch
            return None

    def _landed(self, batch: Batch) -> None:
        lane = batch.lane
        with self._lock:
            lane.flying.remove(batch)
            # The frames of a failure lead to the batch; from there they must not lead back to the failure.
            batch.thunks.clear()
            batch.sharing.clear()
            if lane.queue and not lane.scheduled and lane.may_leave():
                self._schedule(lane)

    def _ended(self, sender: Pending) -> None:
        """A sender found nothing more to do, or was killed, maybe before it began."""
        with self._lock:
            self._senders.discard(sender)
            if self._ready:
                self._call_sender()
            ends, self._ends = ([], self._ends) if self._senders else (self._ends, [])
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
        latch = self._backend.latch()
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
        """This is a forked child: the parent's senders stayed there, with what they had on their way."""
        self._pid = os.getpid()
        if self.in_turns:  # green threads come along
            return
        self._lock = self._backend.lock()
        self._senders.clear()
        self._ready.clear()
        self._waiting.clear()
        error = FlowThingsError(
            "this call was on its way when the process forked, and its answer goes to the parent; "
            "collect results before forking, or make the call in the child"
        )
        for lane in list(self._lanes.values()):
            lane.scheduled = False
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
                    for latch in latches:
                        self.gathering.goes_on(latch)
            for latch in latches:
                latch.set()

    # The end of a block

    def drain(self) -> bool:
        """Wait until everything that was enrolled is answered; False if there was nothing to wait for."""
        waited = False
        while True:
            latch = self._backend.latch()
            with self._lock:
                if not self._senders:
                    return waited
                self._ends.append(latch)
            latch.wait()
            waited = True

    def give_up(self) -> None:
        """Fail what has not left, and stop waiting for what has, as far as it can be stopped."""
        for lane in list(self._lanes.values()):
            batch = Batch(lane, copy_context())
            with self._lock:
                batch.thunks.extend(lane.queue)
                lane.queue.clear()
            error = CallCancelled("the call was given up before it was sent")
            fail(batch, range(len(batch.thunks)), error)
        for sender in [sender for sender in self._senders if sender.abandon()]:
            sender.settle()
