"""A bounded pool of connections of any protocol that stays right when it is interrupted anywhere.

A connection goes back for one reason only: whoever used it has said that its exchange is complete. Anything
else, an exception of any kind or no word at all, closes it.

Interrupts (a green thread that is killed or timed out, a signal handler that raises, Ctrl-C) come between any
two steps, so nothing here relies on a step being reached. Connections are not counted up and down: each has a
slot, known by a weak reference, and a slot that nothing holds any more is gone from the count. A slot has no
field that says in which state it is, as an interrupt could leave that wrong. Its holder is its state:

    state        held by              left by
    empty        a lease              `open` returns: in use; an exception: gone
    in use       a lease              `complete` was called: idle; anything else: gone
    idle         the deque `idle`     acquired: in use, or handed over; too old or found dead: gone
    handed over  a waiter's box       the waiter takes it: in use or empty; it gave up: idle or gone

No interrupt can leave a lock held, as there is none. Every step is one operation on a list, set or dict, and
what was left half done is done again by the next caller. Nothing waits or switches green threads in between.

This relies on three things.
- An interrupt does not come within one operation of a list, set, dict or weak reference: that is C code.
- An `except BaseException` whose body was entered is reached. CPython looks for signals after calls, at the
  start of a function and at backward jumps, not on the way into a handler.
- A connection whose `open` was interrupted just when it returned closes its socket when it is collected.

tests/transport/test_connection_pool.py interrupts every operation at each place where the interpreter looks
for signals. If an interpreter came to look at other places, too, an interrupted caller could leave its waiter
behind. A slot that is handed to that waiter is free again as soon as the exception is gone.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import ref

from ..errors import DeadlineExceeded
from ..green.backends.choice import detect
from .after_fork import forked_call
from .pool_statistics import Statistics
from .waiters import TooLateError, Waiters

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .ending import Ending

__all__ = ["Lease", "Pool"]

C = TypeVar("C")

_inherited: list[object] = []
"""Connections that came into this process by fork. They are kept, as only the parent may close them."""


class Pool(Generic[C]):
    """Connections to one origin, opened when they are needed, and never shared with a forked child.

    Plain threads share all connections. Under gevent and eventlet a socket belongs to the hub of the OS
    thread that opened it, so each OS thread has connections of its own, which are closed when it ends.

    Args:
        name: what error messages call it, such as "connections to api.example.com".
        open: makes a connection; takes what `lease` was given as `args`.
        close: ends one without waiting for anything. It may be called again for one that is closed. If the
            end goes on in another thread, it returns an Ending; the connection counts until that is done.
        size: how many there may be at once; under gevent and eventlet, in each OS thread that makes calls.
        idle_for: seconds after which an idle connection is not used again.
        keep: so many idle connections stay open for any time. If it is not 0, `idle_for` only says when those
            beyond them are closed, and a caller asks `Lease.idled` whether to check the one it gets first.
        usable: says, without waiting, whether an idle connection can still be used.
    """

    def __init__(
        self,
        name: str,
        open: Callable[..., C],
        close: Callable[[C], Ending | None],
        *,
        size: int,
        idle_for: float = 60.0,
        keep: int = 0,
        usable: Callable[[C], bool] | None = None,
    ) -> None:
        self.name = name
        self.open = open
        self.close_one = close
        self.size = size
        self.idle_for = idle_for
        self.keep = keep
        self.usable = usable
        self._home: Callable[[], object] | None = None
        self._states: dict[tuple[int, int], _PoolState[C]] = {}

    def lease(self, deadline: float | None = None, *args: Any, fresh: bool = False) -> Lease[C]:
        """A connection for one exchange: `with pool.lease(…) as lease: … lease.complete()`.

        Args:
            deadline: the `time.monotonic()` until which to wait for a free one; None waits for ever.
            args: for `open`, if a connection must be opened.
            fresh: take no connection that was used before.
        """
        return Lease(self._state(), deadline, args, fresh)

    def statistics(self) -> Statistics:
        """What the numbers are now, of the calling thread's hub under gevent and eventlet."""
        state = self._state()
        slots = [each() for each in list(state.slots)]
        connected = sum(slot is not None and slot.connection is not None for slot in slots)
        discarded = state.opened - state.expired - connected
        return Statistics(
            size=self.size, open=len(slots), idle=len(state.idle), waiting=state.waiters.unserved,
            opened=state.opened, expired=state.expired, discarded=discarded,
        )  # fmt: skip

    def close_idle(self, since: float) -> None:
        """Close the connections that have been idle since then: `time.monotonic()` is the clock."""
        self._state().expire(since)

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back. The pool may be used again."""
        pid = os.getpid()
        for state in list(self._states.values()):
            if state.pid == pid:
                state.close()

    def _state(self) -> _PoolState[C]:
        here = self._home = self._home or detect().socket_owner
        home, pid = here(), os.getpid()
        return self._states.get((pid, id(home))) or self._new_state(pid, home)

    def _new_state(self, pid: int, home: object) -> _PoolState[C]:
        key = pid, id(home)
        # The thread's end takes its connections with it; what is in use there is closed when it comes back.
        made = _PoolState(self, pid, ref(home, lambda gone: self._retire(key)))
        # setdefault is atomic. The parent's state is kept, so that nothing in it is ever closed here.
        return self._states.setdefault(key, made)

    def _retire(self, key: tuple[int, int]) -> None:
        state = self._states.pop(key, None)
        if state is not None:
            state.close()


class Lease(Generic[C]):
    """One connection for the length of a `with` block.

    Attributes:
        connection: the connection.
        reused: whether it has served before.
        idled: seconds for which it had been idle, 0 if it is new.
    """

    __slots__ = (
        "_args",
        "_complete",
        "_deadline",
        "_fresh",
        "_slot",
        "_state",
        "connection",
        "idled",
        "reused",
    )

    connection: C
    reused: bool
    idled: float

    def __init__(self, state: _PoolState[C], deadline: float | None, args: Any, fresh: bool) -> None:
        self._state = state
        self._deadline = deadline
        self._args = args
        self._fresh = fresh
        self._complete = False
        self._slot: _Slot[C] | None = None

    def complete(self) -> None:
        """Say that the exchange is complete, and the connection ready for another."""
        self._complete = True

    def __enter__(self) -> Lease[C]:
        state = self._state
        try:
            self._slot = slot = state.acquire(self._deadline)
            if self._fresh:
                state.close_connection(slot)
            connection = slot.connection
            self.reused = connection is not None
            self.idled = monotonic() - slot.idle_since if self.reused else 0.0
            if connection is None:
                slot.epoch = state.epoch
                slot.connection = connection = state.pool.open(*self._args)
                state.opened += 1
            self.connection = connection
        except BaseException:
            if self._slot is not None:
                state.discard(self._slot)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        slot = self._slot
        if slot is not None:
            if self._complete and kind is None:
                self._state.release(slot)
            else:
                self._state.discard(slot)
            self._slot = None


class _SlotRef(ref["_Slot[Any]"]):
    """A weak reference that is a set's member by its identity: a slot's own hash is gone with the slot."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Slot(Generic[C]):
    """Room for one connection. It counts exactly as long as something holds it."""

    __slots__ = ("__weakref__", "connection", "epoch", "idle_since", "ref")

    def __init__(self, state: _PoolState[C]) -> None:
        self.connection: C | None = None
        self.epoch = state.epoch
        self.idle_since = 0.0
        # C code, which no signal can interrupt. In a __del__ of our own a handler's exception would be lost.
        self.ref = _SlotRef(self, state.slots.discard)
        state.slots.add(self.ref)


