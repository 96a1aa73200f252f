"""A pool of green threads that queues what is too much instead of blocking whoever spawns it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..wrong_thread import wrong_thread
from .contract import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from .contract import Backend
    from .hub_events import Hub

__all__ = ["Gate", "Gated"]


class Gated:
    """What a green thread needs to pass a gate; the backends' thread classes mix it in."""

    gate: Gate | None = None
    """The gate where it is queued, None once it has passed."""

    slot: Slot | None = None
    """Its place among those that run."""

    def begin(self) -> None:
        """Schedule it to run, on the hub's next turn at the earliest."""
        raise NotImplementedError

    def end(self) -> None:
        """Free its place. To be called at the end of its run."""
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.free()

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
    """A place at a gate. A thread that is killed before it runs frees it when it goes away itself."""

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate: Gate | None = gate
        gate.running += 1

    def free(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()

    __del__ = free


class Gate(Pool):
    """At most `size` threads at once, in the order in which they were spawned; the rest exist, but do not
    run.

    A green thread that has not started costs a few hundred bytes; one that started and waits costs a stack.
    Used in the OS thread of one hub only.

    Attributes:
        running: the threads that have passed and not ended.
    """

    def __init__(
        self, backend: Backend, size: int, make: Callable[[Callable[..., Any], Any, Any], Gated], hub: Hub
    ) -> None:
        self.backend = backend
        self.size = size
        self.running = 0
        self._make = make
        self._hub = hub
        self._queued: deque[Gated] = deque()

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.check_thread()
        thread = self._make(function, args, kwargs)
        if self.running < self.size:
            self.admit(thread)
        else:
            thread.gate = self
            self._queued.append(thread)
        return thread

    def check_thread(self) -> None:
        if not self._hub.here():
            raise wrong_thread()

    def admit(self, thread: Gated) -> None:
        """Let a thread start, whether there is room or not.

        Raises:
            WrongThread: this is another OS thread than the hub's. The thread is still queued then.
        """
        self.check_thread()
        thread.begin()  # the only step that can fail, so nothing is changed before it
        thread.gate = None
        thread.slot = Slot(self)

    def leave(self) -> None:
        """A slot is free: let those in that are next."""
        self.running -= 1
        queued = self._queued
        while queued and self.running < self.size:
            thread = queued[0]
            # One that was hurried has no gate any more; one that was killed in the queue is ready.
            if thread.gate is not None and not thread.ready():
                self.admit(thread)
            queued.popleft()
