"""A bounded pool of connections of any protocol that stays right when it is interrupted anywhere.

A connection goes back for one reason only: whoever used it has said that its exchange is complete. Anything
else, an exception of any kind or no word at all, closes it.

Interrupts (a green thread that is killed or timed out, a signal handler that raises, Ctrl-C) come between any
two steps, so nothing here relies on a step being reached. How many connections there are is not counted up
and down: each has a place, known by a weak reference, and a place that nothing holds any more is gone from
the count. There is no lock that an interrupt could leave locked; every step is one operation on a list, set
or dict, and what was left half done is simply done again by the next one who comes along. Nothing waits or
switches green threads in between.

What this relies on, and nothing else here does:

- An interrupt does not come within one operation of a list, set, dict or weak reference: that is C code, and
  nothing of Python's is called in it.
- An `except BaseException` whose body was entered is reached. CPython looks for signals after calls, at the
  start of a function and at backward jumps, not on the way into a handler.
- A connection whose `open` was interrupted just when it returned closes its socket when it is collected.

tests/transport/test_pool.py raises at each place where the running interpreter looks (opcodes.py has the
list), in every operation, and holds the numbers and the connections to what they should be. If an interpreter
came to look at other places, too, one who waits could leave its waiter behind; the place that is handed to
that waiter is free again as soon as the exception is gone.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import ref

from ..errors import DeadlineExceeded
from ..green.backends.contract import detect
from .forks import forked_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Lease", "Pool", "Statistics"]

C = TypeVar("C")

RECHECK = 1.0
"""Seconds after which one who waits looks for himself, in case whoever should have woken him was interrupted
just then."""

_inherited: list[object] = []
"""Connections that came into this process by fork: closing them, or saying goodbye, is the parent's."""


@dataclass(frozen=True)
class Statistics:
    """Numbers of a pool in this process.

    Attributes:
        size: how many connections there may be.
        open: how many there are, those being opened included.
        idle: how many of them wait for work.
        waiting: how many callers wait for one.
        opened: how many were ever opened.
        expired: how many were closed for having been idle too long, or were found closed by the other end.
        discarded: how many were closed because an exchange was not completed.
    """

    size: int
    open: int
    idle: int
    waiting: int
    opened: int
    expired: int
    discarded: int