class _PoolState(Generic[C]):
    """The slots of a pool in one process; under gevent and eventlet, in one OS thread.

    Attributes:
        slots: weak references to all slots that something holds.
        idle: slots whose connections can be used; the one used last is taken first.
        waiting: the callers that wait for a slot.
        epoch: how often the pool was closed. A connection of an earlier epoch is not used again.
        opened, expired: how many connections were opened, and closed for being too old or found dead.
    """

    def __init__(self, pool: Pool[C], pid: int, home: ref[object]) -> None:
        self.pool = pool
        self.pid = pid
        self.home = home
        self.slots: set[ref[_Slot[C]]] = set()
        self.idle: deque[_Slot[C]] = deque()
        self.waiters: Waiters[_Slot[C]] = Waiters(self.match, self._take_back)
        self.waiting = self.waiters.queue
        self.epoch = self.opened = self.expired = 0

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        self.epoch += 1
        with suppress(IndexError):
            while True:
                self.discard(self.idle.pop())

    def acquire(self, deadline: float | None) -> _Slot[C]:
        """Take a slot, with or without a connection in it. Callers that wait are not overtaken."""
        if not self.waiting:
            slot = self._find_slot()
            if slot is not None:
                if self.waiting:
                    self.match()
                return slot
        return self._wait(deadline)

    def release(self, slot: _Slot[C]) -> None:
        """Take back a slot whose connection can be used again."""
        if slot.epoch != self.epoch:
            self.discard(slot)
            return
        try:
            now = slot.idle_since = monotonic()
            self.idle.append(slot)
            if self.waiting:
                self.match()
            if len(self.idle) > 1:
                self.expire(now - self.pool.idle_for)
        except BaseException:
            self.match()  # an interrupted caller must not leave others waiting in vain
            raise

    def discard(self, slot: _Slot[C], expired: bool = False) -> None:
        """Close what is in a slot, and give up the slot when that is done."""
        ending = None
        try:
            ending = self.close_connection(slot, expired)
        finally:
            if ending is not None:
                ending.when_done(partial(self._free, slot))  # this holds the slot, so it counts until then
            elif expired:
                self.slots.discard(slot.ref)  # `match` may be what has found it
            else:
                self._free(slot)

    def _free(self, slot: _Slot[C]) -> None:
        self.slots.discard(slot.ref)
        if self.waiting:
            self.match()

    def close_connection(self, slot: _Slot[C], expired: bool = False) -> Ending | None:
        """Close what is in a slot, and keep the slot."""
        connection = slot.connection
        if connection is None:
            return None
        ending = None
        # It leaves its slot only when it is closed. After an interrupt in between it is closed again.
        if self.pid == os.getpid():
            ending = self.pool.close_one(connection)
        else:
            _inherited.append(connection)
        self.expired += expired
        slot.connection = None
        return ending

    def match(self) -> None:
        """Hand what is free to those who wait, first come, first served. Doing it once too often is free."""
        while self.waiting:
            slot = self._find_slot()
            if slot is None:
                return
            if not self.waiters.hand(slot) and slot.connection is not None:
                self.idle.append(slot)

    def _find_slot(self) -> _Slot[C] | None:
        """An idle connection that can be used, else room for a new one, else None."""
        pool = self.pool
        oldest = -1.0 if pool.keep else monotonic() - pool.idle_for
        while True:
            try:
                slot = self.idle.pop()
            except IndexError:
                break
            connection = slot.connection
            fresh = slot.idle_since >= oldest and slot.epoch == self.epoch and connection is not None
            if fresh and (pool.usable is None or pool.usable(connection)):  # type: ignore[arg-type]
                return slot
            self.discard(slot, expired=True)
        while len(self.slots) < pool.size:
            slot = _Slot(self)
            if len(self.slots) <= pool.size:
                return slot
            self.slots.discard(slot.ref)  # another thread was quicker; look again
        return None

    def expire(self, oldest: float) -> None:
        """Close what has been idle since before then."""
        idle, keep = self.idle, self.pool.keep
        with suppress(IndexError):
            while len(idle) > keep and idle[0].idle_since < oldest:
                slot = idle.popleft()
                if slot.idle_since >= oldest:  # another thread has changed the order
                    idle.append(slot)
                    break
                self.discard(slot, expired=True)

    def _wait(self, deadline: float | None) -> _Slot[C]:
        try:
            return self.waiters.wait(deadline, self._check_process)
        except TooLateError as error:
            # Not stored in a local: its traceback refers to this frame, and would keep callers' leases alive.
            raise self._too_late(error.waiting) from None

    def _too_late(self, waiting: int) -> DeadlineExceeded:
        size = self.pool.size
        error = DeadlineExceeded(f"{self.pool.name}: none of {size} was free in time ({waiting} waiting)")
        error.sent = False
        return error

    def _check_process(self) -> None:
        if self.pid != os.getpid():
            raise forked_call(self.pool.name, self.pid)

    def _take_back(self, slot: _Slot[C]) -> None:
        """Take back a slot from a caller that gave up when it was handed over."""
        (self.release if slot.connection is not None else self.discard)(slot)
