"""A pool of green threads that queues what is too much instead of blocking whoever spawns it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .backend import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .backend import Backend
    from .outcome import Pending
    from .parked import Parking

__all__ = ["Gate", "Gated"]


class Gated:
    """What a green thread needs to pass a gate; the backends' thread classes mix it in."""

    gate: Gate | None = None
    """The gate where it is queued, None once it has passed."""

    slot: Slot | None = None
    """Its place among those that run. To be dropped at the end of its run."""

    def begin(self) -> None:
        """Schedule it to run."""
        raise NotImplementedError

    def pass_through(self, gate: Gate) -> None:
        """Begin as one of those that the gate counts as running."""
        self.gate = None
        self.slot = Slot(gate)
        self.begin()

    def ready(self) -> bool:
        raise NotImplementedError

    def hurry(self) -> None:
        """Somebody waits for it: start it now, over the limit, if it is still queued.

        The limit slips by at most the number of threads that wait, and those do nothing else. Without this,
        a full pool whose threads all wait for queued ones would stand still.
        """
        gate = self.gate
        if gate is not None:
            gate.admit(self)


class Slot:
    """A place at a gate, free again as soon as nothing holds it.

    So a thread that is killed before it ever runs cannot keep its place for good, and no thread needs a
    callback at its end, which would cost a turn of the hub each.
    """

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __del__(self) -> None:
        self._gate.leave()


class Gate(Pool):
    """At most `size` threads at once, in the order in which they were spawned; the rest exist, but do not
    run.

    A green thread that has not started costs a few hundred bytes; one that started and waits costs a stack.
    Used by the green threads of one OS thread only.
    """

    def __init__(
        self,
        backend: Backend,
        size: int,
        make: Callable[[Callable[..., Any], Any, Any], Gated],
        parking: Parking,
    ) -> None:
        self.backend = backend
        self.size = size
        self._make = make
        self._parking = parking
        self._running = 0
        self._queued: deque[Gated] = deque()

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        thread = self._make(function, args, kwargs)
        if self._running < self.size:
            self._running += 1
            thread.slot = Slot(self)
            thread.begin()
        else:
            thread.gate = self
            self._queued.append(thread)
        return thread

    def start(self, function: Callable[..., Any], /, *args: Any) -> Pending:
        """Like `spawn`, in a thread that is parked and used again."""
        job = self._parking.job(function, args)
        if self._running < self.size:
            self._running += 1
            job.begin_counted(self)
        else:
            job.gate = self
            self._queued.append(job)
        return job

    def admit(self, thread: Gated) -> None:
        """Let a thread start, whether there is room or not. It stays in the queue's order if it was there."""
        self._running += 1
        thread.pass_through(self)

    def leave(self) -> None:
        """A slot is free: let those in that are next."""
        self._running -= 1
        while self._queued and self._running < self.size:
            thread = self._queued.popleft()
            # One that was hurried has no gate any more; one that was killed in the queue is ready.
            if thread.gate is not None and not thread.ready():
                self.admit(thread)