class Pool(Generic[C]):
    """Connections to one place, opened when they are needed, used in turn, never shared with a forked child.

    On plain threads all of them share one stock. Under gevent and eventlet a socket belongs to the hub of the
    OS thread that opened it, so each OS thread has a stock of its own, which is closed when the thread ends.

    Args:
        name: what error messages call it, such as "connections to api.example.com".
        open: makes a connection; takes what `lease` was given as `args`.
        close: ends one without waiting for anything. It may be called again for one that is closed.
        size: how many there may be at once; under gevent and eventlet, in each OS thread that makes calls.
        idle_for: seconds after which an idle connection is not used again.
        usable: says, without waiting, whether an idle connection can still be used.
    """

    def __init__(
        self,
        name: str,
        open: Callable[..., C],
        close: Callable[[C], object],
        *,
        size: int,
        idle_for: float = 60.0,
        usable: Callable[[C], bool] | None = None,
    ) -> None:
        self.name = name
        self.open = open
        self.close_one = close
        self.size = size
        self.idle_for = idle_for
        self.usable = usable
        self._home: Callable[[], object] | None = None
        self._stocks: dict[tuple[int, int], _Stock[C]] = {}

    def lease(self, deadline: float | None = None, *args: Any, fresh: bool = False) -> Lease[C]:
        """A connection for one exchange: `with pool.lease(…) as lease: … lease.complete()`.

        Args:
            deadline: the `time.monotonic()` until which to wait for a free one; None waits for ever.
            args: for `open`, if a connection must be opened.
            fresh: take no connection that was used before.
        """
        return Lease(self._stock(), deadline, args, fresh)

    def statistics(self) -> Statistics:
        """What the numbers are now, of the calling thread's hub under gevent and eventlet."""
        stock = self._stock()
        places = [ticket() for ticket in list(stock.taken)]
        connected = sum(place is not None and place.connection is not None for place in places)
        waiting = sum(waiter.place is None for waiter in list(stock.waiters))
        discarded = stock.opened - stock.expired - connected
        return Statistics(
            self.size, len(places), len(stock.idle), waiting, stock.opened, stock.expired, discarded
        )

    def drop_idle(self, since: float) -> None:
        """Close the connections that have been idle since then: `time.monotonic()` is the clock."""
        self._stock().expire(since)

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back. The pool may be used again."""
        pid = os.getpid()
        for stock in list(self._stocks.values()):
            if stock.pid == pid:
                stock.close()

    def _stock(self) -> _Stock[C]:
        here = self._home
        if here is None:
            here = self._home = detect().home
        home, pid = here(), os.getpid()
        stock = self._stocks.get((pid, id(home)))
        return self._new_stock(pid, home) if stock is None else stock

    def _new_stock(self, pid: int, home: object) -> _Stock[C]:
        key = pid, id(home)
        # The thread's end takes its connections with it; what it has in use is in its own hands till then.
        made = _Stock(self, pid, ref(home, lambda gone: self._retire(key)))
        # setdefault is atomic. The parent's stock is kept, so that nothing in it is ever closed here.
        return self._stocks.setdefault(key, made)

    def _retire(self, key: tuple[int, int]) -> None:
        stock = self._stocks.pop(key, None)
        if stock is not None:
            stock.close()


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
        "_place",
        "_stock",
        "connection",
        "idled",
        "reused",
    )

    connection: C
    reused: bool
    idled: float

    def __init__(self, stock: _Stock[C], deadline: float | None, args: Any, fresh: bool) -> None:
        self._stock = stock
        self._deadline = deadline
        self._args = args
        self._fresh = fresh
        self._complete = False
        self._place: _Place[C] | None = None

    def complete(self) -> None:
        """Say that the exchange is complete, and the connection ready for another."""
        self._complete = True

    def __enter__(self) -> Lease[C]:
        stock = self._stock
        try:
            self._place = place = stock.take(self._deadline)
            if self._fresh:
                stock.vacate(place)
            connection = place.connection
            self.reused = connection is not None
            self.idled = monotonic() - place.idle_since if self.reused else 0.0
            if connection is None:
                place.epoch = stock.epoch
                place.connection = connection = stock.pool.open(*self._args)
                stock.opened += 1
            self.connection = connection
        except BaseException:
            if self._place is not None:
                stock.drop(self._place)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        place = self._place
        if place is not None:
            if self._complete and kind is None:
                self._stock.put(place)
            else:
                self._stock.drop(place)
            self._place = None


class _Ticket(ref["_Place[Any]"]):
    """A weak reference that is a set's member by its identity: a place's own hash is gone with the place."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Place(Generic[C]):
    """Room for one connection. It counts exactly as long as something holds it."""

    __slots__ = ("__weakref__", "connection", "epoch", "idle_since", "ticket")

    def __init__(self, stock: _Stock[C]) -> None:
        self.connection: C | None = None
        self.epoch = stock.epoch
        self.idle_since = 0.0
        # The callback is C code, which no signal handler keeps from its work. A method
        # of our own, such as __del__, would be at their mercy, and swallow what they raise.
        self.ticket = _Ticket(self, stock.taken.discard)
        stock.taken.add(self.ticket)


class _Waiter(Generic[C]):
    """One who waits for a place, asleep on a lock."""

    __slots__ = ("_box", "_lock")

    def __init__(self) -> None:
        self._box: dict[str, _Place[C] | None] = {}
        self._lock = threading.Lock()
        self._lock.acquire()

    @property
    def place(self) -> _Place[C] | None:
        """What was handed over."""
        return self._box.get("place")

    def hand(self, place: _Place[C]) -> bool:
        """Put a place in the box, unless something is in there or it is closed. Says whether it is in now."""
        return self._box.setdefault("place", place) is place

    def take_out(self) -> _Place[C] | None:
        """What was handed over, if anything; the box is closed then."""
        place = self._box.setdefault("place", None)
        self._box["place"] = None
        return place

    def sleep(self, deadline: float | None) -> bool:
        """Wait to be woken, or for RECHECK seconds. False if it is too late for waiting."""
        left = RECHECK if deadline is None else min(deadline - monotonic(), RECHECK)
        if left > 0:
            self._lock.acquire(timeout=left)
        return left > 0

    def wake(self) -> None:
        with suppress(RuntimeError):  # it was woken before
            self._lock.release()


class _Stock(Generic[C]):
    """What a pool has in one process; of a green library's, in one OS thread, whose hub its sockets wake."""

    def __init__(self, pool: Pool[C], pid: int, home: ref[object]) -> None:
        self.pool = pool
        self.pid = pid
        self.home = home
        self.taken: set[ref[_Place[C]]] = set()
        self.idle: deque[_Place[C]] = deque()
        self.waiters: deque[_Waiter[C]] = deque()
        self.epoch = self.opened = self.expired = 0

    def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        self.epoch += 1
        with suppress(IndexError):
            while True:
                self.drop(self.idle.pop())

    def take(self, deadline: float | None) -> _Place[C]:
        """A place, with or without a connection in it. Nobody overtakes those who wait."""
        if not self.waiters:
            place = self._room()
            if place is not None:
                if self.waiters:
                    self.match()
                return place
        return self._wait(deadline)

    def put(self, place: _Place[C]) -> None:
        """Take back a place whose connection can be used again."""
        if place.epoch != self.epoch:
            self.drop(place)
            return
        try:
            now = place.idle_since = monotonic()
            self.idle.append(place)
            if self.waiters:
                self.match()
            if len(self.idle) > 1:
                self.expire(now - self.pool.idle_for)
        except BaseException:
            self.match()  # whoever is interrupted here must not leave others waiting
            raise

    def drop(self, place: _Place[C]) -> None:
        """Close what is in a place, and give up the place."""
        try:
            self.vacate(place)
        finally:
            self.taken.discard(place.ticket)
            if self.waiters:
                self.match()

    def vacate(self, place: _Place[C], expired: bool = False) -> None:
        """Close what is in a place, and keep the place."""
        connection = place.connection
        if connection is None:
            return
        # It leaves its place only when it is closed; whoever is interrupted in between closes it again.
        if self.pid == os.getpid():
            self.pool.close_one(connection)
        else:
            _inherited.append(connection)
        self.expired += expired
        place.connection = None

    def match(self) -> None:
        """Hand what is free to those who wait, first come, first served. Doing it once too often is free."""
        while self.waiters:
            place = self._room()
            if place is None:
                return
            if not self._hand(place) and place.connection is not None:
                self.idle.append(place)

    def _hand(self, place: _Place[C]) -> bool:
        waiters = self.waiters
        while waiters:
            try:
                waiter = waiters[0]
            except IndexError:
                break
            taken = waiter.hand(place)
            # Also for one who has got something already, or gave up: he was left here by an interrupt.
            waiter.wake()
            with suppress(ValueError):
                waiters.remove(waiter)
            if taken:
                return True
        return False

    def _room(self) -> _Place[C] | None:
        """An idle connection that can be used, else room for a new one, else None."""
        pool = self.pool
        oldest = monotonic() - pool.idle_for
        while True:
            try:
                place = self.idle.pop()
            except IndexError:
                break
            connection = place.connection
            fresh = place.idle_since >= oldest and place.epoch == self.epoch and connection is not None
            if fresh and (pool.usable is None or pool.usable(connection)):  # type: ignore[arg-type]
                return place
            self._scrap(place)
        while len(self.taken) < pool.size:
            place = _Place(self)
            if len(self.taken) <= pool.size:
                return place
            self.taken.discard(place.ticket)  # another thread was quicker; look again
        return None

    def _scrap(self, place: _Place[C]) -> None:
        try:
            self.vacate(place, expired=True)
        finally:
            self.taken.discard(place.ticket)

    def expire(self, oldest: float) -> None:
        """Close what has been idle since before then."""
        idle = self.idle
        with suppress(IndexError):
            while idle[0].idle_since < oldest:
                place = idle.popleft()
                if place.idle_since >= oldest:  # another thread has changed the order
                    idle.append(place)
                    break
                self._scrap(place)

    def _wait_for_place(self, waiter: _Waiter[C], deadline: float | None) -> None:
        self.match()
        while waiter.place is None:
            if not waiter.sleep(deadline):
                raise self._too_late()
            if self.pid != os.getpid():
                raise forked_call(self.pool.name, self.pid)
            self.match()

    def _wait(self, deadline: float | None) -> _Place[C]:
        waiter: _Waiter[C] = _Waiter()
        try:
            self.waiters.append(waiter)
            self._wait_for_place(waiter, deadline)
            place = waiter.take_out()
            assert place is not None
            return place
        except BaseException:
            try:
                self._withdraw(waiter)
            except BaseException:  # interrupted, again
                self._withdraw(waiter)
                raise
            raise

    def _too_late(self) -> DeadlineExceeded:
        error = DeadlineExceeded(
            f"{self.pool.name}: none of {self.pool.size} was free in time ({len(self.waiters)} waiting)"
        )
        error.sent = False
        return error

    def _withdraw(self, waiter: _Waiter[C]) -> None:
        """Give up waiting. What has been handed over meanwhile goes on to the next one."""
        handed = waiter.take_out()
        with suppress(ValueError):
            self.waiters.remove(waiter)
        if handed is not None:
            (self.put if handed.connection is not None else self.drop)(handed)
